"""The commands as their users give them, against a running demo lake."""

import csv
import io
import json
import stat
from pathlib import Path

import pytest
from deltalake import DeltaTable

from assets.bronze.assets import COLLECTORS
from lake_config.storage import Lake
from tests.e2e.demo_lake import SCALE, DemoLake

pytestmark = pytest.mark.store


def test_the_demo_states_what_is_true_and_what_it_measured(demo_lake: DemoLake) -> None:
    report = demo_lake.report
    assert report["faults"] == []
    tet = {row["label"]: row for row in report["shares"] if row["period"] == "Tết week"}
    assert [round(tet[label]["true_share"], 2) for label in ("positive", "neutral", "negative")] == [0.65, 0.25, 0.10]
    assert sum(row["measured_share"] for row in tet.values()) == pytest.approx(1)
    assert report["labelled_posts"] > 10_000 * float(SCALE)


def test_status_says_that_all_is_well(demo_lake: DemoLake) -> None:
    done = demo_lake.command("status", "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["healthy"]
    assert {one["name"] for one in found["services"] if one["healthy"]} == {
        "store", "demo_city", "code_server", "webserver", "daemon", "superset",
    }  # fmt: skip
    passwords = demo_lake.settings.secrets_dir / "passwords.txt"
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600


def test_sql_reads_gold_in_every_format_and_at_a_version(demo_lake: DemoLake) -> None:
    query = "SELECT sum(mentions)::BIGINT AS n, sum(positive_count + neutral_count + negative_count)::BIGINT AS m FROM gold.sentiment_daily"
    as_json = demo_lake.answer("sql", query, "--format", "json")
    assert as_json[0]["n"] == as_json[0]["m"] == demo_lake.report["labelled_posts"]
    as_csv = list(csv.DictReader(io.StringIO(demo_lake.command("sql", query, "--format", "csv").stdout)))
    assert int(as_csv[0]["n"]) == as_json[0]["n"]
    assert str(as_json[0]["n"]) in demo_lake.command("sql", query).stdout
    first = demo_lake.answer("sql", query, "--format", "json", "--at", "gold.sentiment_daily=0")
    assert first == [{"n": None, "m": None}]  # version 0 made the table


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sql", "DROP TABLE gold.accounting"), "Only one reading statement"),
        (("sql", "SELECT 1; SELECT 2"), "Only one reading statement"),
        (("sql", "SELECT * FROM read_text('/etc/passwd')"), "refused"),
        (("sql", "COPY (SELECT 1) TO '/tmp/x.csv'"), "Only one reading statement"),
        (("sql", "SELECT * FROM gold.nothing"), "gold.sentiment_daily"),
        (("sql", "SELECT nothing FROM gold.accounting"), "nothing"),
        (("sql", "SELECT 1", "--at", "gold.accounting"), "TABLE=VERSION"),
        (("sql", "SELECT 1", "--at", "gold.nothing=1"), "gold.nothing"),
        (("sql", "SELECT * FROM gold.accounting", "--at", "gold.accounting=99999"), "99999"),
        (("ingest", "/nowhere/posts.csv"), "/nowhere/posts.csv"),
        (("ingest", "README.md"), ".jsonl"),
        (("ingest", "pyproject.toml", "--source", "uplod"), "did you mean upload"),
        (("ingest", "pyproject.toml", "--source", "demo-saigon-sang"), "news_feeds"),
        (("ingest", "pyproject.toml", "--map", "text"), "CANONICAL=COLUMN"),
        (("score", "/nowhere/posts.jsonl"), "/nowhere/posts.jsonl"),
    ],
)
def test_wrong_input_is_one_clear_sentence(demo_lake: DemoLake, arguments: tuple[str, ...], said: str) -> None:
    done = demo_lake.command(*arguments)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_env_lets_another_client_read_what_the_identity_may_read(demo_lake: DemoLake) -> None:
    def exports(identity: str) -> dict[str, str]:
        lines = demo_lake.command("env", identity).stdout.splitlines()
        return {name: value.strip("'") for name, _, value in (line.removeprefix("export ").partition("=") for line in lines)}

    bi, auditor = exports("bi"), exports("auditor")
    assert DeltaTable("s3://gold/accounting", storage_options=bi).to_pyarrow_table().num_rows > 0
    assert DeltaTable("s3://silver/posts", storage_options=auditor).to_pyarrow_table(columns=["post_key"]).num_rows > 0
    with pytest.raises(OSError, match=r"403|Forbidden|AccessDenied"):
        DeltaTable("s3://silver/posts", storage_options=bi)


def test_ingest_takes_files_to_gold_and_their_account_adds_up(demo_lake: DemoLake, tmp_path: Path) -> None:
    posts = tmp_path / "góp ý.csv"
    posts.write_text(
        "Ma,Comment,Ngay\n"
        'a1,"Đường Lê Lợi ngập, khổ quá",2023-05-02 08:00\n'
        "a2,Xe buýt mới sạch và đúng giờ,2023-05-02 09:00\n"
        "a1,Đường Lê Lợi hết ngập rồi,2023-05-02 10:00\n"
        "a2,Xe buýt mới sạch và đúng giờ,2023-05-02 09:00\n"
        "a3,,2023-05-03 09:00\n",
        encoding="utf-8",
    )
    lines = tmp_path / "posts.jsonl"
    lines.write_text(
        '{"id": "b1", "text": "Hẻm tui điện cúp hoài", "created_at": "2023-05-02T10:00:00+07:00"}\n{"id": "b2", "text"\n', "utf-8"
    )
    mapped = ("--map", "text=Comment", "--map", "id=Ma", "--map", "published_at=Ngay")
    first = demo_lake.answer("ingest", str(posts), *mapped, "--json")
    assert {name: first[name] for name in ("landed", "kept", "superseded", "duplicate", "rejected", "adds_up")} == {
        "landed": 5, "kept": 2, "superseded": 1, "duplicate": 1, "rejected": 1, "adds_up": True,
    }  # fmt: skip
    assert first["files"] == {"góp ý.csv": {"landed": 5, "rejected": 1}}
    again = demo_lake.answer("ingest", str(posts), *mapped, "--json")
    assert (again["kept"], again["landed"], again["rejected"]) == (0, 5, 1)
    assert again["adds_up"]
    shown = demo_lake.command("ingest", str(lines))
    assert "landed 2 = kept 1 + superseded 0 + duplicate 0 + rejected 1" in shown.stdout
    assert "malformed_row" in shown.stdout
    query = "SELECT event_date, mentions FROM gold.sentiment_daily WHERE source_kind = 'upload' ORDER BY 1"
    assert demo_lake.answer("sql", query, "--format", "json") == [{"event_date": "2023-05-02", "mentions": 3}]
    rejects = "SELECT reason FROM silver.rejects WHERE source_id = 'upload' AND reason = 'malformed_row'"
    assert len(demo_lake.answer("sql", rejects, "--format", "json")) == 1


def test_a_second_turn_changes_no_figure(demo_lake: DemoLake) -> None:
    lake = Lake(demo_lake.settings, "auditor")
    before = {name: lake.open(f"gold.{name}").version() for name in ("sentiment_daily", "topic_daily", "accounting")}
    done = demo_lake.command("run", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["landed"] == dict.fromkeys(COLLECTORS, 0)
    assert {name: lake.open(f"gold.{name}").version() for name in before} == before


def test_a_running_lake_loads_its_dashboards_without_difference(demo_lake: DemoLake) -> None:
    done = demo_lake.command("dashboards")
    assert done.returncode == 0, done.stderr
    assert "No difference" in done.stdout
