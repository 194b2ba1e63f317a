"""The few kinds of chart in use, and the parameters Superset wants for each.

Belongs here: Superset's parameter names. Not here: what the charts say (city_charts.py). Every chart answers to the date filter on
event_date.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from superset_dashboards.bundle_source.datasets import DATASETS, Dataset
from superset_dashboards.bundle_source.ids import VERSION, stable_id

TIME_FORMAT = "%H:%M %d/%m/%Y"


@dataclass(frozen=True)
class Chart:
    """A chart: its English key and subtitle, Vietnamese title and meaning, its dataset and Superset's parameters."""

    name: str
    title: str
    english: str
    meaning: str
    dataset_name: str
    viz_type: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        """Its stable id."""
        return stable_id("chart", self.name)

    @property
    def dataset(self) -> Dataset:
        """The dataset it reads."""
        return DATASETS[self.dataset_name]

    def document(self) -> dict[str, Any]:
        """The chart as Superset's import reads it."""
        return {
            "slice_name": self.title,
            "description": f"{self.meaning} ({self.english})",
            "certified_by": None,
            "certification_details": None,
            "viz_type": self.viz_type,
            "params": {**self.params, "viz_type": self.viz_type},
            "query_context": None,
            "cache_timeout": None,
            "uuid": self.uuid,
            "version": VERSION,
            "dataset_uuid": self.dataset.uuid,
        }


def where(column: str, operator: str, value: object) -> dict[str, Any]:
    """A filter of the chart itself, such as ``where("topic_id", "!=", "none")``."""
    return {"expressionType": "SIMPLE", "clause": "WHERE", "subject": column, "operator": operator, "comparator": value}


def where_sql(condition: str) -> dict[str, Any]:
    """A filter of the chart itself, as SQL."""
    return {"expressionType": "SQL", "clause": "WHERE", "sqlExpression": condition}


def _common(filters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    any_time = where("event_date", "TEMPORAL_RANGE", "No filter")  # the dashboard's date filter takes its place
    return {"granularity_sqla": "event_date", "adhoc_filters": [any_time, *filters], "extra_form_data": {}, "annotation_layers": []}


def big_number(metric: str, subtitle: str, filters: Sequence[Mapping[str, Any]] = (), *, number_format: str = ",d") -> dict[str, Any]:
    """Parameters of one big figure with a line below it. For a time give its d3 format."""
    is_time = number_format.startswith("%")
    return {
        **_common(filters),
        "metric": metric,
        "subtitle": subtitle,
        "header_font_size": 0.3 if is_time else 0.4,
        "subtitle_font_size": 0.125,
        "show_metric_name": False,
        "y_axis_format": "SMART_NUMBER" if is_time else number_format,
        "time_format": number_format if is_time else "smart_date",
        "force_timestamp_formatting": is_time,
    }


def table(
    groupby: Sequence[str],
    metrics: Sequence[str],
    order_by: str,
    filters: Sequence[Mapping[str, Any]] = (),
    *,
    page: int = 0,
    bars: Sequence[str] = (),
) -> dict[str, Any]:
    """Parameters of a table, largest ``order_by`` first; ``bars`` are the metrics drawn with a bar in their cell.

    ``page`` is the number of rows shown at a time, 0 for all: a row limit would put a warning sign on the chart.
    """
    return {
        **_common(filters),
        "query_mode": "aggregate",
        "groupby": list(groupby),
        "metrics": list(metrics),
        "percent_metrics": [],
        "all_columns": [],
        "order_by_cols": [],
        "timeseries_limit_metric": order_by,
        "order_desc": True,
        "row_limit": 1000,
        "page_length": page,
        "server_pagination": False,
        "include_search": False,
        "show_cell_bars": True,
        "color_pn": False,
        "table_timestamp_format": TIME_FORMAT,
        "column_config": {metric: {"showCellBars": metric in bars} for metric in metrics},
    }


DAY_LABEL = "Ngày"
# Days side by side as words, those without posts left out: one post dated years off must not squeeze all others into a line. Year first, so
# that words sort as days do; Superset's own way to the same axis (xAxisForceCategorical) writes NaN under it.
_DAYS = {
    "x_axis": {"expressionType": "SQL", "label": DAY_LABEL, "sqlExpression": "CAST(event_date AS VARCHAR)"},
    "x_axis_sort": DAY_LABEL,
    "x_axis_sort_asc": True,
}


def daily_bars_by(column: str, metric: str, limit: int, filters: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Parameters of stacked bars over days, one part per value of the column, the ``limit`` largest values only."""
    by_value = {"groupby": [column], "limit": limit, "timeseries_limit_metric": metric, "order_desc": True}
    return {**bars("event_date", [metric], filters), **by_value}


def bars(
    x_axis: str, metrics: Sequence[str], filters: Sequence[Mapping[str, Any]] = (), *, rows: int = 10_000, sort_by: str | None = None
) -> dict[str, Any]:
    """Parameters of stacked bars: over days, or lying, largest on top, over the values of a column."""
    is_time = x_axis == "event_date"
    params = {
        **_common(filters),
        "x_axis": x_axis,
        "metrics": list(metrics),
        "groupby": [],
        "row_limit": rows,
        "truncate_metric": True,
        "stack": "Stack",
        "sort_series_type": "name",  # by label: +, ±, − in every chart (metrics.py)
        "sort_series_ascending": True,
        "orientation": "vertical" if is_time else "horizontal",
        "show_legend": True,
        "legendType": "scroll",
        "legendOrientation": "top",
        "y_axis_format": ",d",
        "rich_tooltip": True,
        "showTooltipTotal": True,
        "only_total": True,
        "show_value": not is_time,
    }
    if is_time:
        return {**params, **_DAYS}
    return {**params, "timeseries_limit_metric": sort_by, "order_desc": True, "x_axis_sort": "sum", "x_axis_sort_asc": True}


def lines(
    metrics: Sequence[str],
    filters: Sequence[Mapping[str, Any]] = (),
    *,
    number_format: str,
    bounds: tuple[float | None, float | None] = (None, None),
) -> dict[str, Any]:
    """Parameters of lines over days, one per metric."""
    return {
        **_common(filters),
        **_DAYS,
        "metrics": list(metrics),
        "groupby": [],
        "row_limit": 10_000,
        "truncate_metric": True,
        "show_legend": True,
        "legendType": "scroll",
        "legendOrientation": "top",
        "y_axis_format": number_format,
        "truncateYAxis": bounds != (None, None),
        "y_axis_bounds": list(bounds),
        "rich_tooltip": True,
        "markerEnabled": False,
        "opacity": 0.2,
        "seriesType": "line",
    }
