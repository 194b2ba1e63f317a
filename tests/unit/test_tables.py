"""The declarations of all tables: complete, consistent, and without a column that names a person in gold."""

import re

import pyarrow as pa
import pytest

from assets.support import TABLE_VERSION, TOUCHED_DAYS, asset_key, column_lineage, table_schema
from lake_config.settings import BUCKETS
from lake_config.storage import Lake
from lake_config.tables import TABLES, Column, Table, table
from lake_config.tables.bronze import CONNECTOR_TABLES, ENVELOPE
from quality.suites import RULES

COLUMNS = [(table_name, column) for table_name, declared in TABLES.items() for column in declared.columns]
OWN_FACTS = {
    # column -> why it has no input column: it is not computed from another table
    "silver.posts.connector": "which bronze table was read",
    "silver.rejects.connector": "which bronze table was read",
    "silver.tombstones.connector": "which bronze table was read",
    "silver.opinions.task": "which labeller ran",
    "silver.opinions.model_id": "which labeller ran",
    "silver.opinions.weights_digest": "which labeller ran",
    "silver.place_mentions.model_id": "which rules ran",
    "silver.place_mentions.weights_digest": "which rules ran",
    "silver.clusters.model_id": "which rules ran",
    "gold.topic_proposals.status": "what people did with it",
    "gold.source_daily.is_expected": "what the registry expects",
    **{f"gold.quality_results.{column.name}": "about a check, not about a post" for column in TABLES["gold.quality_results"].columns},
}
PERSONAL = re.compile(
    r"author|user|account_|account$|person|people|profile|handle|nick|phone|email|mail|address|native_id|payload|(^|_)(post|parent)_key"
)
SAID_BY_MANY = {"gold.topic_proposals.term", "gold.topic_proposals.other_terms"}
"""Words of posts all the same: phrases of ten distinct texts and voices or more, persons' names left out (ml/emerging.py)."""
RAW_TEXT = {"silver.posts.text", "silver.posts.title", "silver.posts.url", "silver.posts.parent_key"}


def test_tables_are_found_under_their_own_name() -> None:
    for name, declared in TABLES.items():
        assert declared.name == name == f"{declared.layer}.{declared.short_name}"
        assert declared.layer in BUCKETS
        assert Lake.uri(name) == f"s3://{declared.layer}/{declared.short_name}"
        assert table(name) is declared
        assert declared.schema.names == [column.name for column in declared.columns]
    with pytest.raises(KeyError):
        table("gold.nothing")
    with pytest.raises(KeyError, match=r"gold\.accounting has no column nothing"):
        TABLES["gold.accounting"].column("nothing")


@pytest.mark.parametrize("declared", TABLES.values(), ids=list(TABLES))
def test_keys_and_partitions_are_columns_that_are_never_null(declared: Table) -> None:
    names = declared.schema.names
    assert len(set(names)) == len(names)
    assert declared.key
    for column in (*declared.key, *declared.partition_by):
        # An expectation over a whole table concerns no column.
        assert not declared.column(column).nullable or (declared.name, column) == ("gold.quality_results", "column_name")
    assert declared.partition_by in {("event_date",), ("task",)}
    assert declared.owner.startswith("team:")
    assert len(declared.description) > 20


@pytest.mark.parametrize(("table_name", "column"), COLUMNS, ids=[f"{name}.{column.name}" for name, column in COLUMNS])
def test_every_column_says_what_it_is_and_where_it_comes_from(table_name: str, column: Column) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", column.name)
    assert column.description.endswith((".", ")")), column.description
    assert len(column.description) >= 8
    assert not pa.types.is_unsigned_integer(column.type)
    assert pa.types.is_boolean(column.type) == column.name.startswith(("is_", "has_"))
    for name in column.inputs:
        source, _, input_column = name.rpartition(".")
        assert input_column in TABLES[source].schema.names
        layers = ("bronze", "silver", "gold")
        assert source != table_name
        assert layers.index(TABLES[source].layer) <= layers.index(TABLES[table_name].layer)
    assert len(set(column.inputs)) == len(column.inputs)
    if TABLES[table_name].layer == "bronze":
        assert column.inputs == ()  # what comes from outside has no column to come from
    else:
        assert bool(column.inputs) != (f"{table_name}.{column.name}" in OWN_FACTS)


def test_gold_is_readable_in_vietnamese() -> None:
    for declared in TABLES.values():
        if declared.layer == "gold":
            assert declared.description_vi
            labels = [column.label_vi for column in declared.columns]
            assert all(labels)
            assert len(set(labels)) == len(labels)


def personal_columns(declared: Table) -> list[str]:
    """Columns that name a person or a single post, by their own name or by where they come from; numbers and yes or no are not."""
    found = []
    for column in declared.columns:
        is_count = pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)
        comes_from_person = "silver.posts.author_key" in column.inputs or bool(RAW_TEXT & set(column.inputs))
        comes_from_person &= f"{declared.name}.{column.name}" not in SAID_BY_MANY
        if PERSONAL.search(column.name) or (comes_from_person and not is_count):
            found.append(column.name)
    return found


@pytest.mark.parametrize("name", [name for name, declared in TABLES.items() if declared.layer == "gold"])
def test_gold_holds_no_column_of_a_person(name: str) -> None:
    assert personal_columns(TABLES[name]) == []


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("author_key", ()),
        ("author", ()),
        ("user_name", ()),
        ("account_id", ()),
        ("phone", ()),
        ("post_key", ()),
        ("voice", ("silver.posts.author_key",)),
        ("quote", ("silver.posts.text",)),
    ],
)
def test_a_column_of_a_person_would_be_noticed(name: str, inputs: tuple[str, ...]) -> None:
    columns = (*TABLES["gold.sentiment_daily"].columns, Column(name, pa.string(), "x", inputs=inputs))
    assert personal_columns(Table("gold.x", "x", columns)) == [name]


def test_only_silver_posts_holds_the_keyed_author() -> None:
    holders = [f"{name}.{column.name}" for name, column in COLUMNS if "author" in column.name]
    assert holders == ["silver.posts.author_key"]


def test_every_connector_has_the_same_envelope_and_every_rule_a_table() -> None:
    for connector, declared in CONNECTOR_TABLES.items():
        assert TABLES[f"bronze.{connector}"] is declared
        assert declared.columns == ENVELOPE
    assert RULES.keys() <= TABLES.keys()
    for name, rules in RULES.items():
        assert rules.allowed.keys() <= set(TABLES[name].schema.names)
        assert {column for _, column in rules.equal.values()} <= set(TABLES[name].schema.names)


@pytest.mark.parametrize("declared", TABLES.values(), ids=list(TABLES))
def test_dagster_shows_the_declaration(declared: Table) -> None:
    shown = {column.name: column for column in table_schema(declared).columns}
    lineage = column_lineage(declared).deps_by_column
    for column in declared.columns:
        assert shown[column.name].description == column.description
        assert shown[column.name].constraints.nullable == column.nullable
        pairs = [f"{'.'.join(dep.asset_key.path)}.{dep.column_name}" for dep in lineage.get(column.name, ())]
        assert sorted(pairs) == sorted(column.inputs)
    assert asset_key(declared.name).path == [declared.layer, declared.short_name]
    assert TABLE_VERSION != TOUCHED_DAYS
