"""Reading and writing Delta tables on S3, and objects through the MinIO SDK.

Belongs here: the few ways a table may be written (append, overwrite one partition), each with its commit provenance. Not here: what is
written (assets/) and starting a store (orchestration/services).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from minio import Minio
from minio.error import S3Error

from lake_config.errors import BadInputError, LakeError, StoreError
from lake_config.settings import Settings
from lake_config.tables import TABLES, Table

_WRITER = WriterProperties(compression="ZSTD", compression_level=3)
_LOG_RETENTION = {"delta.logRetentionDuration": "interval 3650 days", "delta.deletedFileRetentionDuration": "interval 3650 days"}
_COMMIT_RETRIES = 30


class ContractError(LakeError):
    """Data that does not have the declared schema of the table it should go to."""


@dataclass(frozen=True)
class Provenance:
    """What every Delta commit says of itself: run, asset, partition, code and the versions of its inputs."""

    run_id: str
    asset_key: str
    partition: str
    code_version: str
    inputs: Mapping[str, int]

    def metadata(self) -> dict[str, str]:
        """The commit's custom metadata: keys prefixed 'lake.'."""
        return {
            "lake.run_id": self.run_id,
            "lake.asset_key": self.asset_key,
            "lake.partition": self.partition,
            "lake.code_version": self.code_version,
            "lake.inputs": json.dumps(dict(sorted(self.inputs.items()))),
        }


def conform(table: Table, data: pa.Table) -> pa.Table:
    """Cast to the declared schema in declared order.

    Raises ContractError naming the table and column when one is missing, unknown, of another type or null where that is forbidden.
    """
    missing = [c.name for c in table.columns if c.name not in data.column_names]
    unknown = [name for name in data.column_names if name not in table.schema.names]
    if missing or unknown:
        raise ContractError(f"{table.name}: columns missing {missing}, not declared {unknown}.")
    arrays = []
    for field in table.schema:
        column = data.column(field.name)
        if not field.nullable and column.null_count:
            raise ContractError(
                f"{table.name}.{field.name}: {column.null_count} of {len(column)} values are null; the declaration forbids it."
            )
        try:
            arrays.append(pc.cast(column, field.type))
        except pa.ArrowException as error:
            raise ContractError(f"{table.name}.{field.name}: cannot become {field.type}: {error}") from error
    return pa.Table.from_arrays(arrays, schema=table.schema)


