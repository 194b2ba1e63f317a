"""The Vietnamese data sets of others, read from a folder outside the repository. No text of theirs may come into it.

Belongs here: the forms of their files, and the terms their owners state. Not here: the city corpus, a city's own file.
A set whose folder is absent is left out; a file that is there but not in its form is an error that names file and line.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from openpyxl import load_workbook

from lake_config.errors import BadInputError
from ml.corpus.reading import Sentiment
from ml.labelled.texts import LABELS, LabelledSet, LabelledText

# uit-vsfc hides emoticons and a few signs behind words; people type the signs.
_EMOTICONS = {
    "colonsmilesmile": ":d", "colonlovelove": ":\">", "colonsadcolon": ":'(", "colonsmallsmile": ":p", "colonbigsmile": ":v",
    "colonsurprise": "@@", "coloncontemn": ":3", "colonsmile": ":)", "colonsad": ":(", "colonlove": "<3", "colonhihi": "^^",
    "coloncc": ":_", "coloncolon": ">>", "colondoublesurprise": ":@", "doubledot": ":", "dotdotdot": "...", "fraction": "/",
    "cshrap": "c#", "csharp": "c#", "vdotv": "v.v",
}  # fmt: skip
_EMOTICON = re.compile("|".join(sorted(_EMOTICONS, key=len, reverse=True)))
_ASPECT = re.compile(r"#(Positive|Negative|Neutral)\}")
_AIVIVN_ROW = re.compile(r"\n(?=train_\d{6}\n)")
_EMOTIONS: dict[str, Sentiment] = {
    "Enjoyment": "positive", "Sadness": "negative", "Anger": "negative", "Disgust": "negative", "Fear": "negative", "Other": "neutral",
}  # fmt: skip
_VLSP: dict[str, Sentiment] = {"NEG": "negative", "NEU": "neutral", "POS": "positive"}

Half = Literal["train", "dev"]


@dataclass(frozen=True)
class SharedSet:
    """How one data set is read: its folder, terms as its owner states them, and the reader of a half of it."""

    name: str
    what: str
    terms: str
    read: Callable[[Path, Half], Iterator[LabelledText]]
    classes: tuple[Sentiment, ...] = LABELS


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"The data file {path} cannot be read ({error}): restore it, or take its folder away.") from error


def _column(path: Path, number: int, row: dict[str, str], name: str) -> str:
    if name not in row:
        raise BadInputError(f"{path}, line {number}: the column {name} is missing; found {', '.join(map(str, row))}.")
    return row[name] or ""


def _csv_rows(path: Path, *names: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line number and the named cells of each row that has text in all of them."""
    reader = csv.DictReader(line + "\n" for line in _lines(path))
    for row in reader:
        cells = tuple(_column(path, reader.line_num, row, name).strip() for name in names)
        if all(cells):
            yield reader.line_num, cells


def _choice(path: Path, number: int, value: str, among: dict[str, Sentiment]) -> Sentiment:
    if value not in among:
        raise BadInputError(f"{path}, line {number}: the label {value!r} is none of {', '.join(among)}.")
    return among[value]


def _truth(path: Path, number: int, value: str) -> bool:
    if not re.fullmatch(r"\d+(\.0)?", value):
        raise BadInputError(f"{path}, line {number}: the label {value!r} is not a whole number.")
    return float(value) > 0


def _vsfc(folder: Path, half: Half) -> Iterator[LabelledText]:
    texts, labels = folder / half / "sents.txt", folder / half / "sentiments.txt"
    marks = [line for line in _lines(labels) if line.strip()]
    sentences = _lines(texts)[: len(marks)]
    if len(sentences) != len(marks):
        raise BadInputError(f"{texts} has {len(sentences)} lines, {labels} has {len(marks)}: they must match.")
    by_mark: dict[str, Sentiment] = dict(zip("012", LABELS, strict=True))
    for number, (text, mark) in enumerate(zip(sentences, marks, strict=True), 1):
        said = _EMOTICON.sub(lambda found: _EMOTICONS[found.group()], text).strip()
        yield LabelledText(said, sentiment=_choice(labels, number, mark.strip(), by_mark))


def _vlsp(folder: Path, half: Half) -> Iterator[LabelledText]:
    path = folder / f"SA-2016.{half}"
    for line in _lines(path):
        text, tab, mark = line.rpartition("\t")
        if tab and mark.strip() in _VLSP and text.strip():
            yield LabelledText(text.strip(), sentiment=_VLSP[mark.strip()])


