"""The demo city over HTTP: feeds that a reader parses, conditional GET, rounds, files, wrong bytes, and the server's life."""

import hashlib
import socket
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from html import unescape
from re import sub

import feedparser
import httpx
import pytest

from lake_config.errors import ServiceError
from orchestration.demo_city import City, generate
from orchestration.demo_city.corpus import load_corpus
from orchestration.demo_city.feeds import UNREADABLE, encode_1258
from orchestration.demo_city.server import DemoCityServer, main

SLUGS = [site.slug for site in load_corpus().sites]


@pytest.fixture(scope="module")
def city() -> City:
    return generate(scale=0.2)


@pytest.fixture
def server(city: City) -> Iterator[DemoCityServer]:
    with DemoCityServer(city) as running:
        yield running


@pytest.fixture
def client(server: DemoCityServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url) as client:
        yield client


def _words(html: str) -> str:
    return " ".join(unescape(sub(r"<[^>]*>", " ", html)).split())


@pytest.mark.parametrize("form", ["rss", "atom"])
@pytest.mark.parametrize("slug", SLUGS)
def test_feeds_parse(city: City, client: httpx.Client, slug: str, form: str) -> None:
    answer = client.get(f"/sites/{slug}/{form}.xml")
    site = next(site for site in city.sites if site.slug == slug)
    encoding = "utf-8" if site.charset == "utf-8" else "windows-1258"
    text = unicodedata.normalize("NFC", answer.content.decode(encoding, errors="replace"))
    feed = feedparser.parse(text.replace('encoding="UTF-8"', ""), sanitize_html=False)
    assert not feed.bozo
    assert feed.version == {"rss": "rss20", "atom": "atom10"}[form]
    expected = city.feed_entries(slug, 1)
    assert [entry.id for entry in feed.entries] == [v.native_id for v in expected]
    for entry, version in zip(feed.entries, expected, strict=True):
        assert entry.title == version.title
        assert entry.author == version.author
        if not version.tags & {"html", "script", "broken_bytes"}:
            assert _words(entry.summary) == version.text
        assert ("published" in entry) == (version.stamp != "missing")
        if version.event_date is not None:
            assert entry.published_parsed is not None
            page = client.get(entry.link)
            assert page.status_code == 200
            break


