"""Fetching against a server that misbehaves on the loopback address: what is taken, what is refused, how a host is treated."""

import random
import ssl
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze.fetching import Answer, Fetcher
from assets.bronze.fetching.client import Limits, _target
from assets.bronze.fetching.hosts import FAILURES_TO_OPEN, MAX_PAUSE_SECONDS, Hosts, backoff_seconds
from assets.bronze.fetching.robots import rules_of
from assets.bronze.fetching.safety import RefusedError, checked_url, is_public
from assets.bronze.fetching.unpacking import Unpacker, UnreadableError
from lake_config.registry import load_registry
from lake_config.settings import Settings, load_settings
from orchestration.services.certificates import ensure_certificates
from tests.misbehaving import FEED, LoopbackNames, MisbehavingServer

DEMO = load_registry().source("demo-saigon-sang")
PUBLIC = DEMO.model_copy(update={"allow_private": False})
NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUICK = Limits(whole=0.6, read=0.4, max_bytes=1_000_000, delay=0.0)


@pytest.fixture(scope="module")
def server() -> Iterator[MisbehavingServer]:
    served = MisbehavingServer()
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"LAKE_HOME": str(tmp_path), "LAKE_CONTACT": "https://hcmc.example"})


def at(server: MisbehavingServer, path: str, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.server_port}/{path}"


ANSWERS = [
    ("good", "ok", 200, None, None),
    ("zipped", "ok", 200, None, None),
    ("deflated", "ok", 200, None, None),
    ("raw-deflated", "ok", 200, None, None),
    ("elsewhere", "ok", 200, None, None),
    ("moved", "ok", 200, None, "moved_permanently"),
    ("404", "http_error", 404, "HTTP 404", None),
    ("410", "http_error", 410, "HTTP 410", "gone"),
    ("500", "http_error", 500, "HTTP 500", None),
    ("loop", "refused", None, "more than 5 redirects", None),
    ("nowhere", "refused", None, "is no address", None),
    ("downhill", "refused", None, "the scheme 'ftp' is not asked for", None),
    ("silent", "unreachable", None, "no answer in time", None),
    ("cut", "unreachable", None, "the body was cut off", None),
    ("garbage", "unreachable", None, "no whole answer", None),
    ("zip", "unreadable", None, "not the gzip that its headers say", None),
    ("cutzip", "unreadable", None, "the gzip body was cut off", None),
    ("brotli", "unreadable", None, "packed as 'br'", None),
    ("bomb", "refused", None, "body over 1000000 bytes when unpacked", None),
    ("drip", "refused", None, "the whole answer took longer than 0.6 s", None),
]


@pytest.mark.parametrize(("path", "outcome", "status", "detail", "finding"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_whatever_a_host_does_is_an_answer(
    server: MisbehavingServer, settings: Settings, path: str, outcome: str, status: int | None, detail: str | None, finding: str | None
) -> None:
    with Fetcher(settings, limits=QUICK) as fetcher:
        answer = fetcher.get(DEMO, at(server, path))
    assert (answer.outcome, answer.status, answer.finding) == (outcome, status, finding)
    assert (answer.detail is None) == (detail is None)
    assert detail is None or detail in str(answer.detail)
    assert outcome != "ok" or answer.body == FEED


def test_requests_say_who_asks_and_keep_no_cookie(server: MisbehavingServer, settings: Settings) -> None:
    server.asked.clear()
    with Fetcher(settings, limits=QUICK) as fetcher:
        for path in ("cookie", "good?token=secret"):
            fetcher.get(DEMO, at(server, path), headers={"If-None-Match": '"a"'})
    sent = [headers for path, headers in server.asked if path != "/robots.txt"]
    assert [headers["User-Agent"] for headers in sent] == ["LangNghe/1.0 (+https://hcmc.example)"] * 2
    assert not any("Cookie" in headers for headers in sent)
    assert [headers.get("If-None-Match") for headers in sent] == ['"a"'] * 2


def test_a_query_never_comes_into_what_is_said(settings: Settings) -> None:
    urls = ["http://127.0.0.1:9/?token=hush", "http://no-such-host.invalid/?token=hush", "http://[/?token=hush", "http://hush:hush@a.vn/"]
    with Fetcher(settings, limits=QUICK) as fetcher:
        answers = [fetcher.get(DEMO, url) for url in urls]
    assert [answer.outcome for answer in answers] == ["unreachable", "unreachable", "refused", "refused"]
    assert not any("hush" in str(answer.detail) for answer in answers)


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1", "255.255.255.255",
    "192.0.0.8", "198.18.0.1", "::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "::127.0.0.1", "2001:db8::1", "none",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_no_public_host(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_addresses_of_public_hosts(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.vn/", "gopher://a.vn", "http://", "http:///x", "http://a b/", "http://a.vn:99999/"]
)
def test_what_is_no_address_to_ask(url: str) -> None:
    with pytest.raises(RefusedError):
        checked_url(url, allow_private=True)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        assert checked_url(text, allow_private=False) == checked_url(text, allow_private=True)
    except RefusedError:
        return


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "rebinding.example"])
def test_a_public_source_does_not_lead_into_the_own_network(server: MisbehavingServer, settings: Settings, host: str) -> None:
    resolver = LoopbackNames() if host.endswith(".example") else None
    server.asked.clear()
    with Fetcher(settings, limits=QUICK, resolver=resolver) as fetcher:
        answer = fetcher.get(PUBLIC, at(server, "good", host))
    assert (answer.outcome, server.asked) == ("refused", [])
    assert "is not a public address" in str(answer.detail) or "is an IP address in disguise" in str(answer.detail)