def _aivivn(folder: Path, half: Half) -> Iterator[LabelledText]:
    found = []
    for block in _AIVIVN_ROW.split("\n" + "\n".join(_lines(folder / "train.crash"))):
        lines = block.strip("\n").rstrip().split("\n")
        if len(lines) >= 3 and lines[0].startswith("train_") and lines[-1].strip() in {"0", "1"}:
            text = " ".join(lines[1:-1]).strip().strip('"').strip()
            found.append(LabelledText(text, sentiment="positive" if lines[-1].strip() == "0" else "negative"))
    Random(13).shuffle(found)  # noqa: S311 - the split of every model so far, no secret
    first, last = int(len(found) * 0.8), int(len(found) * 0.9)
    yield from found[first:last] if half == "dev" else found[:first] + found[last:]


def _visfd(folder: Path, half: Half) -> Iterator[LabelledText]:
    for _, (text, marks) in _csv_rows(folder / f"{half.capitalize()}.csv", "comment", "label"):
        polarities = set(_ASPECT.findall(marks))
        if len(polarities) == 1:  # a review whose aspects differ has no one sentiment
            yield LabelledText(text, sentiment=_choice(folder, 0, polarities.pop().lower(), {label: label for label in LABELS}))


def _vsmec(folder: Path, half: Half) -> Iterator[LabelledText]:
    path = folder / f"{'train' if half == 'train' else 'valid'}_nor_811.xlsx"
    book = load_workbook(path, read_only=True)
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        header = list(next(rows))
        if not {"Sentence", "Emotion"} <= set(header):
            raise BadInputError(f"{path}, line 1: the columns Sentence and Emotion are expected, found {', '.join(map(str, header))}.")
        text_at, mark_at = header.index("Sentence"), header.index("Emotion")
        for row in rows:
            if row[mark_at] in _EMOTIONS and row[text_at]:  # Surprise has no sign
                yield LabelledText(str(row[text_at]).strip(), sentiment=_EMOTIONS[str(row[mark_at])])
    finally:
        book.close()


def _vihsd(folder: Path, half: Half) -> Iterator[LabelledText]:
    path = folder / f"{half}.csv"
    for number, (text, mark) in _csv_rows(path, "free_text", "label_id"):
        yield LabelledText(text, flags={"toxic": _truth(path, number, mark)})


def _victsd(folder: Path, half: Half) -> Iterator[LabelledText]:
    path = folder / f"ViCTSD_{'train' if half == 'train' else 'valid'}.csv"
    for number, (text, title, constructive, toxic) in _csv_rows(path, "Comment", "Title", "Constructiveness", "Toxicity"):
        flags = {"constructive": _truth(path, number, constructive), "toxic": _truth(path, number, toxic)}
        yield LabelledText(text, context=title, flags=flags)


def _vispam(folder: Path, half: Half) -> Iterator[LabelledText]:
    path = folder / f"{half}.csv"
    for number, (text, mark) in _csv_rows(path, "Comment", "Label"):
        yield LabelledText(text, flags={"spam": _truth(path, number, mark)})


SHARED_SETS = (
    SharedSet("uit-vsfc", "student feedback", "not stated; citation asked", _vsfc),
    SharedSet("vlsp2016", "product reviews", "shared-task data", _vlsp),
    SharedSet("aivivn", "product reviews of shopping sites, two classes", "contest data", _aivivn, ("negative", "positive")),
    SharedSet("uit-visfd", "phone reviews whose aspects agree", "free for research; commercial use: ask the authors", _visfd),
    SharedSet("uit-vsmec", "social-media emotions as three classes", "not stated", _vsmec),
    SharedSet("vihsd", "social comments: toxic or not", "research only", _vihsd),
    SharedSet("victsd", "readers' comments on news: constructive, toxic", "not stated", _victsd),
    SharedSet("vispam", "product reviews: spam or not", "research", _vispam),
)


def shared_sets(folder: Path) -> tuple[list[LabelledSet], list[str]]:
    """The sets found under `folder` (one sub-folder each), and the names of those that are absent.

    Raises BadInputError naming file and line where a file of a set is missing, unreadable or not in its form.
    """
    found, absent = [], []
    for one in SHARED_SETS:
        home = folder / one.name
        if not home.is_dir():
            absent.append(one.name)
            continue
        try:
            train, dev = (tuple(text for text in one.read(home, half) if text.text) for half in ("train", "dev"))
        except OSError as error:
            raise BadInputError(f"The data set {home} cannot be read ({error}): restore it, or take the folder away.") from error
        found.append(LabelledSet(one.name, one.what, one.terms, train, dev, one.classes))
    return found, absent
