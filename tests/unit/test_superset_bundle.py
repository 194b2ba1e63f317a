"""The dashboards' files without a server: dashboard -> chart -> dataset -> gold table -> column and metric, each link both ways."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lake_config.tables import TABLES
from lake_config.tables.gold import GOLD
from superset_dashboards import build_bundle
from superset_dashboards.bundle_source.datasets import DATASETS
from superset_dashboards.vietnamese import browser_pack, read_words

BUNDLE = Path(build_bundle.__file__).with_name("bundle")
SITE_PACKAGES = BUNDLE.parent / ".venv" / "lib" / "python3.11" / "site-packages"
SQL_TYPES = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "date32[day]": "DATE",
    "bool": "BOOLEAN",
    "timestamp[us, tz=UTC]": "TIMESTAMP",
}
VIETNAMESE = re.compile(r"[ăâđêôơưáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ]", re.IGNORECASE)
COUNTS_OF_VOICES = {"distinct_voices", "largest_voice_share", "is_coordinated", "is_bot_like"}
OF_A_PERSON = re.compile(r"author|user_?name|account|phone|email|nick|profile|người viết|tên tác giả|tài khoản", re.IGNORECASE)

Document = dict[str, Any]


def documents(kind: str) -> dict[str, Document]:
    """Every file of a kind, by its name."""
    found = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((BUNDLE / kind).rglob("*.yaml"))}
    assert found, f"no {kind} in {BUNDLE}"
    return found


CHARTS, DASHBOARDS = documents("charts"), documents("dashboards")
BY_UUID = {dataset["uuid"]: dataset for dataset in documents("datasets").values()}
TABLE_DATASETS = {name: dataset for name, dataset in documents("datasets").items() if not dataset["sql"]}


def dataset_of(chart: Document) -> Document:
    assert chart["dataset_uuid"] in BY_UUID, f"{chart['slice_name']} reads a dataset that no file holds"
    return BY_UUID[chart["dataset_uuid"]]


def columns_of(dataset: Document) -> dict[str, Document]:
    return {column["column_name"]: column for column in dataset["columns"]}


def metrics_of(dataset: Document) -> dict[str, Document]:
    return {metric["metric_name"]: metric for metric in dataset["metrics"]}


def identifiers(sql: str) -> set[str]:
    """Lower-case names in SQL, outside of string literals: keywords and functions are upper case throughout."""
    return set(re.findall(r"\b[a-z_][a-z0-9_]*\b", re.sub(r"'[^']*'", "", sql)))


def named_columns(params: Document) -> Iterator[str]:
    yield from params.get("groupby", [])
    axes = [params[key] for key in ("x_axis", "granularity_sqla") if key in params]
    for axis in axes:
        yield from identifiers(axis["sqlExpression"]) if isinstance(axis, dict) else [axis]
    for condition in params["adhoc_filters"]:
        yield from identifiers(condition["sqlExpression"]) if condition["expressionType"] == "SQL" else [condition["subject"]]


def named_metrics(params: Document) -> Iterator[str]:
    yield from params.get("metrics", [])
    yield from (params[key] for key in ("metric", "timeseries_limit_metric") if params.get(key))
    yield from params.get("column_config", {})


def split_description(description: str) -> tuple[str, str]:
    """The Vietnamese meaning and the English subtitle of a chart's description."""
    found = re.fullmatch(r"(.+[.]) \(([A-Z][^()]+)\)", description)
    assert found, f"{description!r} is not 'meaning. (English)'"
    return found[1], found[2]


def filters_of(dashboard: Document) -> list[Document]:
    found: list[Document] = dashboard["metadata"]["native_filter_configuration"]
    return found


def test_the_folder_holds_what_the_source_says_and_nothing_else() -> None:
    on_disk = {str(path.relative_to(BUNDLE)): path.read_text(encoding="utf-8") for path in BUNDLE.rglob("*") if path.is_file()}
    assert on_disk == build_bundle.bundle_files(), "run 'python superset_dashboards/build_bundle.py' and commit the result"


def test_the_builder_runs_by_path_in_this_environment() -> None:
    code = "import runpy, sys; sys.argv = ['x']; runpy.run_path(sys.orig_argv[-1], run_name='not_main')"
    subprocess.run([sys.executable, "-c", code, build_bundle.__file__], check=True, cwd="/", timeout=60)


