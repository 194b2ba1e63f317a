"""Scoring JSON lines, for `./lake score`. Belongs here: one line in, the same line with its labels out. Not here: files and terminals."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from lake_config.errors import BadInputError
from ml.language_model import LanguageModel, Readings
from ml.masking import mask_pii
from ml.normalise import normalise
from ml.sentiment import label_of

_CHUNK = 512  # lines read before they are scored together


def _parse(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInputError(f"Line {number} is not valid JSON ({error}): every line must be one JSON object with a field text.") from error
    if not isinstance(row, dict):
        raise BadInputError(
            f"Line {number} is a JSON {type(row).__name__}, not an object: every line must be one JSON object with a field text."
        )
    text, context = row.get("text"), row.get("context")
    if not isinstance(text, str):
        found = "is missing" if "text" not in row else f"is a {type(text).__name__}"
        raise BadInputError(f"Line {number}: the field text {found}, a string was expected.")
    if context is not None and not isinstance(context, str):
        raise BadInputError(f"Line {number}: the field context is a {type(context).__name__}, a string was expected, or leave it out.")
    return row


def _clean(text: str | None) -> str:
    return mask_pii(normalise(text)) if text else ""


def score_lines(lines: Iterable[str], model: LanguageModel) -> Iterator[dict[str, Any]]:
    """The object of each line plus what the model says of it, in order; texts are normalised and masked for the model as in the lake.

    A line is JSON with a string `text` and, if it answers something, the title or post it answers as `context`. Added are `label`,
    `probabilities` by label, `topics` (those that reach their threshold, ["none"] where none does, [] from a model without topics),
    `topic_probabilities`, `flags` (likewise, of constructive, toxic, spam), `flag_probabilities`, `model_id` and `weights_digest`. Lines
    stream in chunks; blank ones are passed over. Raises BadInputError naming the line (counted from 1), after everything before it was
    given back.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    while chunk := list(islice(numbered, _CHUNK)):
        rows: list[dict[str, Any]] = []
        fault: BadInputError | None = None
        for number, line in chunk:
            try:
                rows.append(_parse(number, line))
            except BadInputError as error:
                fault = error
                break
        readings = model.read([_clean(row["text"]) for row in rows], [_clean(row.get("context")) for row in rows])
        yield from (row | said for row, said in zip(rows, _said(model, readings), strict=True))
        if fault is not None:
            raise fault


def _said(model: LanguageModel, readings: Readings) -> Iterator[dict[str, Any]]:
    for row, topics in enumerate(model.topics_of(readings.topics)):
        flags = {name: float(values[row]) for name, values in readings.flags.items()}
        yield {
            "label": label_of(readings.sentiment[row]),
            "probabilities": dict(zip(model.labels, readings.sentiment[row].tolist(), strict=True)),
            "topics": list(topics) or (["none"] if model.topic_ids else []),
            "topic_probabilities": dict(zip(model.topic_ids, readings.topics[row].tolist(), strict=True)),
            "flags": [name for name, value in flags.items() if value >= model.flag_thresholds[name]],
            "flag_probabilities": flags,
            "model_id": model.model_id,
            "weights_digest": model.weights_digest,
        }
