"""The lines that visits to article pages leave in the fetch log. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from assets.bronze.envelope import FetchAttempt, storable

_EXAMPLES = 5


@dataclass(frozen=True)
class Seen:
    """What the log needs of a visit to a page. `landed` is whether a row of it was committed."""

    source_id: str
    outcome: str
    status: int | None
    finding: str | None
    fetched_at: datetime
    received_bytes: int
    landed: bool
    detail: str | None


def attempts_of(visited: Iterable[Seen]) -> list[FetchAttempt]:
    """Lines for the fetch log: one per source, outcome and status, for one a page would be as many lines as pages.

    `listed` counts the pages asked for, `detail` gives examples. The time is that of the last; ties of one source lie a microsecond apart.
    """
    groups: dict[tuple[str, str, int | None, str | None], list[Seen]] = defaultdict(list)
    for seen in visited:
        groups[seen.source_id, seen.outcome, seen.status, seen.finding].append(seen)
    made: list[FetchAttempt] = []
    for (source_id, outcome, status, finding), alike in groups.items():
        moment = max(one.fetched_at for one in alike)
        while any(moment == other.fetched_at for other in made if other.source_id == source_id):
            moment += timedelta(microseconds=1)
        details = [one.detail for one in alike if one.detail]
        more = f" and {len(details) - _EXAMPLES} more" if len(details) > _EXAMPLES else ""
        made.append(
            FetchAttempt(
                source_id,
                moment,
                outcome,
                status,
                received_bytes=sum(one.received_bytes for one in alike),
                listed=len(alike),
                landed=sum(one.landed for one in alike),
                detail=storable("; ".join(details[:_EXAMPLES]) + more) if details else None,
                finding=finding,
            )
        )
    return made
