"""The report on one model: its schema and its JSON file. Belongs here: these types. Not here: measuring, words.

`card.json` in the model's folder holds the report; `card.md` beside it is made from it (`ml.evaluation.card`) and nothing else.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ml.evaluation.cascade import Cascade
from ml.evaluation.corpus_facts import CorpusFacts
from ml.evaluation.measure import Measured
from ml.model_files import ModelError

CARD_DATA, CARD = "card.json", "card.md"


@dataclass(frozen=True)
class Shipped:
    """A file of the model folder: its SHA-256 and size."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Speed:
    """Reading `texts` distinct texts (mean length in characters) took `seconds` by the clock and `cpu_seconds` of processor time.

    `threads` threads on `processor`. Other work on the machine lengthens the first figure, hardly the second.
    """

    texts: int
    mean_characters: float
    seconds: float
    cpu_seconds: float
    threads: int
    processor: str


@dataclass(frozen=True)
class Report:
    """All of a model's card.

    `sets` are those measured, `not_measured` those whose data was absent, `cascade` how the stages of a model with two of them do.
    """

    model_id: str
    weights_digest: str
    files: dict[str, Shipped]
    topic_ids: tuple[str, ...]
    training: dict[str, Any] | None
    learning_curve: list[dict[str, Any]] | None
    corpus: CorpusFacts
    sets: list[Measured]
    cascade: list[Cascade]
    not_measured: list[str]
    speed: Speed


def as_json(report: Report) -> str:
    """The content of card.json: figures rounded to 6 places, so that a re-run on another day differs where the model differs."""
    return json.dumps(_rounded(asdict(report)), ensure_ascii=False, indent=1) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def read_report(path: Path) -> Report:
    """The report in a card.json. Raises ModelError when it cannot be read or is not of this form."""
    try:
        return TypeAdapter(Report).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(f"{path} is not the report of a model ({' '.join(str(error).split())[:200]}): run ./lake eval.") from error