def test_conditional_get(client: httpx.Client, server: DemoCityServer) -> None:
    slug = next(v.platform for v in server.city.versions if v.connector == "news_feeds" and v.release_round == 2).removesuffix(".demo")
    path = f"/sites/{slug}/rss.xml"
    first = client.get(path)
    etag, changed = first.headers["etag"], first.headers["last-modified"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert client.get(path, headers={"If-None-Match": f'"x", {etag}'}).status_code == 304
    assert client.get(path, headers={"If-Modified-Since": changed}).status_code == 304
    assert client.get(path, headers={"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}).status_code == 200
    assert client.get(path, headers={"If-Modified-Since": "hôm qua".encode()}).status_code == 200
    assert client.get(path, headers={"If-None-Match": '"x"', "If-Modified-Since": changed}).status_code == 200
    server.set_round(2)
    later = client.get(path, headers={"If-None-Match": etag})
    assert later.status_code == 200
    assert later.headers["etag"] != etag
    assert client.get(path, headers={"If-Modified-Since": changed}).status_code == 200
    log = client.get("/_control/served").json()
    assert [row["status"] for row in log][:3] == [200, 304, 304]
    assert log[0]["items"] == len(server.city.feed_entries(slug, 1))


def test_a_quiet_site_stays_unchanged(client: httpx.Client, server: DemoCityServer) -> None:
    etag = client.get("/sites/suc-khoe-pho/atom.xml").headers["etag"]
    for round_ in (2, 3):
        server.set_round(round_)
        assert client.get("/sites/suc-khoe-pho/atom.xml", headers={"If-None-Match": etag}).status_code == 304


def test_wrong_bytes(city: City, client: httpx.Client, server: DemoCityServer) -> None:
    foreign = client.get("/sites/tin-nhanh-phuong-nam/rss.xml")
    assert b'encoding="UTF-8"' in foreign.content
    with pytest.raises(UnicodeDecodeError):
        foreign.content.decode()
    title = city.feed_entries("tin-nhanh-phuong-nam", 1)[0].title
    assert title is not None
    assert title in unicodedata.normalize("NFC", foreign.content.decode("cp1258"))
    for form in ("rss", "atom"):
        broken = client.get(f"/sites/thanh-pho-24h/{form}.xml").content.decode(errors="replace")
        assert broken.count("\ufffd") == 1
    server.set_round(2)
    unreadable = client.get("/sites/tong-hop-tin-tp/atom.xml")
    assert (unreadable.status_code, unreadable.content) == (200, UNREADABLE)
    assert feedparser.parse(unreadable.content).entries == []
    server.set_round(3)
    assert feedparser.parse(client.get("/sites/tong-hop-tin-tp/atom.xml").content).entries


def test_windows_1258_round_trip() -> None:
    text = "Đường Nguyễn Hữu Cảnh ngập tới đầu gối, ướt hết trơn “trời ơi” ỡ ự ẫ ỵ"
    assert unicodedata.normalize("NFC", encode_1258(text).decode("cp1258")) == text
    assert encode_1258("vui 😍") == b"vui &#128525;"


def test_rounds_and_files(city: City, client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "round": 1}
    counts = []
    for round_ in (1, 2, 3):
        assert client.post("/_control/round", json={"round": round_}).json() == {"round": round_}
        files = client.get("/exports/index.json").json()["files"]
        counts.append(len(files))
        for row in files:
            body = client.get(f"/exports/{row['name']}").content
            assert (len(body), hashlib.sha256(body).hexdigest()) == (row["bytes"], row["sha256"])
            assert body.count(b"\n") == len(next(f for f in city.files if f"{f.name}.jsonl" == row["name"]).lines)
    assert counts == [12, 15, 19]


@pytest.mark.parametrize("body", [b'{"round": 9}', b'{"round": true}', b"{}", b"[]", b"2x", b"\xff"])
def test_a_bad_round_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/_control/round", content=body)
    assert answer.status_code == 400
    assert "round" in answer.json()["error"]
    assert client.get("/healthz").json()["round"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sites/none/rss.xml",
        "/sites/saigon-sang/articles/none.html",
        "/sites/none/articles/1.html",
        "/exports/none.jsonl",
        "/exports/demo-video-dot2-01.jsonl",
    ],
)
def test_nothing_there(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_head_and_unknown_post(client: httpx.Client) -> None:
    head = client.head("/sites/saigon-sang/rss.xml")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 1000
    assert client.post("/elsewhere", json={}).status_code == 404


def test_truth_is_served(city: City, client: httpx.Client) -> None:
    truth = client.get("/_control/truth").json()
    assert truth["account"]["exports"]["kept"] == city.expected_kept("exports", 1)
    assert len(truth["rows"]) == len(city.truth_at(1))


def test_the_address_is_loopback_and_a_taken_port_is_named(city: City) -> None:
    with DemoCityServer(city) as server:
        assert server.base_url.startswith("http://127.0.0.1:")
        with pytest.raises(ServiceError, match=f"port {server.port} "):
            DemoCityServer(city, port=server.port)
        port = server.port
    with DemoCityServer(city, port=port) as again:
        assert again.port == port


def test_stop_does_not_wait_for_idle_connections(city: City) -> None:
    server = DemoCityServer(city).start()
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        server.stop()


def test_the_command_serves_until_sigterm() -> None:
    command = [sys.executable, "-m", "orchestration.demo_city.server", "--port", "0", "--scale", "0.05", "--round", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().split()[3]
        assert httpx.get(f"{base_url}/healthz").json()["round"] == 2
        process.terminate()
        assert process.wait(10) == 0


def test_the_command_names_a_taken_port(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--scale", "0.05"]) == 1
    assert f"port {port} " in capsys.readouterr().err