def test_a_connection_to_a_private_address_serves_no_public_source(server: MisbehavingServer, settings: Settings) -> None:
    with Fetcher(settings, limits=QUICK, resolver=LoopbackNames()) as fetcher:
        outcomes = [fetcher.get(source, at(server, "good", "city.example")).outcome for source in (DEMO, PUBLIC, DEMO)]
    assert outcomes == ["ok", "refused", "ok"]


def test_a_redirect_to_another_host_is_a_finding_and_takes_no_header_along(settings: Settings) -> None:
    with MisbehavingServer() as other, MisbehavingServer() as first:
        first.answers["away"] = {"code": 302, "Location": at(other, "good", "elsewhere.example")}
        for served in (first, other):
            threading.Thread(target=served.serve_forever).start()
        with Fetcher(settings, limits=QUICK, resolver=LoopbackNames()) as fetcher:
            answer = fetcher.get(DEMO, at(first, "away", "here.example"), headers={"Authorization": "Bearer x"})
        assert (answer.outcome, answer.finding, answer.body) == ("ok", "moved_host", FEED)
        assert "Authorization" in dict(first.asked)["/away"]
        assert "Authorization" not in dict(other.asked)["/good"]
        first.shutdown()
        other.shutdown()


def test_a_host_that_cannot_prove_who_it_is_is_not_read(settings: Settings) -> None:
    with MisbehavingServer() as served:
        folder = ensure_certificates(settings)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "node.crt", folder / "node.key")
        served.socket = context.wrap_socket(served.socket, server_side=True)
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        with Fetcher(settings, limits=QUICK, polite=False, resolver=LoopbackNames()) as fetcher:
            answer = fetcher.get(DEMO, at(served, "good", "paper.example").replace("http:", "https:"))
        served.shutdown()
        thread.join()
    assert (answer.outcome, answer.detail, served.asked) == ("unreachable", "its certificate does not prove who it is", [])


def test_a_redirect_out_of_https_is_not_followed() -> None:
    with pytest.raises(RefusedError, match="from https to http"):
        _target("https://a.vn/rss", "http://a.vn/rss", "a.vn", allow_private=False)


# Politeness


