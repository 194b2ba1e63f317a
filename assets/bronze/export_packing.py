"""Export files by their endings: gzip and Zstandard undone within limits, and the reader for what is inside. Pure.

Not here: what the unpacked bytes say (export_files.py, export_workbook.py).
"""

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import pyarrow as pa

from assets.bronze.export_files import FORMATS, rows_of
from assets.bronze.export_workbook import workbook_rows
from lake_config.errors import BadInputError

PACKINGS: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd"}
ENDINGS: Mapping[str, tuple[str, str | None]] = {
    **{ending: (file_format, None) for ending, file_format in FORMATS.items()},
    ".xlsx": ("xlsx", None),
    # Parquet and XLSX are packed inside: packed once more they would gain nothing.
    **{
        ending + packed: (file_format, packing)
        for packed, packing in PACKINGS.items()
        for ending, file_format in FORMATS.items()
        if file_format != "parquet"
    },
}
"""Ending of a file's name, in small letters -> (format of its rows, how it is packed)."""
MAX_UNPACKED_BYTES = 256 * 1024**2
"""A file that unpacks to more, about 500,000 posts, is refused: its rows are cut in memory. Larger deliveries come as several files."""
MAX_RATIO = 200
"""Unpacked to packed bytes. Posts pack at 3 to 20; gzip bombs reach 1,000, those of Zstandard more than 10,000."""
_RATIO_FROM_BYTES = 4 * 1024**2
_READ_BYTES = 64 * 1024
_LINE_END = b"\n"


def ending_of(name: str) -> str | None:
    """The ending of ENDINGS that a file's name carries, the longest one; None where there is none."""
    file_name = PurePosixPath(name).name.lower()
    found = [ending for ending in ENDINGS if file_name.endswith(ending) and file_name != ending]
    return max(found, key=len, default=None)


class TooLargeError(BadInputError):
    """What was sent unpacks to more than is taken."""


def unpacked(data: bytes, packing: str | None, max_bytes: int | None = None) -> bytes:
    """The bytes that were packed with 'gzip' or 'zstd' (several members or frames in a row are one file), or `data` where packing is None.

    Raises BadInputError when they are damaged or cut off, TooLargeError beyond `max_bytes` (MAX_UNPACKED_BYTES where None) or MAX_RATIO;
    it stops reading there.
    """
    limit = MAX_UNPACKED_BYTES if max_bytes is None else max_bytes
    if packing is None:
        return data
    if not data:
        raise BadInputError(f"It is empty, which nothing in {packing} is; send it again.")
    made = bytearray()
    try:
        for part in _parts(data, packing):
            made += part
            if len(made) > limit:
                raise TooLargeError(f"It unpacks to more than {limit:,} bytes; send it in several parts.")
            if len(made) > max(_RATIO_FROM_BYTES, MAX_RATIO * len(data)):
                raise TooLargeError(
                    f"It unpacks to more than {MAX_RATIO} times its {len(data):,} bytes, which posts never do; send it unpacked."
                )
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        place = f"beyond {len(made):,} unpacked bytes (after line {made.count(_LINE_END)})"
        raise BadInputError(f"It is not readable {packing} {place}: {error}; send it again.") from error
    return bytes(made)


def _parts(data: bytes, packing: str) -> Iterator[bytes]:
    with (
        gzip.GzipFile(fileobj=io.BytesIO(data)) if packing == "gzip" else pa.CompressedInputStream(pa.BufferReader(data), packing) as stream
    ):
        while part := stream.read(_READ_BYTES):
            yield part


def rows_of_file(name: str, data: bytes, given: Mapping[str, str] | None = None) -> tuple[str, str, Iterator[bytes]]:
    """Cut a file, packed or not, into raw rows: (payload_format, payload_context, iterator over the payloads).

    `name` carries one of ENDINGS. Raises BadInputError, before the first row, for a file that cannot be read at all.
    """
    ending = ending_of(name)
    if ending is None:
        raise BadInputError(f"The ending of {name} is not known; expected one of {', '.join(ENDINGS)}.")
    file_format, packing = ENDINGS[ending]
    if file_format == "xlsx":
        return workbook_rows(data, given, MAX_UNPACKED_BYTES)
    return rows_of(unpacked(data, packing), file_format, given)
