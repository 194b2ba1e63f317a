"""Calibration of shares: how a model's answers fall for texts whose true sentiment is known and that it never learned from.

Belongs here: making, storing and reading `calibration.json` of a model folder. It holds counts and no text. Not here: the estimate made
with it (`ml.quantification`), people's labels as a table (assets).
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lake_config.errors import LakeError
from ml.corpus.reading import CorpusPost
from ml.language_model import Readings
from ml.masking import mask_pii
from ml.normalise import normalise
from ml.quantification import BINS, CLASSES, LEVELS, ShareEstimator, bins_of
from ml.sentiment import LABELS, label_of

FILE = "calibration.json"
_FEWEST = 30
"""Held-out texts of each class without which a model is not calibrated: fewer say next to nothing of its errors."""


class CalibrationError(LakeError):
    """A model has no calibration, another model's, or one that cannot be made or read."""


class Named(Protocol):
    """A model as a calibration names it."""

    model_id: str
    weights_digest: str


class Reader(Named, Protocol):
    """What calibrating needs of a model."""

    def read(self, texts: Sequence[str], contexts: Sequence[str | None] | None = None) -> Readings:
        """What the model says of each text in its context."""
        ...


@dataclass(frozen=True)
class Answers:
    """Labelled texts as a model answered them: `truth` (n,) index in LABELS, `probabilities` (n, 3), `weight` (n,) of each as evidence."""

    truth: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def labels(self) -> NDArray[np.intp]:
        """The class that each answer says, by the same rule as the labels of the lake."""
        return said(self.probabilities)


class Calibration(BaseModel):
    """calibration.json.

    `edges`: per label the two probabilities that part its answers into levels. `counts`: labelled texts by true class (rows, order of
    LABELS) and bin. `corpus_texts` and `human_texts` say where they come from, `labels_sha256` names exactly these labelled texts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    model_id: str = Field(min_length=1)
    weights_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    corpus_texts: int = Field(ge=0)
    human_texts: int = Field(ge=0)
    labels_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    edges: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    counts: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(len(row) != BINS or min(row) < 0 for row in self.counts):
            raise ValueError(f"counts must be {CLASSES} rows of {BINS} numbers of at least 0")
        if any(low > high for low, high in self.edges):
            raise ValueError("the two edges of a label must rise")
        return self

    @cached_property
    def estimator(self) -> ShareEstimator:
        """The estimator of shares with this calibration, seeded by it: the same file gives the same figures."""
        seed = int(hashlib.sha256(self.as_text().encode()).hexdigest()[:16], 16)
        return ShareEstimator(np.array(self.counts), seed)

    def bins(self, probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
        """The bin of each answer (n,) from its probabilities (n, 3)."""
        return bins_of(probabilities, said(probabilities), np.array(self.edges))

    def as_text(self) -> str:
        """The content of the file."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"


