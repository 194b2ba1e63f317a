"""Dagster as a data engineer meets it: the asset graph in the browser, facts about every asset and run over its API."""

import time
from datetime import date

import httpx
import pytest
from playwright.sync_api import Browser

from lake_config.storage import Lake
from lake_config.tables import TABLES
from orchestration.services.programs import service_url
from tests.e2e.demo_lake import ARTIFACTS, DemoLake

pytestmark = pytest.mark.browser

UNPARTITIONED = {"bronze.fetch_log", "bronze.push_ledger", "gold.quality_results", "gold.topic_proposals"}
"""Tables without partitions of their own: written with others, or made at night."""
MADE_BY_NIGHT = {"gold.topic_proposals"}
WARNS_ONLY = "every_source_is_heard"
TET = date(2024, 2, 10)

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


def _ask(lake: DemoLake, query: str, variables: dict | None = None) -> dict:
    body = {"query": query, "variables": variables or {}}
    found = httpx.post(f"{service_url(lake.settings, 'webserver')}/graphql", json=body, timeout=60, trust_env=False).json()
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
        assert node["groupName"] == ("maintenance" if name in MADE_BY_NIGHT else name.split(".")[0])
        assert {"dagster/column_schema", "dagster/column_lineage", "dagster/uri"} <= labels, name
    collected = [node for name, node in nodes.items() if name not in UNPARTITIONED and name in TABLES]
    for node in collected:
        assert node["partitionDefinition"], node["assetKey"]
        (latest,) = node["assetMaterializations"]
        assert "dagster/partition_row_count" in {entry["label"] for entry in latest["metadataEntries"]}
        (check,) = [check for check in node["assetChecksOrError"]["checks"] if check["name"] != WARNS_ONLY]
        assert check["executionForLatestMaterialization"]["status"] == "SUCCEEDED", node["assetKey"]
        assert check["blocking"] == (node["groupName"] != "bronze")


def test_no_run_failed_and_schedules_and_sensors_are_on(demo_lake: DemoLake) -> None:
    runs = _ask(demo_lake, _RUNS)["runsOrError"]["results"]
    assert {"collect", "refine"} <= {run["jobName"] for run in runs}
    assert [run for run in runs if run["status"] not in {"SUCCESS", "STARTED", "STARTING", "QUEUED", "NOT_STARTED"}] == []
    found = _ask(demo_lake, _INSTIGATORS)
    sensors = {one["name"]: one["sensorState"]["status"] for one in found["sensorsOrError"]["results"]}
    schedules = {one["name"]: one["scheduleState"]["status"] for one in found["schedulesOrError"]["results"]}
    assert sensors == dict.fromkeys(("touched_event_days", "left_behind", "failure_alert", "silent_sources"), "RUNNING")
    assert schedules == dict.fromkeys(("collect_schedule", "source_health_schedule", "maintain_schedule"), "RUNNING")


_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } ... on InvalidSubsetError { message } } }"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_RUN_SECONDS = 240


def _launch(lake: DemoLake, job: str, tags: dict[str, str]) -> str:
    """Launch a job as the UI does, wait for its end, and give its status."""
    selector = {"repositoryLocationName": "lang_nghe", "repositoryName": "__repository__", "jobName": job}
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    params = {"selector": selector, "runConfigData": {}, "mode": "default", "executionMetadata": {"tags": listed}}
    launched = _ask(lake, _LAUNCH, {"params": params})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    deadline = time.monotonic() + _RUN_SECONDS
    status = ""
    while status not in {"SUCCESS", "FAILURE", "CANCELED"} and time.monotonic() < deadline:
        time.sleep(1)
        status = _ask(lake, _STATUS, {"id": launched["run"]["runId"]})["runOrError"]["status"]
    return status


def test_compacting_and_refining_a_day_again_from_the_ui_change_no_figure(demo_lake: DemoLake) -> None:
    lake = Lake(demo_lake.settings, "auditor")
    figures = ("gold.sentiment_daily", "gold.topic_daily", "gold.place_daily", "gold.accounting")
    before = {name: lake.day(name, TET) for name in figures}
    assert _launch(demo_lake, "maintain", {}) == "SUCCESS"
    assert _launch(demo_lake, "refine", {"dagster/partition": TET.isoformat()}) == "SUCCESS"
    for name in figures:
        key = list(TABLES[name].key)
        assert lake.day(name, TET).sort(key).equals(before[name].sort(key)), name
        assert len(before[name]) > 0


def test_the_asset_graph_is_drawn(demo_lake: DemoLake, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 3200, "height": 10_000}, device_scale_factor=0.25)  # the graph zooms out only so far
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
