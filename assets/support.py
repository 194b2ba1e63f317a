"""What the software-defined assets share: the lake resource, partitions, specs from table declarations, the quality gate.

Belongs here: the seam between Dagster and the pure code. Not here: any one asset.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import dagster as dg
import pyarrow as pa

from assets.times import local_day
from lake_config.provenance import code_version
from lake_config.registry import Registry, Source, load_registry
from lake_config.settings import FIRST_EVENT_DATE, Settings, load_settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES, Table
from ml.language_model import LanguageModel
from quality.runner import Outcome, QualityError, describe, failures, result_rows, run_by_day

TIME_ZONE = "Asia/Ho_Chi_Minh"
EVENT_DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_EVENT_DATE.isoformat(), timezone=TIME_ZONE, end_offset=2)
"""Local civil days of posts, to tomorrow: a source's clock may run ahead."""
COLLECTION_DAYS = dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone=TIME_ZONE, end_offset=1)
"""Local civil days on which collectors ran."""

RETRY_FAULTS = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For faults such as a store that does not answer. Bad data raises Failure(allow_retries=False) and is not retried."""
STALE_AFTER = timedelta(hours=26)
TOUCHED_DAYS = "touched_event_days"
"""Metadata of a bronze materialization: the event days that got new rows since the version the last one reported."""
TABLE_VERSION = "lake/table_version"
"""Metadata of a materialization: the Delta version of the table that it reports on."""


def touched_days(materialization: dg.AssetMaterialization | None) -> set[date]:
    """The event days that a bronze materialization reports as touched."""
    if materialization is None or TOUCHED_DAYS not in materialization.metadata:
        return set()
    value = materialization.metadata[TOUCHED_DAYS].value
    return {date.fromisoformat(day) for day in value} if isinstance(value, list) else set()


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake of this environment (LAKE_* variables), as one identity."""

    identity: str = "pipeline"

    @cached_property
    def settings(self) -> Settings:
        """The settings, read on first use."""
        return load_settings()

    @cached_property
    def lake(self) -> Lake:
        """Tables and objects as this resource's identity."""
        return Lake(self.settings, self.identity)

    @cached_property
    def registry(self) -> Registry:
        """The built-in registry, the folders of LAKE_REGISTRY, and what this lake's operator added, imported, switched on or off."""
        return load_registry(self.settings.registry_folders)

    @cached_property
    def collected(self) -> dict[str, Source]:
        """Sources that are collected today, by id: see `Registry.is_collected`, with the groups in LAKE_SOURCES."""
        return self.registry.collected(self.settings.source_groups, local_day(datetime.now(UTC)))


class ModelResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The shipped language model, loaded on first use."""

    @cached_property
    def model(self) -> LanguageModel:
        """The model, its file digests checked."""
        return LanguageModel.load()


def event_days(context: dg.AssetExecutionContext) -> list[date]:
    """The event days of the run."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def asset_key(name: str) -> dg.AssetKey:
    """The asset of a table: 'gold.sentiment_daily' -> gold/sentiment_daily."""
    return dg.AssetKey(name.split("."))


def table_schema(table: Table) -> dg.TableSchema:
    """Column metadata for the Dagster UI."""
    columns = [
        dg.TableColumn(c.name, str(c.type), description=c.description, constraints=dg.TableColumnConstraints(nullable=c.nullable))
        for c in table.columns
    ]
    return dg.TableSchema(columns=columns)


def column_lineage(table: Table) -> dg.TableColumnLineage:
    """Column lineage from the declaration."""
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for column in table.columns:
        pairs = [name.rsplit(".", 1) for name in column.inputs]
        if pairs:
            deps[column.name] = [dg.TableColumnDep(asset_key=asset_key(table_name), column_name=name) for table_name, name in pairs]
    return dg.TableColumnLineage(deps_by_column=deps)


def definition_metadata(table: Table) -> dict[str, object]:
    """Schema, lineage and address of a table, shown before the first materialization."""
    return {
        "dagster/column_schema": table_schema(table),
        "dagster/column_lineage": column_lineage(table),
        "dagster/table_name": table.name,
        "dagster/uri": Lake.uri(table.name),
    }