def said(probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
    """The index in LABELS of the class that each row of probabilities says (`ml.sentiment.label_of`)."""
    return np.array([LABELS.index(label_of(row)) for row in probabilities], np.intp)


def held_out(posts: Sequence[CorpusPost]) -> list[CorpusPost]:
    """The dev posts. Raises CalibrationError when a story or a text of theirs is in the train split too: then they were learned from."""
    train, dev = ([post for post in posts if post.split == split] for split in ("train", "dev"))
    stories, texts = {post.story for post in train}, {_key(post.text) for post in train}
    for post in dev:
        if post.story in stories or _key(post.text) in texts:
            raise CalibrationError(f"The dev post {post.id} is in the train split of the corpus too, by its story or its text: part them.")
    return dev


def _key(text: str) -> str:
    return normalise(text).casefold()


def answers_of(model: Reader, posts: Sequence[CorpusPost]) -> Answers:
    """How the model answers labelled posts, each read as in the lake: normalised and masked, with the title that it answers."""
    contexts = [None if post.parent is None else mask_pii(normalise(post.parent)) for post in posts]
    probabilities = model.read([mask_pii(normalise(post.text)) for post in posts], contexts).sentiment
    truth = np.array([LABELS.index(post.sentiment) for post in posts], np.intp)
    return Answers(truth, probabilities, np.ones(len(posts)))


def edges_of(answers: Answers) -> NDArray[np.float64]:
    """Edges (3, LEVELS - 1) that part the answers of each label into levels of equal size; a label never given gets those of all."""
    labels, top = answers.labels, answers.probabilities.max(axis=1)
    steps = np.arange(1, LEVELS) / LEVELS
    parts = [top[labels == label] for label in range(CLASSES)]
    return np.round([np.quantile(part if len(part) else top, steps) for part in parts], 6)


def counts_of(answers: Answers, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weight of the answers by true class and bin, (3, BINS)."""
    counts = np.zeros((CLASSES, BINS))
    np.add.at(counts, (answers.truth, bins_of(answers.probabilities, answers.labels, edges)), answers.weight)
    return counts


def calibrate(model: Reader, posts: Sequence[CorpusPost], people: Answers | None = None, people_sha256: str = "") -> Calibration:
    """The calibration of a model from the held-out posts of the corpus and, where given, from answers that people labelled.

    `people_sha256` names their labels. Raises CalibrationError when dev posts are in the train split or a class has too few texts.
    """
    dev = held_out(posts)
    answers = answers_of(model, dev)
    edges = edges_of(answers)
    counts = counts_of(answers, edges)
    if people is not None:
        counts += counts_of(people, edges)
    for label, seen in zip(LABELS, counts.sum(axis=1), strict=True):
        if seen < _FEWEST:
            raise CalibrationError(f"Only {seen:.0f} held-out texts are {label}, at least {_FEWEST} are needed: label more.")
    named = json.dumps([*sorted((post.id, post.sentiment) for post in dev), people_sha256])
    return Calibration.model_validate(
        {
            "model_id": model.model_id,
            "weights_digest": model.weights_digest,
            "corpus_texts": len(dev),
            "human_texts": 0 if people is None else len(people.truth),
            "labels_sha256": hashlib.sha256(named.encode()).hexdigest(),
            "edges": edges.tolist(),
            "counts": np.round(counts, 6).tolist(),
        }
    )


def write_calibration(folder: Path, calibration: Calibration) -> Path:
    """Put the file into the model folder and its digest into model.yaml; returns its path."""
    path, described = folder / FILE, folder / "model.yaml"
    text = calibration.as_text()
    line = f"  {FILE}: {hashlib.sha256(text.encode()).hexdigest()}"
    facts = described.read_text("utf-8")
    entry = re.compile(rf"^  {re.escape(FILE)}:.*$", re.MULTILINE)
    if entry.search(facts):
        facts = entry.sub(line, facts)
    elif re.search(r"^files:\s*$", facts, re.MULTILINE):
        facts = re.sub(r"^files:\s*$", f"files:\n{line}", facts, count=1, flags=re.MULTILINE)
    else:
        raise CalibrationError(f"{described} has no line 'files:': add it, with the digest of every file below it.")
    path.write_text(text, "utf-8")
    described.write_text(facts, "utf-8")
    return path


def read_calibration(folder: Path, model: Named) -> Calibration:
    """The calibration in a model folder. Raises CalibrationError when it is missing, wrong, or of other weights than the model's."""
    path = folder / FILE
    try:
        found = Calibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CalibrationError(f"{path} cannot be read ({error.strerror}): run ./lake calibrate --model {folder}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CalibrationError(f"{path}, {field}: {first['msg']}; run ./lake calibrate --model {folder}.") from error
    if (found.model_id, found.weights_digest) != (model.model_id, model.weights_digest):
        raise CalibrationError(
            f"{path} was made for {found.model_id} ({found.weights_digest[:12]}…), the model in use is {model.model_id} "
            f"({model.weights_digest[:12]}…): its errors are others; run ./lake calibrate --model {folder}."
        )
    return found
