"""What a connector run reports, and the commit that lands a batch. Shared by the connectors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from deltalake import DeltaTable

from assets.bronze.envelope import Batch, FetchAttempt, log_table
from lake_config.storage import Lake, Provenance

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of production; tests and backfills hand in their own."""
    return datetime.now(UTC)


@dataclass
class CollectReport:
    """What a run of a connector did. `yielded` says that another collector was at work and this one left the field to it."""

    connector: str
    landed: int = 0
    event_days: set[date] = field(default_factory=set)
    attempts: list[FetchAttempt] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)
    yielded: bool = False

    @property
    def failures(self) -> list[FetchAttempt]:
        """Attempts that brought neither posts nor the word that there are none."""
        return [attempt for attempt in self.attempts if attempt.outcome not in {"ok", "not_modified"}]


def land(lake: Lake, table: DeltaTable, batch: Batch, provenance: Provenance, positions: Mapping[str, int], report: CollectReport) -> None:
    """Commit a batch with the positions it reaches, on the snapshot the positions were read from.

    Raises deltalake CommitFailedError when another collector committed one of these positions meanwhile.
    """
    lake.append(table, f"bronze.{report.connector}", batch.to_arrow(), provenance, positions)
    report.landed += len(batch.rows)
    report.event_days.update(batch.event_days)
    report.batches.append(batch.batch_id)


def log_attempts(
    lake: Lake, report: CollectReport, batch_id: str, provenance: Provenance, attempts: Sequence[FetchAttempt] | None = None
) -> None:
    """Append the attempts of the run, or those given, to bronze.fetch_log."""
    made = report.attempts if attempts is None else attempts
    if made:
        lake.append(lake.open("bronze.fetch_log"), "bronze.fetch_log", log_table(report.connector, batch_id, made), provenance, {})
