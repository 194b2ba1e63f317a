"""Unpacking a body as it comes, within limits: a small packed body may stand for gigabytes."""

import zlib

from assets.bronze.fetching.safety import RefusedError

ACCEPTED = "gzip, deflate"
"""The Accept-Encoding that requests carry."""
MAX_RATIO = 100
_FREE_BYTES = 1024 * 1024
"""Up to this size any ratio is taken: a short feed of blanks harms nobody."""
_STEP = 256 * 1024


class UnreadableError(Exception):
    """A body that is not what its headers say; the message says how."""


class Unpacker:
    """Takes a body in pieces. `coding` is the Content-Encoding of the answer.

    Raises UnreadableError for a coding that was not asked for or bytes that are not in it, RefusedError over `max_bytes` (packed or
    unpacked) or MAX_RATIO.
    """

    def __init__(self, coding: str, max_bytes: int):
        self._coding, self._max_bytes = coding.strip().lower(), max_bytes
        self._pieces: list[bytes] = []
        self._packed = self._size = 0
        self._stream: zlib._Decompress | None = None
        if self._coding in {"gzip", "x-gzip"}:
            self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif self._coding == "deflate":
            self._stream = zlib.decompressobj()
        elif self._coding not in {"", "identity"}:
            raise UnreadableError(f"the body is packed as {self._coding[:20]!r}, which was not asked for")

    def feed(self, piece: bytes) -> None:
        """Take the next piece as received."""
        self._packed += len(piece)
        if self._packed > self._max_bytes:
            raise RefusedError(f"body over {self._max_bytes} bytes")
        if self._stream is None:
            self._keep(piece)
            return
        waiting = piece
        while waiting:
            try:
                self._keep(self._stream.decompress(waiting, _STEP))
            except zlib.error:
                waiting = self._otherwise(waiting)
                continue
            waiting = self._stream.unconsumed_tail
            if self._stream.eof:
                return  # bytes after the end of the stream are padding of careless servers

    def _otherwise(self, piece: bytes) -> bytes:
        """What some servers call deflate has no zlib header (RFC 9110, 8.4.1.2): tried once, at the beginning."""
        if self._coding != "deflate" or self._size or self._packed != len(piece):
            raise UnreadableError(f"the body is not the {self._coding} that its headers say") from None
        self._coding, self._stream = "deflate without header", zlib.decompressobj(-zlib.MAX_WBITS)
        return piece

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise RefusedError(f"body over {self._max_bytes} bytes when unpacked")
        if self._size > _FREE_BYTES and self._size > MAX_RATIO * self._packed:
            raise RefusedError(f"body unpacks to more than {MAX_RATIO} times its size")
        self._pieces.append(piece)

    def body(self) -> bytes:
        """The whole body. Raises UnreadableError when its packing was cut off."""
        if self._stream is not None and not self._stream.eof and self._packed:
            raise UnreadableError(f"the {self._coding} body was cut off")
        return b"".join(self._pieces)
