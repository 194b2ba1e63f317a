"""ingest: export files of posts through the landing bucket into the lake, to gold, with their account.

Belongs here: checking files before anything is written, handing them over, counting what became of them. Not here: reading their rows
(assets/bronze/export_files), the runs (pipeline.py).
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import polars as pl
from minio.error import MinioException, S3Error

from assets.bronze.export_packing import ENDINGS, ending_of, rows_of_file
from assets.bronze.exports import BUCKET, CONNECTOR, MAP_METADATA, PREFIX
from assets.gold.accounting import accepted_versions
from assets.gold.build import GoldDays
from assets.silver.versions import account
from assets.support import LakeResource
from lake_config.errors import BadInputError, LakeError, StoreError
from lake_config.registry import Source
from lake_config.settings import Settings
from lake_config.storage import Lake
from orchestration.commands.terminal import print_lines, print_table
from orchestration.pipeline import TurnReport, turn

_ROW = ["connector", "batch_id", "row_number"]


@dataclass(frozen=True)
class Landed:
    """A file handed over to the landing bucket."""

    path: Path
    key: str
    etag: str
    size_bytes: int


@dataclass(frozen=True)
class Account:
    """What became of the rows: landed = kept + superseded + duplicate + rejected + withdrawn.

    kept: posts the lake did not have; superseded: rows that brought a newer version of a post it had, whose older one gives way; duplicate:
    a version of a post it had already.
    """

    landed: int
    kept: int
    superseded: int
    duplicate: int
    rejected: int
    withdrawn: int

    @property
    def adds_up(self) -> bool:
        """Whether the equation holds."""
        return self.landed == self.kept + self.superseded + self.duplicate + self.rejected + self.withdrawn


@dataclass(frozen=True)
class IngestReport:
    """The account of all files together, rows landed and rejected by file, reject reasons, event days that changed."""

    account: Account
    files: dict[str, dict[str, int]]
    reject_reasons: dict[str, int]
    event_days: list[str]
    run_ids: list[str]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            **asdict(self.account),
            "adds_up": self.account.adds_up,
            "files": self.files,
            "reject_reasons": self.reject_reasons,
            "event_days": self.event_days,
            "run_ids": self.run_ids,
        }


def column_map_of(arguments: Sequence[str]) -> dict[str, str] | None:
    """The column map from arguments such as 'text=Comment'. Raises BadInputError for another form or a column mapped twice."""
    found: dict[str, str] = {}
    for argument in arguments:
        canonical, sign, column = argument.partition("=")
        if not sign or not canonical.strip() or not column:
            raise BadInputError(f"--map {argument}: expected CANONICAL=COLUMN, as in --map text=Comment.")
        if canonical.strip() in found:
            raise BadInputError(f"--map {canonical.strip()} is given twice: {found[canonical.strip()]!r} and {column!r}.")
        found[canonical.strip()] = column
    return found or None


def known_source(resource: LakeResource, source_id: str) -> Source:
    """The source that files can be handed over for. Raises BadInputError when it is unknown, no export source, or not collected."""
    source = resource.registry.source(source_id)
    exports = [other.id for other in resource.collected.values() if other.connector == CONNECTOR]
    if source.connector != CONNECTOR:
        raise BadInputError(
            f"The source {source_id} is collected by {source.connector}, not from files; those from files: {', '.join(exports)}."
        )
    if source_id not in resource.collected:
        raise BadInputError(
            f"The source {source_id} is off: './lake sources enable {source_id}', or add its group {source.group} to LAKE_SOURCES."
        )
    return source


def check_file(path: Path, column_map: Mapping[str, str] | None) -> bytes:
    """The bytes of a file that can be taken in. Raises BadInputError naming the file, what is wrong and what to do."""
    if ending_of(path.name) is None:
        raise BadInputError(f"{path}: the ending {path.suffix or '(none)'} is not known; expected one of {', '.join(ENDINGS)}.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}); name an existing, readable file.") from error
    if not data.strip():
        raise BadInputError(f"{path}: the file is empty; expected rows of posts.")
    try:
        _, _, payloads = rows_of_file(path.name, data, column_map)
        if next(payloads, None) is None:
            raise BadInputError("the file has no rows; expected rows of posts.")
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error
    return data


def _put(lake: Lake, source: Source, path: Path, data: bytes, column_map: Mapping[str, str] | None) -> Landed:
    # The time makes the name new each time: a file handed in again lands again, as duplicates, and nobody wonders where it went.
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    ending = ending_of(path.name) or ""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.name[: len(path.name) - len(ending)])[:80]
    key = f"{PREFIX}{source.id}/{moment}-{hashlib.sha256(data).hexdigest()[:12]}-{name}{ending}"
    metadata: dict[str, str | list[str] | tuple[str]] = {}
    if column_map:
        metadata[MAP_METADATA] = quote(json.dumps(dict(column_map), ensure_ascii=False))
    try:
        done = lake.objects.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(data), length=len(data), metadata=metadata)
    except (S3Error, MinioException, OSError) as error:
        raise StoreError(f"{path} could not be put into the bucket {BUCKET} ({type(error).__name__}): check the store.") from error
    return Landed(path, key, str(done.etag), len(data))


def ingest(
    settings: Settings, paths: Sequence[Path], source_id: str, column_map: Mapping[str, str] | None, progress: Callable[[str], None]
) -> IngestReport:
    """Take files in, refine what they touched, and give the account. The store must be up.

    Every file is checked before the first is handed over. Raises BadInputError, StoreError, or RunFailedError when a run fails; files
    already handed over are then taken in by the next run.
    """
    resource = LakeResource(identity="collector")
    source = known_source(resource, source_id)
    contents = [(path, check_file(path, column_map)) for path in paths]
    lake, table_name = resource.lake, f"bronze.{CONNECTOR}"
    before, began = lake.open(table_name).version(), datetime.now(UTC)
    landed = []
    for path, data in contents:
        progress(f"Handing over {path.name} ({len(data):,} bytes)")
        landed.append(_put(lake, source, path, data, column_map))
    report = turn(settings, progress, [CONNECTOR])
    return _account(landed, before, began, report)


def _account(landed: Sequence[Landed], before: int, began: datetime, turned: TurnReport) -> IngestReport:
    resource = LakeResource(identity="pipeline")
    lake, table_name = resource.lake, f"bronze.{CONNECTOR}"
    at = lake.open(table_name)
    days = lake.days_added(table_name, before, at)
    gold = GoldDays(lake, days, resource.registry, resource.settings.source_groups)
    etags = {one.etag: one.path.name for one in landed}
    tags = lake.days(table_name, days, ["batch_id", "row_number", "etag", "fetched_at"], at)
    ours = tags.filter(pl.col("etag").is_in(list(etags)) & (pl.col("fetched_at") >= began)).with_columns(connector=pl.lit(CONNECTOR))
    rejects = pl.concat([gold.rejects[day] for day in sorted(days)]) if days else lake.days("silver.rejects", [])
    rejected = ours.join(rejects.select(*_ROW, "reason"), on=_ROW, how="inner")
    totals = {"kept": 0, "superseded": 0, "duplicate": 0, "withdrawn": 0}
    for day in days:
        rows = accepted_versions(gold.landed[day], gold.rejects[day], gold.sources)
        for sign, part in ((1, rows), (-1, rows.join(ours.select(_ROW), on=_ROW, how="anti"))):
            divided = account(part, gold.withdrawn)
            for name in totals:
                totals[name] += sign * int(divided[name].sum())
    per_file = {one.path.name: {"landed": 0, "rejected": 0} for one in landed}
    for name, frame in (("landed", ours), ("rejected", rejected)):
        for etag, count in frame.group_by("etag").len().iter_rows():
            per_file[etags[etag]][name] += count
    made = Account(landed=len(ours), rejected=len(rejected), **totals)
    if not made.adds_up:
        raise LakeError(f"The account does not add up: {made}. Look at gold.accounting of {', '.join(map(str, sorted(days)))}.")
    reasons = dict(rejected.group_by("reason").len().sort("reason").iter_rows())
    return IngestReport(made, per_file, reasons, [day.isoformat() for day in sorted(days)], turned.run_ids)


def show_account(report: IngestReport) -> None:
    """Print the account for people."""
    made = report.account
    print_table(["file", "landed", "rejected"], [[name, row["landed"], row["rejected"]] for name, row in report.files.items()])
    print_lines(
        [
            "",
            f"landed {made.landed:,} = kept {made.kept:,} + superseded {made.superseded:,} + duplicate {made.duplicate:,}"
            f" + rejected {made.rejected:,} + withdrawn {made.withdrawn:,}",
            *(f"  rejected as {reason}: {count:,}" for reason, count in report.reject_reasons.items()),
            f"event days: {len(report.event_days)}"
            + (f" ({report.event_days[0]} to {report.event_days[-1]})" if report.event_days else ""),
        ]
    )
