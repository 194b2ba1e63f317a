"""Scoring JSON lines, for `./lake score`. Belongs here: one line in, the same line with its label out. Not here: files and terminals."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from lake_config.errors import BadInputError
from ml.masking import mask_pii
from ml.normalise import normalise
from ml.sentiment import SentimentModel, label_of

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
    text = row.get("text")
    if not isinstance(text, str):
        found = "is missing" if "text" not in row else f"is a {type(text).__name__}"
        raise BadInputError(f"Line {number}: the field text {found}, a string was expected.")
    return row


def score_lines(lines: Iterable[str], model: SentimentModel) -> Iterator[dict[str, Any]]:
    """The object of each line (JSON with a string `text`) plus label, probabilities by label, model_id and weights_digest, in order.

    The text is normalised and masked for the model exactly as in the lake; the `text` given back is the one that came. Lines stream in
    chunks; blank ones are passed over. Raises BadInputError naming the line (counted from 1), after everything before it was given back.
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
        probabilities = model.score([mask_pii(normalise(row["text"])) for row in rows])
        for row, three in zip(rows, probabilities, strict=True):
            yield row | {
                "label": label_of(three),
                "probabilities": {label: float(value) for label, value in zip(model.labels, three, strict=True)},
                "model_id": model.model_id,
                "weights_digest": model.weights_digest,
            }
        if fault is not None:
            raise fault
