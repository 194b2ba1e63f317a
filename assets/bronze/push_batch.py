"""A batch that a provider pushes, from its raw body: unpacked within limits, cut into lines, each line named. Pure.

A line that is no post is no reason to refuse its batch: it lands like the others, silver rejects it with a reason, and the provider is told
its number at once. Refused is only what cannot be cut into lines, or is too large. Not here: the endpoint (orchestration/push), landing
(provider_push.py).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assets.bronze.envelope import Item
from assets.bronze.export_packing import PACKINGS, TooLargeError, unpacked
from assets.bronze.export_rows import is_deletion, parse_row, row_items
from lake_config.errors import BadInputError

PAYLOAD_FORMAT = "jsonl_line"
BATCH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
ENCODINGS = ("identity", *PACKINGS.values())
MAX_BODY_BYTES = 8 * 1024**2
"""As sent. With the limits below it bounds what one batch can cost."""
MAX_BATCH_BYTES = 16 * 1024**2
MAX_LINES = 20_000
MAX_LINE_BYTES = 1024**2
_REPORTED_LINES = 20
_CONTEXT: Mapping[str, Any] = {"columns": None}


class PushError(BadInputError):
    """A batch that is refused. `status` is the HTTP status, `code` a stable word for programs, `line` the first line at fault."""

    def __init__(self, status: int, code: str, message: str, line: int | None = None):
        super().__init__(message)
        self.status, self.code, self.line = status, code, line

    def as_dict(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"error": self.code, "message": str(self)} | ({} if self.line is None else {"line": self.line})


@dataclass(frozen=True)
class LineFault:
    """A line, counted from 1, that silver will reject, and why."""

    line: int
    why: str


@dataclass(frozen=True)
class PushedBatch:
    """A batch that can land. `batch_id` is the provider's own; the same id with another `body_sha256` is a conflict."""

    source_id: str
    batch_id: str
    body_sha256: str
    items: tuple[Item, ...]
    size_bytes: int
    fault_count: int = 0
    faults: tuple[LineFault, ...] = field(default=())

    @property
    def key(self) -> tuple[str, str]:
        """What makes it one batch: its source and the provider's id."""
        return self.source_id, self.batch_id


def check_batch_id(given: str | None) -> str:
    """The batch id of a request. Raises PushError (400)."""
    if given is None or not BATCH_ID.fullmatch(given):
        raise PushError(
            400,
            "bad_batch_id",
            "The header Lake-Batch-Id must name the batch: 1 to 128 letters, digits, dots, colons, underscores or hyphens, beginning with a"
            " letter or digit. Use a new id for each new batch, and the same one when sending a batch again.",
        )
    return given


def unpack_body(body: bytes, encoding: str) -> bytes:
    """The body as lines. `encoding` is one of ENCODINGS. Raises PushError (400 damaged, 413 too large)."""
    try:
        return unpacked(body, None if encoding == "identity" else encoding, MAX_BATCH_BYTES)
    except TooLargeError as error:
        raise PushError(413, "too_large", str(error)) from error
    except BadInputError as error:
        raise PushError(400, "damaged_body", str(error)) from error


def read_batch(source_id: str, batch_id: str, content: bytes) -> PushedBatch:
    """Cut an unpacked body into items. Raises PushError: 413 for too many or too long lines, 400 where there is no line at all."""
    if len(content) > MAX_BATCH_BYTES:
        raise PushError(413, "too_large", f"The batch holds more than {MAX_BATCH_BYTES:,} bytes; send it in several batches.")
    lines = [(number, line) for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1) if line.strip()]
    if not lines:
        raise PushError(400, "empty_batch", "The body holds no line; send one JSON object a line, and no batch when there is nothing.")
    if len(lines) > MAX_LINES:
        raise PushError(413, "too_many_lines", f"The batch holds {len(lines):,} lines, at most {MAX_LINES:,} are taken; send several.")
    for number, line in lines:
        if len(line) > MAX_LINE_BYTES:
            raise PushError(
                413,
                "line_too_long",
                f"Line {number} holds {len(line):,} bytes, at most {MAX_LINE_BYTES:,} are taken; cut it.",
                number,
            )
    digest = hashlib.sha256(content).hexdigest()
    context = json.dumps({**_CONTEXT, "batch": batch_id, "body_sha256": digest})
    rows, faults = [], []
    for number, line in lines:
        row, why = _read(line)
        rows.append((line, row))
        if why is not None:
            faults.append(LineFault(number, why))
    items = tuple(row_items(source_id, rows, PAYLOAD_FORMAT, context, None))
    return PushedBatch(source_id, batch_id, digest, items, len(content), len(faults), tuple(faults[:_REPORTED_LINES]))


def _read(line: bytes) -> tuple[dict[str, Any], str | None]:
    """What a line says under canonical names, and why it will be rejected; None where nothing speaks against it."""
    try:
        row = parse_row(line, PAYLOAD_FORMAT, _CONTEXT)
    except UnicodeDecodeError as error:
        return {}, f"not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        return {}, f"not JSON at character {error.pos}: {error.msg}"
    except (ValueError, TypeError, RecursionError) as error:
        return {}, str(error)[:200]
    if is_deletion(row):
        return row, None if str(row.get("id", "")).strip() else "a deletion notice that names no post id"
    if row.get("text") is None:
        return row, "no text: name it text, content, message or body"
    return row, None if isinstance(row["text"], str) else f"the text is a {type(row['text']).__name__}, expected a string"
