"""A city's own labelled texts, from a CSV file. Belongs here: its columns and their errors. Not here: other sets, training.

Columns: `text`, `label` (negative, neutral, positive, or tiêu cực, trung tính, tích cực), and, where wanted, `context` (the title or post
answered) and `topics` (ids of the registry, parted by semicolons; empty means "none of them"; without the column topics are not labelled).
"""

import csv
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

from lake_config.errors import BadInputError
from ml.corpus.reading import Sentiment
from ml.labelled.texts import LABELS, LabelledSet, LabelledText
from ml.normalise import normalise

_IN_VIETNAMESE: dict[str, Sentiment] = {"tiêu cực": "negative", "trung tính": "neutral", "tích cực": "positive"}
_CHOICES: dict[str, Sentiment] = {label: label for label in LABELS} | _IN_VIETNAMESE
_NEEDED = ("text", "label")
_KNOWN = (*_NEEDED, "context", "topics")
_LEAST = 50


def own_set(path: Path, topics: Collection[str]) -> LabelledSet:
    """The file as a set: a tenth of the texts (chosen by their hash, the same in each run; texts of one context together) is the dev half.

    Raises BadInputError naming the file, the line and the field: not UTF-8 CSV, a column missing or unknown, no text, a label or topic that
    does not exist (`topics` are those that do), fewer than 50 texts, or a half without any text.
    """
    train: list[LabelledText] = []
    dev: list[LabelledText] = []
    for text in _texts(path, topics):
        first = hashlib.sha256((text.context or text.text).encode("utf-8", "replace")).digest()[0]
        (dev if first < 26 else train).append(text)
    if len(train) + len(dev) < _LEAST or not train or not dev:
        raise BadInputError(f"{path} has {len(train) + len(dev)} labelled texts: at least {_LEAST}, with different contexts, are needed.")
    return LabelledSet("own", f"the city's own labels ({path.name})", "the city's own", tuple(train), tuple(dev))


def _texts(path: Path, topics: Collection[str]) -> Iterator[LabelledText]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            columns = reader.fieldnames or ()
            missing, unknown = [name for name in _NEEDED if name not in columns], [name for name in columns if name not in _KNOWN]
            if missing or unknown:
                fault = f"the column {missing[0]} is missing" if missing else f"the column {unknown[0]!r} is not known"
                raise BadInputError(f"{path}, line 1: {fault}; the columns are text, label and, where wanted, context, topics.")
            for row in reader:
                yield _text(f"{path}, line {reader.line_num}", row, topics)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path} cannot be read as CSV in UTF-8 ({error}): name a file with the columns text and label.") from error


def _text(where: str, row: dict[str, str], topics: Collection[str]) -> LabelledText:
    if None in row or None in row.values():
        raise BadInputError(f"{where}: the row has not as many fields as the first line has columns; quote texts that hold commas.")
    text, label = normalise(row["text"]), normalise(row["label"]).lower()
    if not text:
        raise BadInputError(f"{where}, text: it is empty; take the row out.")
    if label not in _CHOICES:
        raise BadInputError(f"{where}, label: {row['label']!r} is none of {', '.join(_CHOICES)}.")
    named = frozenset(name.strip() for name in row["topics"].split(";") if name.strip()) if "topics" in row else None
    strange = sorted(set(named or ()) - set(topics))
    if strange:
        raise BadInputError(f"{where}, topics: {strange[0]!r} is no topic of the registry; they are {', '.join(sorted(topics))}.")
    return LabelledText(text, normalise(row.get("context", "")) or None, _CHOICES[label], named)
