"""The push server as a provider meets it: a process of its own over a real store, killed, doubled, starved and lied to."""

import gzip
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psutil
import pytest

from assets.bronze.provider_push import PushLander, Receipt
from assets.bronze.push_batch import MAX_BODY_BYTES, PushError, read_batch
from assets.bronze.push_ledger import BATCH_DAYS
from assets.silver.parse import Refused, parse_all
from lake_config.settings import Settings, load_settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from orchestration.commands.bench_push import REGISTRY, SOURCE
from orchestration.pipeline import TurnReport, collect
from orchestration.push.keys import make_key, revoke_keys
from orchestration.runs import days_left, lake_instance
from orchestration.services.supervisor import status
from quality.runner import failures, run_suite
from tests.integration.clean_lake import Interrupted, KilledError, empty, kill, landed, log
from tests.integration.push_client import HTTP, serving, start, until_ready
from tests.unit.test_assets_export_packing import PACK

pytestmark = pytest.mark.store

TABLE = "bronze.provider_push"
NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
WHO = Provenance("run", TABLE, "2026-01-05", "code", {})
OFF = REGISTRY.replace(SOURCE, "stream-off").replace("enabled: true", "enabled: false").removeprefix("sources:\n")


@pytest.fixture(scope="module")
def settings(lake_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    registry = tmp_path_factory.mktemp("registry")
    (registry / "streams.yaml").write_text(REGISTRY + OFF, encoding="utf-8")
    return load_settings({**lake_settings.environment, "LAKE_REGISTRY": str(registry)})


@pytest.fixture
def lake(settings: Settings) -> Lake:
    empty(settings)
    return Lake(settings, "collector")


def lines(first: int, count: int, **more: Any) -> bytes:
    rows = (
        {"id": f"p-{n}", "text": f"Đường ngập lần {n}", "published_at": "2026-01-05T08:00:00+07:00", **more}
        for n in range(first, first + count)
    )
    return b"\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows)


def wanted(bodies: Mapping[str, bytes]) -> Counter[bytes]:
    return Counter(line for body in bodies.values() for line in body.split(b"\n"))


def test_a_batch_is_acknowledged_when_it_lies_in_bronze_and_lands_once(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    with serving(settings, tmp_path) as server:
        for number, (encoding, pack) in enumerate({"identity": bytes, **PACK}.items()):
            body = lines(100 * number, 50)
            answer = server.push(pack(body), f"b-{number}", content_encoding=encoding)
            assert (answer.status_code, answer.json()["lines"], answer.json()["repeated"]) == (200, 50, False), answer.text
            assert len(landed(lake, "provider_push")) == 50 * (number + 1)
            again = server.push(body, f"b-{number}")  # unpacked it is the same body
            assert (again.status_code, again.json()["repeated"]) == (200, True)
            other = server.push(body + b"\n{}", f"b-{number}")
            assert (other.status_code, other.json()["error"]) == (409, "batch_id_reused")
        bad = server.push(lines(900, 2) + b'\n{cut\n[]\n{"id": 1}', "b-bad").json()
        assert [fault["line"] for fault in bad["bad"]] == [3, 4, 5]
        assert (bad["lines"], bad["bad_lines"]) == (5, 3)
    rows = landed(lake, "provider_push")
    assert len(rows) == 155
    assert failures(run_suite(TABLES[TABLE], rows.to_arrow())) == []
    assert rows["batch_id"].n_unique() == 4
    assert sum(isinstance(one, Refused) for one in parse_all(rows.iter_rows(named=True))) == 3
    entry = log(lake).filter(pl.col("outcome") == "ok").row(0, named=True)
    assert (entry["source_id"], entry["listed"], entry["landed"]) == (SOURCE, 305, 155)
    assert (
        log(lake).filter(pl.col("outcome") == "refused")["detail"].item().startswith("3 batches refused, the last with 409 batch_id_reused")
    )
    ledger = lake.read("bronze.push_ledger", lake.open("bronze.push_ledger").file_uris())
    assert sorted(ledger["provider_batch"].to_list()) == ["b-0", "b-1", "b-2", "b-bad"]
    assert failures(run_suite(TABLES["bronze.push_ledger"], ledger.to_arrow())) == []


def test_every_refusal_is_json_with_its_status_and_lands_nothing(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    good = lines(0, 3)
    with serving(settings, tmp_path) as server:
        off = make_key(settings, "stream-off")
        cases: list[tuple[int, str, Callable[[], httpx.Response]]] = [
            (401, "wrong_key", lambda: server.push(good, authorization="")),
            (401, "wrong_key", lambda: server.push(good, authorization=server.key)),
            (401, "wrong_key", lambda: server.push(good, authorization=f"Bearer {server.key}x")),
            (401, "wrong_key", lambda: server.push(good, authorization=f"Bearer {off}")),
            (401, "wrong_key", lambda: server.push(good, source="nobody")),
            (403, "source_off", lambda: server.push(good, source="stream-off", authorization=f"Bearer {off}")),
            (404, "http_404", lambda: HTTP.post(f"{server.url}/v1/pull")),
            (405, "http_405", lambda: HTTP.get(f"{server.url}/v1/push/{SOURCE}")),
            (415, "wrong_type", lambda: server.push(good, content_type="application/json")),
            (415, "wrong_encoding", lambda: server.push(good, content_encoding="br")),
            (415, "wrong_encoding", lambda: server.push(good, content_encoding="gzip, gzip")),
            (400, "bad_batch_id", lambda: server.push(good, None)),
            (400, "bad_batch_id", lambda: server.push(good, "a b")),
            (400, "empty_batch", lambda: server.push(b"\n")),
            (400, "damaged_body", lambda: server.push(good, content_encoding="gzip")),
            (400, "damaged_body", lambda: server.push(gzip.compress(good)[:-5], content_encoding="gzip")),
            (413, "too_large", lambda: server.push(b"x" * (MAX_BODY_BYTES + 1))),
            (413, "too_large", lambda: server.push(gzip.compress(bytes(2**26)), content_encoding="gzip")),
            (413, "line_too_long", lambda: server.push(good + b"\n" + b"x" * 2**21)),
        ]
        for expected, code, ask in cases:
            answer = ask()
            assert (answer.status_code, answer.json()["error"]) == (expected, code), answer.text
            assert answer.json()["message"].endswith(".")
            assert server.key not in answer.text
        assert server.push(good + b"\n" + b"x" * 2**21).json()["line"] == 4
        revoke_keys(settings, SOURCE)
        assert server.push(good).status_code == 401
        assert len(landed(lake, "provider_push")) == 0
    said = server.output.read_text() + "".join(log(lake)["detail"].to_list())
    assert server.key not in said
    assert off not in said


def test_killed_at_any_moment_nothing_is_lost_or_doubled(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    bodies = {f"b-{n}": lines(100 * n, 100) for n in range(40)}
    chooser = random.Random(7)
    with serving(settings, tmp_path) as server:
        done = threading.Event()

        def kill_and_start() -> int:
            kills = 0
            while not done.is_set() and kills < 3:
                time.sleep(chooser.uniform(0.1, 1.2))
                server.process.kill()
                server.process.wait()
                kills += 1
                server.process = start(settings, settings.ports["push"], server.output)
                until_ready(server.url)
            return kills

        with ThreadPoolExecutor(9) as pool:
            killer = pool.submit(kill_and_start)
            sent = list(pool.map(lambda item: server.until_taken(item[1], item[0]), bodies.items()))
            done.set()
            assert killer.result() >= 2
        assert sum(sent) > len(bodies)  # some were under way when the server died
        for batch_id, body in bodies.items():
            assert server.push(body, batch_id).json()["repeated"]
    assert Counter(landed(lake, "provider_push")["payload"].to_list()) == wanted(bodies)


def test_a_store_that_restarts_under_load_costs_nothing(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    bodies = {f"b-{n}": lines(100 * n, 100) for n in range(40)}
    with serving(settings, tmp_path) as server, ThreadPoolExecutor(4) as pool:
        taken = [pool.submit(server.until_taken, body, batch_id) for batch_id, body in bodies.items()]
        while sum(one.done() for one in taken) < 8:
            time.sleep(0.05)
        _store(settings).kill()  # its supervisor starts it again
        assert all(one.result() >= 1 for one in taken)
    assert Counter(landed(lake, "provider_push")["payload"].to_list()) == wanted(bodies)


def _store(settings: Settings) -> psutil.Process:
    return psutil.Process(next(entry.pid for entry in status(settings) if entry.name == "store"))


def test_two_servers_on_one_lake_do_not_double(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    bodies = {f"b-{n}": lines(100 * n, 20) for n in range(20)}
    with serving(settings, tmp_path) as one, serving(settings, tmp_path, port="demo_city") as other, ThreadPoolExecutor(8) as pool:
        other.key = one.key = make_key(settings, SOURCE)
        sent = [pool.submit(server.until_taken, body, batch_id) for batch_id, body in bodies.items() for server in (one, other)]
        assert all(future.result() for future in sent)
        clash = [server.push(lines(0, 1, likes=number), "b-clash") for number, server in enumerate((one, other))]
        assert [answer.status_code for answer in clash] == [200, 409]
    rows = landed(lake, "provider_push")
    assert Counter(rows.filter(~pl.col("payload").bin.contains(b"likes"))["payload"].to_list()) == wanted(bodies)
    assert len(rows) == 401


def test_a_store_that_stands_still_makes_providers_wait_and_memory_does_not_grow(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    bodies = {f"b-{n}": lines(1000 * n, 1000) for n in range(24)}
    size = len(bodies["b-0"])
    with serving(settings, tmp_path, "--waiting-bytes", str(4 * size)) as server, ThreadPoolExecutor(24) as pool:
        store = _store(settings)
        store.suspend()
        try:
            answers = [pool.submit(server.push, body, batch_id) for batch_id, body in bodies.items()]
            while sum(one.done() for one in answers) < 16:
                time.sleep(0.05)
            refused = [one.result() for one in answers if one.done()]
        finally:
            store.resume()
        assert {answer.status_code for answer in refused} == {429}
        assert {answer.json()["error"] for answer in refused} == {"too_much_waiting"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert all(pool.map(lambda item: server.until_taken(item[1], item[0]), bodies.items()))
        # One batch always finds room, however large.
        large = lines(50_000, 8000)
        assert server.until_taken(large, "large") >= 1
    assert Counter(landed(lake, "provider_push")["payload"].to_list()) == wanted(bodies | {"large": large})


def test_a_provider_that_leaves_in_the_middle_is_no_fault(settings: Settings, lake: Lake, tmp_path: Path) -> None:
    body = lines(0, 10)

    def half() -> Iterator[bytes]:
        yield body[:50]
        raise OSError("gone")

    with serving(settings, tmp_path) as server:
        for _ in range(3):
            with pytest.raises((OSError, httpx.TransportError)):
                httpx.post(
                    f"{server.url}/v1/push/{SOURCE}",
                    content=half(),
                    headers={"authorization": f"Bearer {server.key}", "content-type": "application/x-ndjson", "lake-batch-id": "b-1"},
                    trust_env=False,
                )
        answer = server.push(body)
        assert (answer.status_code, answer.json()["repeated"]) == (200, False)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) in {0, -signal.SIGTERM}
    assert landed(lake, "provider_push")["payload"].to_list() == body.split(b"\n")


def lander(lake: Lake, days: float = 0) -> PushLander:
    return PushLander(lake, {"a": "one.example", "b": "one.example"}, lambda _: WHO, lambda: NOW + timedelta(days=days))


def test_a_batch_twice_in_one_group_lands_once(lake: Lake) -> None:
    batches = [
        read_batch("a", "1", lines(0, 2)),
        read_batch("a", "1", lines(0, 2)),
        read_batch("a", "1", lines(0, 3)),
        read_batch("b", "1", lines(5, 1)),
    ]
    answers = lander(lake).land(batches)
    assert [isinstance(one, Receipt) and one.is_repeated for one in answers] == [False, True, False, False]
    assert isinstance(answers[2], PushError)
    assert answers[2].status == 409
    assert len(landed(lake, "provider_push")) == 3


def test_a_kill_before_the_commit_loses_nothing_that_was_acknowledged(lake: Lake) -> None:
    with pytest.raises(KilledError):
        lander(Interrupted(lake.settings, kill)).land([read_batch("a", "1", lines(0, 2))])
    (answer,) = lander(lake).land([read_batch("a", "1", lines(0, 2))])
    assert isinstance(answer, Receipt)
    assert not answer.is_repeated


def test_a_commit_whose_answer_was_lost_is_found_again(lake: Lake) -> None:
    class Deaf(Lake):
        """Commits, and then hears nothing of it."""

        def append(self, *arguments: Any) -> int:
            super().append(*arguments)
            raise OSError("the connection was reset")

    batch, deaf = read_batch("a", "1", lines(0, 2)), Deaf(lake.settings)
    one = lander(deaf)
    with pytest.raises(OSError, match="reset"):
        one.land([batch])
    (answer,) = one.land([batch])
    assert isinstance(answer, Receipt)
    assert answer.is_repeated
    assert len(landed(lake, "provider_push")) == 2


@pytest.mark.parametrize("is_saved", [False, True])
def test_a_server_that_starts_knows_batches_and_days_of_undated_posts(lake: Lake, is_saved: bool) -> None:
    undated = b'{"id": "u", "text": "a"}'
    first = lander(lake)
    first.land([read_batch("a", "1", undated), read_batch("a", "2", lines(0, 1))])
    if is_saved:
        first.ledger.save(WHO, NOW)
        assert first.ledger.unsaved_versions == 0
    later = lander(lake, 2)
    answers = later.land([read_batch("a", "1", undated), read_batch("b", "1", undated.replace(b"}", b', "likes": 3}'))])
    assert [isinstance(one, Receipt) and one.is_repeated for one in answers] == [True, False]
    rows = landed(lake, "provider_push").filter(pl.col("native_id") == "u")
    assert rows["event_date"].n_unique() == 1
    assert rows["event_date_origin"].to_list() == ["fetched", "first_seen"]
    later.ledger.save(WHO, NOW + timedelta(days=2))
    assert len(lake.read("bronze.push_ledger", lake.open("bronze.push_ledger").file_uris())) == 3
    # Long after, the id is free again: what comes under it lands, and silver knows the posts as duplicates.
    (answer,) = lander(lake, BATCH_DAYS + 3).land([read_batch("a", "2", lines(0, 1))])
    assert isinstance(answer, Receipt)
    assert not answer.is_repeated


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster warns of its own names
def test_the_collecting_run_reports_the_days_that_were_pushed(settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_REGISTRY", str(settings.extra_registry[0]))
    lander(lake).land([read_batch(SOURCE, "1", lines(0, 2) + b"\n" + lines(2, 1, published_at="2026-01-02T08:00:00+07:00"))])
    report = TurnReport()
    with lake_instance(settings) as instance:
        collect(instance, report, ["provider_push"])
        left = days_left(instance, datetime.now(UTC))
    assert {day.isoformat() for day in left} == {"2026-01-05", "2026-01-02"}
    assert report.failed_attempts == []
    assert report.landed == {"provider_push": 3}