class Lake:
    """The tables and objects of one lake as one identity sees them."""

    def __init__(self, settings: Settings, identity: str = "pipeline"):
        self.settings = settings
        self.identity = identity

    @cached_property
    def options(self) -> dict[str, str]:
        """delta-rs storage options of this identity. Conditional put makes commits atomic; unsafe rename is never used."""
        credentials = self.settings.credentials(self.identity)
        return {
            "AWS_ENDPOINT_URL": self.settings.s3_endpoint,
            "AWS_ACCESS_KEY_ID": credentials.key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret,
            "AWS_REGION": self.settings.s3_region,
            "AWS_ALLOW_HTTP": "true" if self.settings.s3_endpoint.startswith("http://") else "false",
            "aws_conditional_put": "etag",
        }

    @cached_property
    def objects(self) -> Minio:
        """The MinIO client for plain objects."""
        credentials = self.settings.credentials(self.identity)
        parts = urlsplit(self.settings.s3_endpoint)
        return Minio(
            endpoint=parts.netloc,
            access_key=credentials.key,
            secret_key=credentials.secret,
            secure=parts.scheme == "https",
            region=self.settings.s3_region,
        )

    @staticmethod
    def uri(name: str) -> str:
        """Address of a table: s3://<layer>/<table>."""
        declared = TABLES[name]
        return f"s3://{declared.layer}/{declared.short_name}"

    def open(self, name: str, version: int | None = None) -> DeltaTable:
        """The Delta table, at its latest or the given version; made with the declared schema where it does not exist yet.

        Raises BadInputError for a version that the table does not have, StoreError when the store does not answer.
        """
        with self._reaching():
            return self._open(name, version)

    def _open(self, name: str, version: int | None) -> DeltaTable:
        declared = TABLES[name]
        try:
            return DeltaTable(self.uri(name), storage_options=self.options, version=version)
        except TableNotFoundError:
            if version is not None:
                raise BadInputError(f"{name} does not exist yet, so it has no version {version}.") from None
            return DeltaTable.create(
                self.uri(name),
                schema=declared.schema,
                mode="ignore",
                partition_by=list(declared.partition_by),
                name=declared.name,
                description=declared.description,
                configuration=_LOG_RETENTION,
                storage_options=self.options,
            )
        except DeltaError:
            newest = None if version is None else DeltaTable(self.uri(name), storage_options=self.options).version()
            if version is None or newest is None or version <= newest:
                raise
            raise BadInputError(f"{name} has no version {version}; its newest is {newest}.") from None

    def exists(self, name: str) -> bool:
        """Whether the table has been made. Raises StoreError when the store does not answer."""
        with self._reaching():
            return DeltaTable.is_deltatable(self.uri(name), storage_options=self.options)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turns what delta-rs says when the store does not answer, several lines of it, into one sentence."""
        try:
            yield
        except OSError as error:
            reason = " ".join(str(error).split())
            raise StoreError(
                f"The object store at {self.settings.s3_endpoint} does not answer the identity {self.identity} as it should;"
                f" './lake status' says whether it is up. It was: {reason[-200:]}"
            ) from error

    def append(self, at: DeltaTable, name: str, data: pa.Table, provenance: Provenance, positions: Mapping[str, int]) -> int:
        """Append rows and the positions they reach in one commit on the snapshot `at`; returns the new version.

        A second writer that commits one of the same positions since `at` makes this raise CommitFailedError: nothing is written twice.
        """
        declared = TABLES[name]
        write_deltalake(
            at,
            conform(declared, data),
            mode="append",
            partition_by=list(declared.partition_by),
            writer_properties=_WRITER,
            commit_properties=_commit(provenance, positions),
        )
        return _refreshed(at)

    def overwrite_days(
        self, at: DeltaTable, name: str, by_day: Mapping[date, pa.Table], provenance: Provenance, positions: Mapping[str, int]
    ) -> int:
        """Replace the partitions of these event days on the snapshot `at`, all in one commit; returns the new version.

        Rows that another writer put into one of the days since `at` make this raise CommitFailedError: they are never swept away unseen.
        """
        if not by_day:
            return at.version()
        declared = TABLES[name]
        listed = ", ".join(f"'{day.isoformat()}'" for day in sorted(by_day))
        write_deltalake(
            at,
            pa.concat_tables(conform(declared, by_day[day]) for day in sorted(by_day)),
            mode="overwrite",
            predicate=f"event_date IN ({listed})",
            partition_by=list(declared.partition_by),
            writer_properties=_WRITER,
            commit_properties=_commit(provenance, positions),
        )
        return _refreshed(at)

    def overwrite_day(
        self, at: DeltaTable, name: str, day: date, data: pa.Table, provenance: Provenance, positions: Mapping[str, int]
    ) -> int:
        """As :meth:`overwrite_days`, for one event day."""
        return self.overwrite_days(at, name, {day: data}, provenance, positions)

    def days_added(self, name: str, since: int | None, at: DeltaTable) -> set[date]:
        """Event days of the files that commits after version `since` (None: all commits) up to the snapshot `at` added.

        Reads only those commits, so it costs what they cost, however much the table holds; all days of the table where a commit's file is
        gone from the log.
        """
        adds = self._adds(name, since, at)
        if adds is None:
            return {date.fromisoformat(str(part["event_date"])) for part in at.partitions()}
        return {date.fromisoformat(add["partitionValues"]["event_date"]) for add in adds}

    def files_added(self, name: str, since: int | None, at: DeltaTable) -> list[str]:
        """Addresses of the files that commits after version `since` (None: all commits) up to the snapshot `at` added; as `days_added`.

        For tables that are only appended to: a file that a later commit removed is named all the same.
        """
        adds = self._adds(name, since, at)
        if adds is None:
            return sorted(at.file_uris())
        root = at.table_uri.rstrip("/")
        return [f"{root}/{unquote(add['path'])}" for add in adds]

    def rows_added(self, name: str, since: int | None, at: DeltaTable) -> int:
        """Rows of the files that commits after version `since` (None: all commits) up to the snapshot `at` added; as `files_added`."""
        adds = self._adds(name, since, at)
        if adds is None:
            return sum(rows for files in files_by_day(at).values() for rows in files.values())
        return sum(int(json.loads(add["stats"])["numRecords"]) for add in adds)

    def _adds(self, name: str, since: int | None, at: DeltaTable) -> list[dict[str, Any]] | None:
        """The add actions of the commits after `since`; None where a commit's file is gone from the log."""
        declared, found = TABLES[name], list[dict[str, Any]]()
        for version in range((-1 if since is None else since) + 1, at.version() + 1):
            key = f"{declared.short_name}/_delta_log/{version:020d}.json"
            try:
                with self.objects.get_object(bucket_name=declared.layer, object_name=key) as response:
                    actions = [json.loads(line) for line in response.read().splitlines() if line]
            except S3Error as error:
                if error.code != "NoSuchKey":
                    raise
                return None
            found += [action["add"] for action in actions if "add" in action]
        return found

    def days(self, name: str, days: Iterable[date], columns: Sequence[str] | None = None, at: DeltaTable | None = None) -> pl.DataFrame:
        """Event days of a table in one reading, at its latest version or on the snapshot `at`; rows in no particular order."""
        snapshot = at or self.open(name)
        by_day = files_by_day(snapshot)
        return self.read(name, [file for day in sorted(set(days)) for file in by_day.get(day, {})], columns)

    def day(self, name: str, day: date, columns: Sequence[str] | None = None, at: DeltaTable | None = None) -> pl.DataFrame:
        """As :meth:`days`, for one event day."""
        return self.days(name, [day], columns, at)

    def read(self, name: str, files: Iterable[str], columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows of the given files of a table in its declared schema (or the named columns of it), partition values included.

        A column that the table was given after a file was written is null in that file's rows.
        """
        declared, wanted = TABLES[name], sorted(set(files))
        names = list(columns or declared.schema.names)
        empty = pl.DataFrame(pl.from_arrow(declared.schema.empty_table()))
        if not wanted:
            return empty.select(names)
        scan = pl.scan_parquet(
            wanted,
            storage_options=self.options,
            schema=empty.schema,
            hive_partitioning=True,
            hive_schema={column: empty.schema[column] for column in declared.partition_by},
            missing_columns="insert",
        )
        return scan.select(names).collect()


def _commit(provenance: Provenance, positions: Mapping[str, int]) -> CommitProperties:
    return CommitProperties(
        custom_metadata=provenance.metadata(),
        max_commit_retries=_COMMIT_RETRIES,
        app_transactions=[Transaction(app_id=app, version=version) for app, version in sorted(positions.items())],
    )


def _refreshed(at: DeltaTable) -> int:
    at.update_incremental()
    return at.version()


def files_by_day(at: DeltaTable) -> dict[date, dict[str, int]]:
    """Active files of a table partitioned by event_date: day -> address -> number of rows. From the log alone."""
    actions = pl.DataFrame(pl.from_arrow(pa.table(at.get_add_actions(flatten=True))))
    found: dict[date, dict[str, int]] = {}
    if not actions.is_empty():
        root = at.table_uri.rstrip("/")
        for path, rows, day in actions.select("path", "num_records", "partition.event_date").sort("path").iter_rows():
            found.setdefault(day, {})[f"{root}/{path}"] = rows
    return found


def days_with_many_files(at: DeltaTable) -> list[date]:
    """Event days whose rows lie in more than one file, oldest first."""
    return sorted(day for day, files in files_by_day(at).items() if len(files) > 1)
