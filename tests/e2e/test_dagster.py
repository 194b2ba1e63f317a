"""Dagster as a data engineer meets it: the asset graph in the browser, facts about every asset and run over its API."""

import httpx
import pytest
from playwright.sync_api import Browser

from lake_config.tables import TABLES
from orchestration.services.programs import service_url
from tests.e2e.demo_lake import ARTIFACTS, DemoLake

pytestmark = pytest.mark.browser

_ASSETS = """{ assetNodes { assetKey { path } groupName description kinds partitionDefinition { description }
  owners { ... on TeamAssetOwner { team } ... on UserAssetOwner { email } }
  metadataEntries { __typename label } assetChecksOrError { ... on AssetChecks { checks { name blocking
    executionForLatestMaterialization { status } } } }
  assetMaterializations(limit: 1) { metadataEntries { label ... on IntMetadataEntry { intValue } } } } }"""
_RUNS = "{ runsOrError { ... on Runs { results { runId jobName status } } } }"
_INSTIGATORS = """{ sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "lang_nghe"}) {
    ... on Sensors { results { name sensorState { status } } } }
  schedulesOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "lang_nghe"}) {
    ... on Schedules { results { name scheduleState { status } } } } }"""


def _ask(lake: DemoLake, query: str) -> dict:
    answer = httpx.post(f"{service_url(lake.settings, 'webserver')}/graphql", json={"query": query}, timeout=60, trust_env=False)
    found = answer.json()
    assert "errors" not in found, found
    return found["data"]


def test_every_table_is_an_asset_with_what_an_engineer_needs(demo_lake: DemoLake) -> None:
    nodes = {".".join(node["assetKey"]["path"]): node for node in _ask(demo_lake, _ASSETS)["assetNodes"]}
    assert set(TABLES) <= set(nodes)
    for name in TABLES:
        node = nodes[name]
        labels = {entry["label"] for entry in node["metadataEntries"]}
        assert node["description"], name
        assert node["owners"], name
        assert "delta" in node["kinds"], name
        assert node["groupName"] == name.split(".")[0]
        assert {"dagster/column_schema", "dagster/column_lineage", "dagster/uri"} <= labels, name
    collected = [node for name, node in nodes.items() if name not in {"bronze.fetch_log", "gold.quality_results"} and name in TABLES]
    for node in collected:
        assert node["partitionDefinition"], node["assetKey"]
        (latest,) = node["assetMaterializations"]
        assert "dagster/partition_row_count" in {entry["label"] for entry in latest["metadataEntries"]}
        (check,) = node["assetChecksOrError"]["checks"]
        assert check["executionForLatestMaterialization"]["status"] == "SUCCEEDED", node["assetKey"]
        assert check["blocking"] == (node["groupName"] != "bronze")


def test_no_run_failed_and_schedules_and_sensors_are_on(demo_lake: DemoLake) -> None:
    runs = _ask(demo_lake, _RUNS)["runsOrError"]["results"]
    assert {run["jobName"] for run in runs} == {"collect", "refine"}
    assert [run for run in runs if run["status"] not in {"SUCCESS", "STARTED", "STARTING", "QUEUED", "NOT_STARTED"}] == []
    found = _ask(demo_lake, _INSTIGATORS)
    sensors = {one["name"]: one["sensorState"]["status"] for one in found["sensorsOrError"]["results"]}
    schedules = {one["name"]: one["scheduleState"]["status"] for one in found["schedulesOrError"]["results"]}
    assert sensors == dict.fromkeys(("touched_event_days", "left_behind", "failure_alert"), "RUNNING")
    assert schedules == dict.fromkeys(("collect_schedule", "source_health_schedule", "maintain_schedule"), "RUNNING")


def test_the_asset_graph_is_drawn(demo_lake: DemoLake, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 2500, "height": 2640}, device_scale_factor=0.6)  # the graph zooms out only so far
    page = context.new_page()
    try:
        page.goto(f"{service_url(demo_lake.settings, 'webserver')}/asset-groups/", wait_until="domcontentloaded", timeout=120_000)
        page.get_by_text("silver", exact=True).first.wait_for(timeout=120_000)
        page.wait_for_timeout(2000)  # the graph takes keys once its layout has settled
        page.keyboard.press("Alt+e")  # expand all groups
        page.get_by_text("posts_compaction", exact=True).first.wait_for(timeout=30_000)
        page.reload(wait_until="domcontentloaded")  # drawn anew, in the middle of the page
        for name in TABLES:
            page.get_by_text(name.split(".")[1], exact=True).first.wait_for(timeout=60_000)
        page.wait_for_timeout(2000)
        page.screenshot(path=ARTIFACTS / "asset-graph.png")
    finally:
        context.close()
