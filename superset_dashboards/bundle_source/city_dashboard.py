"""The dashboard 'Toàn cảnh thành phố': where each chart stands, the filters, the note on what is measured.

Belongs here: layout and words of the page. Not here: what a chart computes (city_charts.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from superset_dashboards.bundle_source.chart_kinds import Chart
from superset_dashboards.bundle_source.city_charts import CHARTS
from superset_dashboards.bundle_source.datasets import DATASETS
from superset_dashboards.bundle_source.ids import VERSION, stable_id

SLUG = "toan-canh"
TITLE = "Toàn cảnh thành phố"
CHART_IDS = {name: number for number, name in enumerate(CHARTS, start=1)}
"""Numbers that hold inside the files only; Superset puts its own in their place."""
MEANING_HEIGHT = 8
"""What Superset wants to be told; the page makes a text as tall as its words."""

_NOTE = (
    "**Trang này đo điều được nói công khai về thành phố, không đo con người.** Không có tên, tài khoản hay số điện thoại của ai trong các "
    "con số này, và không thể tra cứu theo người viết. Mỗi tỷ lệ đi kèm số lượt (n) và khoảng tin cậy 95 %. Số lượt nhiều không có nghĩa "
    "là nhiều người: hãy xem cả số văn bản và số tiếng nói khác nhau. Người viết trên mạng không đại diện cho toàn dân thành phố. Dòng chữ "
    "nhỏ dưới mỗi biểu đồ nói con số đó nghĩa là gì.\n\n"
    "*What is measured is public opinion about the city, not people. Every share comes with its n and a 95 % interval.*"
)

_POSITIVE, _NEUTRAL, _NEGATIVE, _PALE = "#2a7f9e", "#c3c9d0", "#d1495b", "#e6a3ab"
_SERIES_COLORS = {
    "positive_count": _POSITIVE,
    "neutral_count": _NEUTRAL,
    "negative_count": _NEGATIVE,
    "negative_share": _NEGATIVE,
    "negative_share_low": _PALE,
    "negative_share_high": _PALE,
    "coverage_share": _POSITIVE,
}
"""By metric name: Superset colours a series by it, not by the label it shows."""

# A chart and its meaning look like one card, as tall as its neighbours; a text is as tall as its words. Superset gives each chart its
# width in pixels from the width of the page, so a phone lays the page out at twice its width, folds each row, and scrolls what is wider
# inside its card.
_CSS = """.dashboard-content .grid-row { align-items: stretch; }
.dashboard-component-chart-holder { border-radius: 6px; }
.dashboard-content .dragdroppable-column:has(.grid-column) { background: #fff; border-radius: 6px; }
.dashboard-content .dashboard-markdown .resizable-container,
.dashboard-content .dashboard-markdown .dashboard-component-chart-holder { height: auto !important; }
.dashboard-content .grid-column .dragdroppable-row + .dragdroppable-row { margin-top: -20px; }
.dashboard-content .grid-column .dashboard-markdown { position: sticky; left: 0; font-size: 12px; line-height: 17px; color: #5b6570; }
.dashboard-content .grid-column .dashboard-markdown .dashboard-component-chart-holder { padding: 0 16px 8px; }
@media (max-width: 768px) {
  .dashboard-content { max-width: 100vw; overflow-x: clip; }
  .dashboard-content .grid-container { flex: none; width: calc(200vw - 48px); }
  .dashboard-content .grid-row { flex-wrap: wrap; row-gap: 16px; width: calc(100vw - 16px); height: auto; }
  .dashboard-content .grid-row > * { max-width: calc(100vw - 32px); margin-right: 16px !important; overflow-x: auto; }
  .dashboard-content .dashboard-markdown .resizable-container { max-width: calc(100vw - 32px) !important; }
}
"""


@dataclass(frozen=True)
class Block:
    """What stands in a row: a chart (by name) or a text. Width in twelfths of the page, height in units of 8 pixels."""

    name: str
    width: int
    height: int
    text: str | None = None


def _heading(name: str, vietnamese: str, english: str) -> tuple[Block, ...]:
    return (Block(name, 12, 8, f"### {vietnamese}\n{english}"),)


ROWS: Sequence[tuple[Block, ...]] = (
    (Block("note", 12, 14, _NOTE),),
    (Block("mentions", 3, 21), Block("unique-texts", 3, 21), Block("distinct-voices", 3, 21), Block("newest-data", 3, 21)),
    (Block("sentiment-shares", 6, 34), Block("by-source-kind", 6, 34)),
    (Block("sentiment-over-time", 6, 46), Block("negative-share-over-time", 6, 46)),
    _heading(
        "heading-topics", "Theo chủ đề", "*By topic.* Bộ lọc chủ đề chỉ tác động lên phần này. *The topic filter acts on this part only.*"
    ),
    (Block("by-topic", 6, 70), Block("top-negative-topics", 6, 70)),
    (Block("topics-over-time", 12, 42),),
    (Block("causes", 12, 70),),
    (Block("topic-proposals", 12, 42),),
    (Block("copies", 12, 70),),
    _heading("heading-places", "Theo địa bàn", "*By place*"),
    (Block("by-place", 6, 70), Block("top-negative-places", 6, 70)),
    _heading("heading-trust", "Dữ liệu có đáng tin không", "*Coverage, freshness, accounting and quality*"),
    (Block("coverage-over-time", 6, 40), Block("quality", 6, 40)),
    (Block("sources", 12, 78),),
    (Block("accounting", 12, 28),),
)


def _meaning(block: Block) -> Block:
    chart = CHARTS[block.name]
    return Block(f"meaning-{block.name}", block.width, MEANING_HEIGHT, f"{chart.meaning} *{chart.english}.*")


def _chart_node(block: Block, chart: Chart) -> dict[str, Any]:
    meta = {"chartId": CHART_IDS[chart.name], "height": block.height, "sliceName": chart.title, "uuid": chart.uuid, "width": block.width}
    return {"type": "CHART", "id": f"CHART-{chart.name}", "children": [], "meta": meta}


def _text_node(block: Block) -> dict[str, Any]:
    return {
        "type": "MARKDOWN",
        "id": f"MARKDOWN-{block.name}",
        "children": [],
        "meta": {"code": block.text, "height": block.height, "width": block.width},
    }


def _position() -> dict[str, Any]:
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": TITLE}},
    }
    for blocks in ROWS:
        row_id = f"ROW-{blocks[0].name}"
        position["GRID_ID"]["children"].append(row_id)
        parents = ["ROOT_ID", "GRID_ID"]
        children = [_stand(block, [*parents, row_id], position) for block in blocks]
        background = {"background": "BACKGROUND_TRANSPARENT"}
        position[row_id] = {"type": "ROW", "id": row_id, "children": children, "parents": parents, "meta": background}
    return position


def _stand(block: Block, parents: list[str], position: dict[str, Any]) -> str:
    """Put a block into the position: a text as it is, a chart in a column with its meaning below. Returns the id of what was put.

    Superset 6.1.0 has a description of the chart itself, but does not show it on a dashboard (apache/superset#40373).
    """
    if block.text is not None:
        node = _text_node(block)
        position[node["id"]] = {**node, "parents": parents}
        return str(node["id"])
    column_id = f"COLUMN-{block.name}"
    nodes = (_chart_node(block, CHARTS[block.name]), _text_node(_meaning(block)))
    meta = {"background": "BACKGROUND_TRANSPARENT", "width": block.width}
    position[column_id] = {"type": "COLUMN", "id": column_id, "children": [node["id"] for node in nodes], "parents": parents, "meta": meta}
    for node in nodes:
        position[node["id"]] = {**node, "parents": [*parents, column_id]}
    return column_id


def _without(column: str) -> list[int]:
    """Charts that cannot answer a filter on that column, because their dataset lacks it."""
    return [CHART_IDS[name] for name, chart in CHARTS.items() if column not in {c.name for c in chart.dataset.columns}]


def _filter(name: str, label: str, description: str, **special: Any) -> dict[str, Any]:
    return {
        "id": f"NATIVE_FILTER-{name}",
        "name": label,
        "description": description,
        "type": "NATIVE_FILTER",
        "cascadeParentIds": [],
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        **special,
    }


def _select(name: str, label: str, description: str, dataset: str, column: str, **special: Any) -> dict[str, Any]:
    return _filter(
        name,
        label,
        description,
        filterType="filter_select",
        targets=[{"datasetUuid": DATASETS[dataset].uuid, "column": {"name": column}}],
        controlValues={
            "multiSelect": True,
            "enableEmptyFilter": False,
            "searchAllOptions": False,
            "inverseSelection": False,
            "defaultToFirstItem": False,
        },
        scope={"rootPath": ["ROOT_ID"], "excluded": _without(column)},
        **special,
    )


def _filters() -> list[dict[str, Any]]:
    no_topic = {"expressionType": "SIMPLE", "clause": "WHERE", "subject": "topic_id", "operator": "!=", "comparator": "none"}
    return [
        _filter(
            "date",
            "Khoảng ngày",
            "Ngày của bài đăng, giờ Việt Nam. Để trống là toàn bộ dữ liệu.",
            filterType="filter_time",
            targets=[{}],
            controlValues={"enableEmptyFilter": False},
            scope={"rootPath": ["ROOT_ID"], "excluded": []},
        ),
        _select("topic", "Chủ đề", "Chỉ tác động lên phần Theo chủ đề.", "topic_daily", "topic_name", adhoc_filters=[no_topic]),
        _select(
            "source-kind",
            "Loại nguồn",
            "Tác động lên mọi phần, trừ nội dung đăng lại, kiểm tra chất lượng và sổ đối chiếu.",
            "sentiment_daily",
            "source_kind_name",
        ),
    ]


def dashboard_document() -> dict[str, Any]:
    """The dashboard as Superset's import reads it."""
    return {
        "dashboard_title": TITLE,
        "description": "Sắc thái, chủ đề, địa bàn và độ tin cậy của dữ liệu về toàn thành phố. English: the whole city on one page.",
        "css": _CSS,
        "slug": SLUG,
        "certified_by": None,
        "certification_details": None,
        "published": True,
        "uuid": stable_id("dashboard", SLUG),
        "position": _position(),
        "metadata": {
            "color_scheme": "supersetColors",
            "label_colors": _SERIES_COLORS,
            "cross_filters_enabled": False,
            "filter_bar_orientation": "HORIZONTAL",
            "refresh_frequency": 0,
            "timed_refresh_immune_slices": [],
            "native_filter_configuration": _filters(),
        },
        "version": VERSION,
    }