def test_ids_are_unique_and_one_version_holds_all() -> None:
    everything = [document for kind in ("databases", "datasets", "charts", "dashboards") for document in documents(kind).values()]
    assert not [uuid for uuid, times in Counter(document["uuid"] for document in everything).items() if times > 1]
    assert {document["version"] for document in everything} == {yaml.safe_load((BUNDLE / "metadata.yaml").read_text())["version"]}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_places_every_chart_once_and_names_it_rightly(name: str) -> None:
    position = {key: node for key, node in DASHBOARDS[name]["position"].items() if isinstance(node, dict)}
    placed = {key: node["meta"] for key, node in position.items() if node["type"] == "CHART"}
    titles = {chart["uuid"]: chart["slice_name"] for chart in CHARTS.values()}
    assert {meta["uuid"]: meta["sliceName"] for meta in placed.values()} == titles
    assert len({meta["chartId"] for meta in placed.values()}) == len(placed) == len(CHARTS)
    for key, node in position.items():
        for child in node.get("children", []):
            assert position[child]["parents"] == [*node.get("parents", []), key]
        if node["type"] == "ROW":
            assert sum(position[child]["meta"]["width"] for child in node["children"]) == 12, key
    reached = {"ROOT_ID", "HEADER_ID", *(child for node in position.values() for child in node.get("children", []))}
    assert reached == set(position)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_chart_stands_above_its_meaning_in_vietnamese(name: str) -> None:
    position = DASHBOARDS[name]["position"]
    meanings = {chart["uuid"]: chart["description"] for chart in CHARTS.values()}
    columns = [node for node in position.values() if isinstance(node, dict) and node["type"] == "COLUMN"]
    assert len(columns) == len(CHARTS)
    for column in columns:
        chart, text = (position[child] for child in column["children"])
        meaning, english = split_description(meanings[chart["meta"]["uuid"]])
        assert text["meta"]["code"] == f"{meaning} *{english}.*"


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_asks_for_what_its_dataset_has(name: str) -> None:
    chart = CHARTS[name]
    dataset = dataset_of(chart)
    params = chart["params"]
    assert params["viz_type"] == chart["viz_type"]
    assert not set(named_columns(params)) - set(columns_of(dataset)) - {"or", "and", "like"}, f"{name}: unknown columns"
    assert not set(named_metrics(params)) - set(metrics_of(dataset)), f"{name}: unknown metrics"
    assert set(named_metrics(params)), f"{name} shows no metric"
    assert columns_of(dataset)[params["granularity_sqla"]]["is_dttm"], f"{name} does not answer to the date filter"


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_a_vietnamese_title_and_says_what_its_number_means(name: str) -> None:
    chart = CHARTS[name]
    assert VIETNAMESE.search(chart["slice_name"])
    meaning, english = split_description(chart["description"])
    assert len(meaning) > 40
    assert VIETNAMESE.search(meaning)
    assert not VIETNAMESE.search(english)


@pytest.mark.parametrize("name", TABLE_DATASETS)
def test_a_dataset_is_its_gold_table_with_fitting_types(name: str) -> None:
    table = TABLES[f"gold.{name}"]
    columns = columns_of(TABLE_DATASETS[name])
    assert list(columns) == [column.name for column in table.columns]
    for declared in table.columns:
        column = columns[declared.name]
        assert column["type"] == SQL_TYPES[str(declared.type)], f"{name}.{declared.name}"
        assert column["is_dttm"] == (column["type"] in {"DATE", "TIMESTAMP"})
        assert column["verbose_name"] == declared.label_vi, f"{name}.{declared.name} has no Vietnamese name"
        assert declared.label_vi


def test_every_gold_table_is_a_dataset() -> None:
    assert set(TABLE_DATASETS) == {table.short_name for table in GOLD}
    assert set(DATASETS) == set(documents("datasets"))


def test_a_virtual_dataset_reads_columns_of_one_gold_table() -> None:
    virtual = {name: dataset for name, dataset in documents("datasets").items() if dataset["sql"]}
    assert set(virtual) == {"sentiment_by_label"}
    for dataset in virtual.values():
        sources = set(re.findall(r"FROM (\w+)", dataset["sql"]))
        declared = {column.name for source in sources for column in TABLES[f"gold.{source}"].columns}
        given = set(re.findall(r"\bAS (\w+)", dataset["sql"]))
        assert identifiers(dataset["sql"]) <= declared | given | sources
        assert set(columns_of(dataset)) == {*(declared & set(columns_of(dataset))), *given}


