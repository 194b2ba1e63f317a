"""Datasets: the gold tables as Superset sees them, their columns generated from the declarations in lake_config.

Belongs here: which tables and which metrics; one virtual dataset. Not here: charts. Dataset names are table names, so that another engine
under the same names is a change of the connection's URI alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lake_config.tables import TABLES
from lake_config.tables.gold import SENTIMENTS
from lake_config.tables.schema import BOOL, DATE, FLOAT, INT, STRING, TIME, Column
from superset_dashboards.bundle_source.ids import VERSION, stable_id
from superset_dashboards.bundle_source.metrics import (
    SENTIMENT_VI,
    Metric,
    accounting_metrics,
    copies_metrics,
    finding_metrics,
    label_metrics,
    opinion_metrics,
    proposal_metrics,
    quality_metrics,
    source_metrics,
    volume_metrics,
)

DATABASE_NAME = "Gold"
_TYPES: dict[pa.DataType, str] = {STRING: "VARCHAR", INT: "BIGINT", FLOAT: "DOUBLE", DATE: "DATE", BOOL: "BOOLEAN", TIME: "TIMESTAMP"}


@dataclass(frozen=True)
class DatasetColumn:
    """One column of a dataset: SQL type and what readers see."""

    name: str
    sql_type: str
    label: str
    description: str


@dataclass(frozen=True)
class Dataset:
    """A dataset. ``sql`` is None for a gold table under its own name."""

    name: str
    description: str
    columns: tuple[DatasetColumn, ...]
    metrics: tuple[Metric, ...]
    sql: str | None = None

    @property
    def uuid(self) -> str:
        """Its stable id."""
        return stable_id("dataset", self.name)


def _declared_column(column: Column) -> DatasetColumn:
    """The hint on a table's head is this description: Vietnamese first."""
    return DatasetColumn(column.name, _TYPES[column.type], column.label_vi, f"{column.label_vi} ({column.description.rstrip('.')})")


def _gold(short_name: str, metrics: tuple[Metric, ...]) -> Dataset:
    table = TABLES[f"gold.{short_name}"]
    columns = tuple(_declared_column(column) for column in table.columns)
    return Dataset(short_name, table.description_vi or table.description, columns, metrics)


def _sentiment_by_label() -> Dataset:
    """Each row of sentiment_daily three times, once per label, so that one metric can compare the labels."""
    kept = ("event_date", "source_kind", "source_kind_name", "mentions")
    selects = [
        f"SELECT {', '.join(kept)}, '{label}' AS label, '{SENTIMENT_VI[label]}' AS label_name, {label}_count AS label_count "  # noqa: S608
        "FROM sentiment_daily"
        for label in SENTIMENTS
    ]
    declared = _gold("sentiment_daily", ())
    columns = (
        *(column for column in declared.columns if column.name in kept),
        DatasetColumn("label", "VARCHAR", "Mã sắc thái", "Mã sắc thái (negative, neutral or positive)"),
        DatasetColumn("label_name", "VARCHAR", "Sắc thái", "Tên sắc thái (Vietnamese name of the label)"),
        DatasetColumn("label_count", "BIGINT", "Số lượt", "Số lượt đề cập có sắc thái đó (mentions with that label)"),
    )
    return Dataset(
        "sentiment_by_label",
        "Sắc thái ý kiến theo ngày và loại nguồn, mỗi sắc thái một dòng. n lặp lại ở cả ba dòng.",
        columns,
        label_metrics(),
        "\nUNION ALL\n".join(selects),
    )


DATASETS: Mapping[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        _gold("sentiment_daily", opinion_metrics()),
        _gold("sentiment_hourly", opinion_metrics()),
        _gold("topic_daily", opinion_metrics()),
        _gold("place_daily", opinion_metrics()),
        _gold("cause_daily", opinion_metrics()),
        _gold("topic_proposals", proposal_metrics()),
        _gold("copies_daily", copies_metrics()),
        _gold("source_daily", source_metrics()),
        _gold("source_hourly", volume_metrics()),
        _gold("source_findings", finding_metrics()),
        _gold("accounting", accounting_metrics()),
        _gold("quality_results", quality_metrics()),
        _sentiment_by_label(),
    )
}


def database_document() -> dict[str, Any]:
    """The database as Superset's import reads it.

    The URI names no file: every DuckDB connection is replaced by the locked one (superset_config.py).
    """
    return {
        "database_name": DATABASE_NAME,
        "sqlalchemy_uri": "duckdb:///gold",
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "impersonate_user": False,
        "configuration_method": "sqlalchemy_form",
        "uuid": stable_id("database", "gold"),
        "version": VERSION,
    }


def dataset_document(dataset: Dataset) -> dict[str, Any]:
    """A dataset as Superset's import reads it."""
    return {
        "table_name": dataset.name,
        "main_dttm_col": "event_date",
        "description": dataset.description,
        "sql": dataset.sql,
        "offset": 0,
        "filter_select_enabled": True,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "uuid": dataset.uuid,
        "metrics": [
            {"metric_name": m.name, "verbose_name": m.label, "expression": m.sql, "description": m.description, "d3format": m.d3format}
            for m in dataset.metrics
        ],
        "columns": [
            {
                "column_name": c.name,
                "verbose_name": c.label,
                "is_active": True,
                "is_dttm": c.sql_type in ("DATE", "TIMESTAMP"),
                "type": c.sql_type,
                "groupby": True,
                "filterable": True,
                "description": c.description,
            }
            for c in dataset.columns
        ],
        "version": VERSION,
        "database_uuid": stable_id("database", "gold"),
    }