def test_a_host_is_asked_one_thing_at_a_time_with_its_pause_between(server: MisbehavingServer, settings: Settings) -> None:
    server.asked.clear()
    server.times.clear()
    with Fetcher(settings, limits=Limits(delay=0.15)) as fetcher:
        threads = [threading.Thread(target=fetcher.get, args=(DEMO, at(server, "good"))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [path for path, _ in server.asked] == ["/robots.txt", *["/good"] * 4]
    assert min(later - sooner for sooner, later in zip(server.times, server.times[1:], strict=False)) >= 0.14


ROBOTS = "User-agent: *\nDisallow: /private\nCrawl-delay: 0.02\n\nUser-agent: LangNghe\nDisallow: /go*d\nCrawl-delay: 900\n"


def test_robots_txt_is_obeyed_and_asked_for_once(settings: Settings) -> None:
    with MisbehavingServer() as served:
        served.answers["robots.txt"] = {"body": ROBOTS.encode()}
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        with Fetcher(settings, limits=QUICK) as fetcher:
            refused = [fetcher.get(DEMO, at(served, "good")) for _ in range(2)]
            known = fetcher.client.robots.state()
        with Fetcher(settings, limits=QUICK) as fetcher:
            fetcher.client.robots.restore(known)
            refused.append(fetcher.get(DEMO, at(served, "good")))
            interface = Fetcher(settings, polite=False, limits=QUICK)
            with interface:
                asked = interface.get(DEMO, at(served, "good"))
        served.shutdown()
        thread.join()
    assert {(answer.outcome, answer.finding) for answer in refused} == {("refused", "robots_disallow")}
    assert asked.outcome == "ok"
    assert [path for path, _ in served.asked] == ["/robots.txt", "/good"]


def robots(outcome: str, status: int | None = None, body: bytes = b"") -> Answer:
    return Answer(outcome, NOW, status, body=body)


def test_what_a_missing_robots_txt_means() -> None:
    assert rules_of(robots("http_error", 404)).allows("http://a.vn/x")
    assert rules_of(robots("ok", 200, b"<html>Trang chu</html>")).allows("http://a.vn/x")
    for answer in (robots("http_error", 503), robots("http_error", 429), robots("unreachable")):
        rules = rules_of(answer)
        assert not rules.allows("http://a.vn/x")
        assert rules.until == NOW + timedelta(minutes=30)
    stated = rules_of(robots("ok", 200, ROBOTS.encode()))
    assert (stated.delay, stated.allows("http://a.vn/good"), stated.allows("http://a.vn/private")) == (60.0, False, True)


def test_a_host_that_wishes_to_be_left_alone_is(server: MisbehavingServer, settings: Settings) -> None:
    server.asked.clear()
    moment = [NOW]
    with Fetcher(settings, limits=QUICK, clock=lambda: moment[0]) as fetcher:
        first = fetcher.get(DEMO, at(server, "busy"))
        second = fetcher.get(DEMO, at(server, "good"))
        moment[0] = NOW + timedelta(seconds=121)
        third = fetcher.get(DEMO, at(server, "good"))
    assert (first.outcome, first.status, first.retry_after) == ("http_error", 429, 120.0)
    assert (second.outcome, second.retry_after) == ("postponed", 120.0)
    assert third.outcome == "ok"
    assert [path for path, _ in server.asked] == ["/robots.txt", "/busy", "/good"]


def failed(seconds: float) -> Answer:
    return Answer("unreachable", NOW + timedelta(seconds=seconds))


def test_a_circuit_opens_after_failures_tries_once_and_closes_on_an_answer() -> None:
    hosts = Hosts(random.Random(1))
    for number in range(FAILURES_TO_OPEN - 1):
        hosts.heard("a.vn", failed(number))
    assert hosts.closed_until("a.vn", NOW) is None
    hosts.heard("a.vn", failed(10))
    until = hosts.closed_until("a.vn", NOW + timedelta(seconds=10))
    assert until is not None
    assert timedelta(seconds=30) <= until - (NOW + timedelta(seconds=10)) <= timedelta(seconds=60)
    assert hosts.closed_until("b.vn", NOW) is None
    later = Hosts(random.Random(2))
    later.restore(hosts.state())
    assert later.closed_until("a.vn", NOW + timedelta(seconds=10)) == until
    assert later.closed_until("a.vn", until) is None
    later.heard("a.vn", failed(100))
    again = later.closed_until("a.vn", NOW + timedelta(seconds=100))
    assert again is not None
    assert again - NOW - timedelta(seconds=100) >= timedelta(seconds=60)
    later.heard("a.vn", Answer("refused", NOW))
    assert later.state()["a.vn"][0] == FAILURES_TO_OPEN + 1
    later.heard("a.vn", Answer("http_error", NOW, 404))
    assert later.state() == {}


@given(st.integers(1, 10_000), st.integers(0, 1000))
def test_pauses_grow_with_jitter_and_are_bounded(failures: int, seed: int) -> None:
    pause = backoff_seconds(failures, 60, MAX_PAUSE_SECONDS, random.Random(seed))
    assert 30 <= pause <= MAX_PAUSE_SECONDS
    assert pause >= min(MAX_PAUSE_SECONDS, 60 * 2 ** min(failures - 1, 30)) / 2


# Unpacking


@given(st.binary(max_size=300), st.integers(1, 50), st.sampled_from(["gzip", "deflate", ""]))
def test_any_bytes_unpack_or_are_refused(noise: bytes, size: int, coding: str) -> None:
    unpacker = Unpacker(coding, 1000)
    try:
        for start in range(0, len(noise), size):
            unpacker.feed(noise[start : start + size])
        assert coding or unpacker.body() == noise
    except UnreadableError:
        assert coding


def test_a_bomb_is_stopped_by_its_ratio_before_its_size() -> None:
    unpacker = Unpacker("deflate", 100_000_000)
    with pytest.raises(RefusedError, match="more than 100 times its size"):
        unpacker.feed(zlib.compress(b" " * 50_000_000))
