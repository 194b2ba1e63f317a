"""What a request came to. The values of outcome and finding are those of bronze.fetch_log (lake_config.tables.bronze)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Answer:
    """The answer to one request, redirects followed.

    `outcome` is one of FETCH_OUTCOMES; `headers` have lower-case names; `body` is unpacked; `detail` says for people what was not as
    it should be and never holds a query or a secret; `finding` is one of FETCH_FINDINGS; `retry_after` is in seconds.
    """

    outcome: str
    fetched_at: datetime
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    final_url: str = ""
    detail: str | None = None
    finding: str | None = None
    retry_after: float | None = None