@pytest.mark.parametrize("name", documents("datasets"))
def test_a_metric_reads_columns_of_its_dataset_and_its_label_is_its_own(name: str) -> None:
    dataset = documents("datasets")[name]
    for metric in dataset["metrics"]:
        assert identifiers(metric["expression"]) <= set(columns_of(dataset)), metric["metric_name"]
        assert metric["description"]
    labels = Counter(metric["verbose_name"] for metric in dataset["metrics"])
    assert not [label for label, times in labels.items() if times > 1], "Superset would give one series the colour of another"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_filter_targets_a_column_and_spares_only_charts_without_it(name: str) -> None:
    dashboard = DASHBOARDS[name]
    charts = {chart["uuid"]: chart for chart in CHARTS.values()}
    by_number = {
        node["meta"]["chartId"]: charts[node["meta"]["uuid"]]
        for node in dashboard["position"].values()
        if isinstance(node, dict) and node["type"] == "CHART"
    }
    selects = [native for native in filters_of(dashboard) if native["filterType"] == "filter_select"]
    assert {native["name"] for native in filters_of(dashboard)} == {"Khoảng ngày", "Chủ đề", "Loại nguồn"}
    assert len(selects) == 2
    for native in selects:
        (target,) = native["targets"]
        column = target["column"]["name"]
        assert column in columns_of(BY_UUID[target["datasetUuid"]])
        without = {number for number, chart in by_number.items() if column not in columns_of(dataset_of(chart))}
        assert set(native["scope"]["excluded"]) == without
        assert 0 < len(without) < len(by_number)
    (date,) = (native for native in filters_of(dashboard) if native["filterType"] == "filter_time")
    assert date["scope"]["excluded"] == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_colours_are_given_to_metrics_that_exist(name: str) -> None:
    known = {metric for dataset in BY_UUID.values() for metric in metrics_of(dataset)}
    assert set(DASHBOARDS[name]["metadata"]["label_colors"]) <= known


def test_nothing_about_a_person_is_in_gold_or_in_what_superset_reads() -> None:
    gold = {f"{table.name}.{column.name}" for table in GOLD for column in table.columns}
    shown = {f"{name}.{column}" for name, dataset in documents("datasets").items() for column in columns_of(dataset)}
    metrics = {f"{name}.{metric}" for name, dataset in documents("datasets").items() for metric in metrics_of(dataset)}
    own_words = {"gold.accounting", "accounting"}  # the book of rows, not somebody's account
    names = {name for name in gold | shown | metrics if name.rpartition(".")[0] not in own_words}
    assert not [name for name in names if OF_A_PERSON.search(name)]
    for table in GOLD:
        assert "silver.posts.author_key" not in {
            source for column in table.columns if column.name not in COUNTS_OF_VOICES for source in column.inputs
        }


def test_the_database_holds_no_key_and_allows_no_writing() -> None:
    (database,) = documents("databases").values()
    assert database["sqlalchemy_uri"] == "duckdb:///gold"
    assert not [key for key in ("allow_dml", "allow_ctas", "allow_cvas", "allow_csv_upload", "allow_run_async") if database[key]]


def test_the_vietnamese_words_answer_to_messages_of_this_superset() -> None:
    catalogue = json.loads((SITE_PACKAGES / "superset/translations/fr/LC_MESSAGES/messages.json").read_text(encoding="utf-8"))
    server = (SITE_PACKAGES / "flask_appbuilder/translations/fr/LC_MESSAGES/messages.po").read_text(encoding="utf-8")
    unknown = {word for word in read_words() if word not in catalogue["locale_data"]["superset"] and f'msgid "{word}"' not in server}
    pages = "".join(path.read_text(encoding="utf-8") for path in (SITE_PACKAGES / "superset/static/assets").glob("*.js")) if unknown else ""
    assert not [word for word in unknown if f'("{word}"' not in pages]


def test_the_vietnamese_words_keep_the_places_of_values() -> None:
    words = read_words()
    assert len(words) > 250
    for english, vietnamese in words.items():
        assert Counter(re.findall(r"%(?:\(\w+\))?[sd]", english)) == Counter(re.findall(r"%(?:\(\w+\))?[sd]", vietnamese)), english
        assert vietnamese != english
    assert browser_pack(words)["locale_data"]["superset"]["Sign in"] == ["Đăng nhập"]
