"""What each user and each SQL statement cannot do in Superset, asked over HTTP; what its process and its log reveal; loading twice."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from lake_config.storage import Lake
from orchestration.services.programs import Program, build_program, supervisor_environment
from orchestration.services.secrets import store_signing_keys, superset_secrets
from orchestration.services.supervisor import status
from tests.e2e.superset_site import DASHBOARD, Site

pytestmark = pytest.mark.browser

LOCAL_CONTENT = "a-local-file-that-must-not-be-read"
CLOSED = {301, 302, 303, 401, 403, 404}
PLACES_OF_READING = ["/api/v1/dashboard/toan-canh", "/api/v1/dashboard/toan-canh/charts"]


@pytest.fixture(scope="module")
def admin(site: Site) -> Iterator[httpx.Client]:
    with site.api("admin") as client:
        yield client


@pytest.fixture(scope="module")
def viewer(site: Site) -> Iterator[httpx.Client]:
    with site.api("lanh_dao") as client:
        yield client


@pytest.fixture(scope="module")
def program(site: Site) -> Program:
    """How the supervisor starts Superset: its interpreter and its whole environment."""
    return build_program(site.settings, "superset", supervisor_environment(site.settings))


@pytest.fixture(scope="module")
def database_id(admin: httpx.Client) -> int:
    (database,) = admin.get("/api/v1/database/").raise_for_status().json()["result"]
    return int(database["id"])


@pytest.fixture(scope="module")
def charts(viewer: httpx.Client) -> dict[str, dict]:
    """The dashboard's charts by title."""
    return {chart["slice_name"]: chart for chart in viewer.get(PLACES_OF_READING[1]).raise_for_status().json()["result"]}


def _query(chart: dict, **changes: object) -> dict:
    """What a page asks for a chart's data, with changes."""
    form = chart["form_data"]
    dataset_id, _, kind = form["datasource"].partition("__")
    query = {"columns": [], "metrics": ["mentions"], "filters": [], "row_limit": 10, **changes}
    return {
        "datasource": {"id": int(dataset_id), "type": kind},
        "queries": [query],
        "form_data": form,
        "result_format": "json",
        "result_type": "full",
    }


@pytest.mark.parametrize("path", PLACES_OF_READING)
def test_the_viewer_reads_the_dashboard(viewer: httpx.Client, path: str) -> None:
    assert viewer.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/sqllab/", "/api/v1/sqllab/", "/api/v1/query/", "/api/v1/saved_query/", "/api/v1/database/", "/api/v1/database/1",
        "/databaseview/list/", "/api/v1/dataset/", "/api/v1/dataset/1", "/tablemodelview/list/", "/explore/?slice_id=1",
        "/api/v1/dashboard/export/?q=!(1)",
        "/api/v1/chart/export/?q=!(1)", "/api/v1/dataset/export/?q=!(1)", "/api/v1/database/export/?q=!(1)", "/api/v1/assets/export/",
        "/api/v1/security/users/", "/api/v1/security/roles/", "/users/", "/roles/", "/api/v1/log/",
        "/api/v1/rowlevelsecurity/", "/logmodelview/list/",
    ],
)  # fmt: skip
def test_the_viewer_reaches_nothing_else(viewer: httpx.Client, admin: httpx.Client, path: str) -> None:
    answer = viewer.get(path)
    assert answer.status_code in CLOSED, answer.text[:300]
    assert "/superset/welcome" not in answer.headers.get("location", "")
    assert admin.get(path).status_code in {200, *CLOSED}, "the path itself is broken"


def test_the_viewer_runs_no_sql_and_writes_nothing(viewer: httpx.Client, database_id: int) -> None:
    for path, body in {
        "/api/v1/sqllab/execute/": {"database_id": database_id, "sql": "SELECT 1"},
        "/api/v1/dataset/": {"database": database_id, "table_name": "of_mine", "sql": "SELECT 1"},
        "/api/v1/dashboard/": {"dashboard_title": "of mine"},
        "/api/v1/chart/": {"slice_name": "of mine", "datasource_id": 1, "datasource_type": "table"},
    }.items():
        answer = viewer.post(path, json=body)
        assert answer.status_code in CLOSED, f"{path}: {answer.status_code} {answer.text[:200]}"
    assert viewer.put("/api/v1/dashboard/1", json={"dashboard_title": "of mine"}).status_code in CLOSED
    assert viewer.delete("/api/v1/dashboard/1").status_code in CLOSED


@pytest.mark.parametrize("result_format", ["csv", "xlsx"])
def test_only_the_administrator_downloads_the_data_of_a_chart(
    viewer: httpx.Client, admin: httpx.Client, charts: dict[str, dict], result_format: str
) -> None:
    asked = _query(charts["Lượt đề cập"]) | {"result_format": result_format}
    assert admin.post("/api/v1/chart/data", json=asked).status_code == 200
    assert viewer.post("/api/v1/chart/data", json=asked).status_code == 403


def test_the_viewer_gets_no_data_but_through_the_dashboard(viewer: httpx.Client, charts: dict[str, dict]) -> None:
    asked = _query(charts["Lượt đề cập"])
    asked["form_data"] = {name: value for name, value in asked["form_data"].items() if name not in {"dashboardId", "slice_id"}}
    assert viewer.post("/api/v1/chart/data", json=asked).status_code == 403


def test_nobody_reaches_anything_without_login(site: Site) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as nobody:
        assert nobody.get(DASHBOARD).headers["location"].startswith("/login/")
        for path in (*PLACES_OF_READING, "/api/v1/database/", "/api/v1/chart/", "/api/v1/me/"):
            assert nobody.get(path).status_code in CLOSED, path
        assert nobody.get("/health").status_code == 200


