"""One answer of a platform interface, and what the server remembers of it. No sockets here (server.py)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ApiAnswer:
    """Status, JSON value, further headers, what the call cost in quota units, and (id, digest) of every post, video or comment in it."""

    value: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    units: int = 0
    served: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """The value as JSON, UTF-8."""
        return json.dumps(self.value, ensure_ascii=False).encode()


class ApiError(Exception):
    """An error of the interface; carries the answer that says it."""

    def __init__(self, answer: ApiAnswer) -> None:
        super().__init__(str(answer.value))
        self.answer = answer
