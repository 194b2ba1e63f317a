"""The two stages of a model against each other. Belongs here: when the upper stage is asked, chosen and measured. Not here: the stages.

A text goes to the upper stage when its likeliest sentiment in the lower one stays below a threshold. The threshold is the smallest from
which on the macro F1 stays within MOST_LOST of the upper stage asked for every text, on each of several sets of development texts.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml
from numpy.typing import NDArray

from ml.evaluation.metrics import Matrix, confusion, macro_f1
from ml.evaluation.reader import read_as_the_lake
from ml.labelled.texts import LABELS, LabelledSet, LabelledText
from ml.language_model import LanguageModel
from ml.model_files import ModelFacts, read_facts

MOST_LOST = 0.005
"""Macro F1, 0 to 1."""
ALWAYS = 2.0
"""A threshold that no probability reaches: the upper stage is asked for every text."""
_STEPS = np.round(np.arange(0.34, 1.0, 0.01), 2)
_TOPIC_STEPS = np.round(np.arange(0.05, 0.91, 0.05), 2)
_USUAL = 0.5


@dataclass(frozen=True)
class Cascade:
    """On one set: the share of texts that needed the upper stage, and macro F1 as it runs, always asked, and never asked."""

    name: str
    deep_share: float
    macro_f1: float
    always_upper: float
    lower_alone: float


@contextmanager
def stages_of(folder: Path, *, threads: int = 2) -> Iterator[tuple[LanguageModel, LanguageModel]]:
    """The lower stage alone, and the model that asks the upper stage for every text. Raises ModelError for a folder that is not whole.

    Use them inside the context: they are views of the folder in a temporary one.
    """
    facts = read_facts(folder)
    lower = facts.model_copy(update={"stages": facts.stages[:1], "deep_below": None})
    upper = facts.model_copy(update={"deep_below": ALWAYS}) if len(facts.stages) > 1 else facts
    with TemporaryDirectory() as home:
        views = [_view(folder, made, Path(home) / name) for name, made in (("lower", lower), ("upper", upper))]
        yield LanguageModel.load(views[0], threads=threads), LanguageModel.load(views[1], threads=threads)


def _view(folder: Path, facts: ModelFacts, made: Path) -> Path:
    made.mkdir()
    files = {name: facts.files[name] for name in facts.deciding_files}
    for name in files:
        (made / name).symlink_to((folder / name).resolve())
    said = facts.model_copy(update={"files": files}).model_dump(mode="json")
    (made / "model.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    return made


def _macro(probabilities: Matrix, true: Sequence[int]) -> float:
    return float(macro_f1(confusion(true, probabilities.argmax(axis=1).tolist(), len(LABELS))))


def chosen_threshold(lower: Matrix, upper: Matrix, true: Sequence[int], most_lost: float = MOST_LOST) -> float:
    """The threshold by the rule above, from sentiment probabilities (texts, 3) of both stages; ALWAYS where no smaller one holds."""
    confidence, whole = lower.max(axis=1), _macro(upper, true)
    found = ALWAYS
    for step in _STEPS[::-1]:
        mixed = np.where((confidence < step)[:, None], upper, lower)
        if _macro(mixed, true) < whole - most_lost:
            break
        found = round(float(step), 2)
    return found


def chosen_topic_thresholds(probabilities: Matrix, true: NDArray[np.bool_], topics: Sequence[str]) -> dict[str, float]:
    """For each topic (a column of both arrays) the threshold with the best F1; of equal ones that nearest to 0.5, which also stands where
    no text has the topic.
    """
    found = {}
    for column, topic in enumerate(topics):
        scores = []
        for step in _TOPIC_STEPS:
            given = probabilities[:, column] >= step
            marked = given.sum() + true[:, column].sum()
            scores.append(2 * float((given & true[:, column]).sum()) / marked if marked else 0.0)
        best = [float(step) for step, score in zip(_TOPIC_STEPS, scores, strict=True) if score >= max(scores) - 1e-9]
        nearest = min((abs(step - _USUAL), step) for step in best)[1] if true[:, column].any() else _USUAL
        found[topic] = round(nearest, 2)
    return found


def with_choices(
    folder: Path, texts: Sequence[LabelledText], others: Sequence[Sequence[LabelledText]] = (), *, threads: int = 2
) -> ModelFacts:
    """The facts of the model in `folder` with threshold and topic thresholds chosen on development texts, read alone and with contexts.

    The threshold holds on each of the `others` too: the lower stage errs where it is sure on some kinds of text. Topics count where the
    texts are labelled with them. Raises ModelError for a folder that is not whole, ValueError for no texts.
    """
    facts = read_facts(folder)
    if not texts:
        raise ValueError("no texts to choose on")
    with stages_of(folder, threads=threads) as (lower, upper):
        read = [(read_as_the_lake(lower, texts, contexts=seen), read_as_the_lake(upper, texts, contexts=seen)) for seen in (False, True)]
        elsewhere = [_threshold_on(lower, upper, other) for other in others]
    true = [LABELS.index(text.sentiment) for text in texts if text.sentiment] * 2
    below = np.concatenate([first.sentiment for first, _ in read])
    threshold = max([chosen_threshold(below, np.concatenate([second.sentiment for _, second in read]), true), *elsewhere])
    unsure = (below.max(axis=1) < threshold)[:, None]
    topics = np.where(unsure, np.concatenate([second.topics for _, second in read]), np.concatenate([first.topics for first, _ in read]))
    rows = [row for row, text in enumerate([*texts, *texts]) if text.topics is not None]
    labelled = np.array([[topic in (texts[row % len(texts)].topics or ()) for topic in facts.topics] for row in rows], bool)
    chosen = chosen_topic_thresholds(topics[rows], labelled, facts.topics) if rows and facts.topics else facts.topic_thresholds
    deep_below = threshold if len(facts.stages) > 1 else None
    return facts.model_copy(update={"deep_below": deep_below, "topic_thresholds": chosen})


def _threshold_on(lower: LanguageModel, upper: LanguageModel, texts: Sequence[LabelledText]) -> float:
    true = [LABELS.index(text.sentiment) for text in texts if text.sentiment]
    return chosen_threshold(read_as_the_lake(lower, texts).sentiment, read_as_the_lake(upper, texts).sentiment, true)


def measured_cascade(folder: Path, sets: Sequence[LabelledSet], *, threads: int = 2) -> list[Cascade]:
    """How the stages do on the dev halves of sets with three classes, texts alone; nothing for a model of one stage."""
    if len(read_facts(folder).stages) < 2:
        return []
    model, found = LanguageModel.load(folder, threads=threads), []
    with stages_of(folder, threads=threads) as (lower, upper):
        for one in sets:
            true = [LABELS.index(text.sentiment) for text in one.dev if text.sentiment]
            run, *others = (read_as_the_lake(reader, one.dev) for reader in (model, upper, lower))
            scores = [_macro(reading.sentiment, true) for reading in (run, *others)]
            found.append(Cascade(one.name, float(run.deep.mean()), *scores))
    return found