def _run(client: httpx.Client, database_id: int, sql: str) -> httpx.Response:
    body = {"database_id": database_id, "sql": sql, "runAsync": False, "schema": "main", "tab": "t", "expand_data": True, "queryLimit": 100}
    return client.post("/api/v1/sqllab/execute/", json=body)


def test_the_administrators_sql_reads_gold(admin: httpx.Client, database_id: int, site: Site) -> None:
    answer = _run(admin, database_id, "SELECT CAST(sum(mentions) AS BIGINT) AS n FROM sentiment_daily")
    assert answer.status_code == 200, answer.text[:500]
    wanted = Lake(site.settings, "auditor").open("gold.sentiment_daily").to_pyarrow_table(columns=["mentions"])["mentions"].to_pylist()
    assert answer.json()["data"] == [{"n": sum(wanted)}]


ATTACKS = (
    "SELECT * FROM read_text('{file}')",
    "SELECT content FROM read_blob('{file}')",
    "SELECT * FROM read_csv('{file}', header=false)",
    "SELECT * FROM '{file}'",
    "WITH x AS (SELECT * FROM sentiment_daily) SELECT (SELECT content FROM read_text('{file}')) FROM x",
    "SELECT * FROM query('SELECT content FROM read_text(''{file}'')')",
    "SELECT * FROM glob('{file}*')",
    "COPY (SELECT 1) TO '{target}'",
    "COPY (SELECT 1) TO 's3://gold/written.csv'",
    "EXPORT DATABASE '{target}'",
    "ATTACH '{target}' AS other",
    "SET enable_external_access=true",
    "SET allowed_directories=['/']",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM delta_scan('s3://silver/posts')",
    "SELECT * FROM read_parquet('s3://silver/posts/*/*.parquet')",
    "INSTALL httpfs",
    "CREATE TABLE mine AS SELECT 1",
    "CREATE OR REPLACE VIEW sentiment_daily AS SELECT 1",
)
"""SQL that would read or write something else than gold's rows."""


@pytest.mark.parametrize("sql", ATTACKS)
def test_the_administrators_sql_reads_and_writes_nothing_else(
    admin: httpx.Client, database_id: int, site: Site, tmp_path: Path, sql: str
) -> None:
    secret, target = tmp_path / "local.txt", tmp_path / "written"
    secret.write_text(LOCAL_CONTENT)
    answer = _run(admin, database_id, sql.format(file=secret, target=target))
    assert answer.status_code >= 400, answer.text[:300]
    assert LOCAL_CONTENT not in answer.text
    assert site.settings.credentials("bi").secret not in answer.text
    assert not target.exists()


def test_a_charts_own_sql_reads_no_file(admin: httpx.Client, charts: dict[str, dict], tmp_path: Path) -> None:
    secret = tmp_path / "local.txt"
    secret.write_text(LOCAL_CONTENT)
    expression = "(SELECT max(content) FROM read_text('{file}'))"
    metric = {"expressionType": "SQL", "label": "m", "sqlExpression": expression.format(file=secret)}
    answer = admin.post("/api/v1/chart/data", json=_query(charts["Lượt đề cập"], metrics=[metric]))
    assert LOCAL_CONTENT not in answer.text
    assert answer.status_code >= 400 or answer.json()["result"][0]["error"]


def _load(program: Program, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [program.argv[0], str(Path(program.argv[1]).with_name("load.py")), *arguments]
    return subprocess.run(command, env=dict(program.environment), capture_output=True, text=True, check=False, timeout=300)


def test_loading_again_changes_nothing_and_a_change_by_hand_is_seen_and_undone(
    program: Program, admin: httpx.Client, charts: dict[str, dict]
) -> None:
    for _ in range(2):
        again = _load(program)
        assert again.returncode == 0, again.stdout + again.stderr[-2000:]
        assert "No difference: " in again.stdout
    chart_id = charts["Lượt đề cập"]["id"]
    admin.put(f"/api/v1/chart/{chart_id}", json={"slice_name": "Đổi bằng tay"}).raise_for_status()
    seen = _load(program, "--check")
    assert seen.returncode == 1
    assert "+slice_name: Đổi bằng tay" in seen.stdout
    assert _load(program).returncode == 0
    assert _load(program, "--check").returncode == 0
    assert admin.get(f"/api/v1/chart/{chart_id}").json()["result"]["slice_name"] == "Lượt đề cập"


def _secrets(site: Site) -> dict[str, str]:
    """Every generated secret of the lake by name."""
    keys = json.loads((site.settings.secrets_dir / "s3.json").read_text())
    own = {name: value for name, value in superset_secrets(site.settings).items() if not name.endswith("_user")}
    return {**{f"s3 {name}": entry["secret"] for name, entry in keys.items()}, **store_signing_keys(site.settings), **own}


def test_the_serving_processes_hold_the_reading_key_and_the_session_key_alone(site: Site) -> None:
    (superset,) = (service for service in status(site.settings) if service.name == "superset")
    assert superset.pid
    serving = psutil.Process(superset.pid)
    family = [serving, *serving.children(recursive=True)]
    assert len(family) >= 3, "the server and its two workers"
    for process in family:
        held = set(process.environ().values())
        found = {name for name, value in _secrets(site).items() if any(value in given for given in held)}
        assert found == {"s3 bi", "secret_key"}, process.cmdline()
        assert not [name for name, value in _secrets(site).items() if any(value in argument for argument in process.cmdline())]


def test_the_logs_hold_no_secret(site: Site) -> None:
    logs = {path: path.read_text(encoding="utf-8", errors="replace") for path in site.settings.log_dir.glob("superset*")}
    assert sum(map(len, logs.values())) > 1000
    assert not [(path.name, name) for path, text in logs.items() for name, value in _secrets(site).items() if value in text]