def table_spec(name: str, *, deps: Sequence[dg.AssetDep | str] = (), kinds: Sequence[str] = (), is_fresh: bool = True) -> dg.AssetSpec:
    """The asset spec of a declared table."""
    table = TABLES[name]
    return dg.AssetSpec(
        key=asset_key(name),
        deps=[dep if isinstance(dep, dg.AssetDep) else dg.AssetDep(asset_key(dep)) for dep in deps],
        description=table.description,
        group_name=table.layer,
        owners=[table.owner],
        kinds={"delta", "python", *kinds},
        metadata=definition_metadata(table),
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=STALE_AFTER) if is_fresh else None,
    )


def suite_spec(name: str, *, is_blocking: bool = True) -> dg.AssetCheckSpec:
    """The check that a table's Great Expectations suite holds for what a run writes."""
    return dg.AssetCheckSpec(
        "suite", asset=asset_key(name), blocking=is_blocking, description=f"Great Expectations suite of {name}, run before the write."
    )


def stamp(context: dg.AssetExecutionContext, name: str) -> Callable[[Mapping[str, int]], Provenance]:
    """Makes the provenance of this run's commits to a table from the versions of their inputs."""
    keys = context.partition_keys if context.has_partition_key or context.has_partition_key_range else ["all"]
    partition = keys[0] if len(keys) == 1 else f"{keys[0]}...{keys[-1]}"
    return lambda inputs: Provenance(context.run_id, name, partition, code_version(), inputs)


def note_rows(context: dg.AssetExecutionContext, name: str, row_count: int) -> None:
    """Tell Dagster of rows appended to a table that is written beside the run's own assets."""
    context.log_event(dg.AssetMaterialization(asset_key(name), metadata={"rows_appended": row_count}))


class QualityGate:
    """Checks rows before they are written, keeps every outcome, and gives them to Dagster and to gold.quality_results."""

    def __init__(self, context: dg.AssetExecutionContext, lake: Lake, names: Sequence[str], *, is_blocking: bool = True):
        self.context, self.lake, self.names, self.is_blocking = context, lake, names, is_blocking
        self.outcomes: dict[str, dict[date, list[Outcome]]] = {name: {} for name in names}

    def __call__(self, name: str, by_day: Mapping[date, pa.Table]) -> None:
        """Check; raise QualityError when a blocking gate finds a failure. Nothing is written yet then."""
        found = run_by_day(TABLES[name], by_day)
        for day, outcomes in found.items():
            self.outcomes[name].setdefault(day, []).extend(outcomes)
        failed = {day: failures(outcomes) for day, outcomes in found.items()}
        messages = [describe(name, day, outcomes) for day, outcomes in failed.items() if outcomes]
        if messages and self.is_blocking:
            raise QualityError(" ".join(messages))

    def record(self) -> None:
        """Append all outcomes to gold.quality_results, in one commit."""
        checked_at = datetime.now(UTC)
        parts = [
            result_rows(name, day, outcomes, self.context.run_id, checked_at, is_blocking=self.is_blocking)
            for name, days in self.outcomes.items()
            for day, outcomes in days.items()
        ]
        if parts:
            name, rows = "gold.quality_results", pa.concat_tables(parts)
            self.lake.append(self.lake.open(name), name, rows, stamp(self.context, name)({}), {})
            note_rows(self.context, name, rows.num_rows)

    def results(self) -> Iterator[dg.AssetCheckResult]:
        """One check result per table, over all days of the run."""
        for name in self.names:
            every = [(day, outcome) for day, outcomes in self.outcomes[name].items() for outcome in outcomes]
            failed = [(day, outcome) for day, outcome in every if not outcome.is_success]
            lines = "\n".join(f"* {day}: {o.expectation} on {o.column}: {o.unexpected_rows} of {o.checked_rows}" for day, o in failed[:50])
            yield dg.AssetCheckResult(
                passed=not failed,
                asset_key=asset_key(name),
                check_name="suite",
                severity=dg.AssetCheckSeverity.ERROR if self.is_blocking else dg.AssetCheckSeverity.WARN,
                metadata={
                    "expectations_run": len(every),
                    "expectations_failed": len(failed),
                    "days": len(self.outcomes[name]),
                    "failed": dg.MetadataValue.md(lines or "none"),
                },
            )


def refused(error: QualityError) -> dg.Failure:
    """The failure of a run whose rows broke their suite: running it again on the same rows would not help."""
    return dg.Failure(description=str(error), allow_retries=False)
