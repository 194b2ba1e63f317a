"""The demo city's Graph and YouTube interfaces and its fault switches, over HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from orchestration.demo_city import City, generate
from orchestration.demo_city.api_data import CHANNELS, PAGES, page_holdings, video_holdings
from orchestration.demo_city.graph import TOKEN
from orchestration.demo_city.server import DemoCityServer
from orchestration.demo_city.youtube import KEY

PAGE = next(iter(PAGES))
POSTS = f"/graph/v23.0/{PAGE}/posts"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
API_KEY = {"X-Goog-Api-Key": KEY}


@pytest.fixture(scope="module")
def city() -> City:
    return generate(scale=0.05)


@pytest.fixture
def server(city: City) -> Iterator[DemoCityServer]:
    with DemoCityServer(city) as running:
        yield running


@pytest.fixture
def http(server: DemoCityServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, trust_env=False) as client:
        yield client


def error_of(answer: httpx.Response) -> tuple[int, int | None, str]:
    error = answer.json()["error"]
    return error["code"], error.get("error_subcode"), error["type"]


def graph_all(http: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    """Every row of an edge, by cursors."""
    rows: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        value = http.get(path, params={**query, **after}, headers=BEARER).raise_for_status().json()
        rows += value["data"]
        if "next" not in value.get("paging", {}):
            return rows
        after = {"after": value["paging"]["cursors"]["after"]}


def test_a_page_gives_every_post_once_newest_first(http: httpx.Client, city: City) -> None:
    expected = [entry.id for entry in page_holdings(city, 1).posts(PAGE)]
    assert len(expected) > 10
    assert [row["id"] for row in graph_all(http, POSTS, limit=3, fields="id")] == expected
    assert [row["id"] for row in graph_all(http, POSTS, limit=100)] == expected


def test_next_links_lead_on_with_the_callers_token(http: httpx.Client) -> None:
    first = http.get(POSTS, params={"limit": 4, "access_token": TOKEN}).json()
    second = httpx.get(first["paging"]["next"], trust_env=False).json()
    assert not {row["id"] for row in first["data"]} & {row["id"] for row in second["data"]}
    assert len(second["data"]) == 4


def test_since_and_until_bound_the_posts(http: httpx.Client, city: City) -> None:
    posts = page_holdings(city, 1).posts(PAGE)
    middle = int(posts[5].version.published.timestamp())
    newer = graph_all(http, POSTS, since=middle, limit=100)
    older = graph_all(http, POSTS, until=middle - 1, limit=100)
    assert posts[5].id in {row["id"] for row in newer}
    assert len(newer) + len(older) == len(posts)


def test_fields_are_those_asked_for_and_unknown_ones_are_refused(http: httpx.Client) -> None:
    fields = "id,message,reactions.summary(total_count).limit(0),from{id}"
    row = graph_all(http, POSTS, fields=fields, limit=100)[0]
    assert set(row) == {"id", "message", "reactions", "from"}
    assert set(row["from"]) == {"id"}
    assert isinstance(row["reactions"]["summary"]["total_count"], int)
    refused = http.get(POSTS, params={"fields": "id,likes_of_all"}, headers=BEARER)
    assert (refused.status_code, error_of(refused)) == (400, (100, None, "OAuthException"))


def test_comments_and_replies_flat_or_level_by_level(http: httpx.Client, city: City) -> None:
    holdings = page_holdings(city, 1)
    reply = next(entry for entry in holdings.entries.values() if entry.is_reply)
    top = {entry.id for entry in holdings.comments(reply.root)}
    every = {entry.id for entry in holdings.below(reply.root)}
    path = f"/graph/v23.0/{reply.root}/comments"
    flat = graph_all(http, path, filter="stream", fields="id,parent,message", limit=2)
    assert {row["id"] for row in flat} == every > top
    assert next(row for row in flat if row["id"] == reply.id)["parent"]["id"] == reply.parent
    assert {row["id"] for row in graph_all(http, path, limit=2)} == top
    assert reply.id in {row["id"] for row in graph_all(http, f"/graph/v23.0/{reply.parent}/comments")}


@pytest.mark.parametrize(
    ("path", "headers", "status", "expected"),
    [
        (POSTS, {}, 400, (104, None, "OAuthException")),
        (POSTS, {"Authorization": "Bearer wrong"}, 400, (190, None, "OAuthException")),
        (POSTS, {"Authorization": "Bearer expired-1"}, 400, (190, 463, "OAuthException")),
        ("/graph/v23.0/999/posts", BEARER, 400, (100, 33, "GraphMethodException")),
        ("/graph/v23.0/no-such-page/posts", BEARER, 404, (803, None, "OAuthException")),
        ("/graph/23/1/posts", BEARER, 400, (2500, None, "OAuthException")),
        (POSTS + "?after=none", BEARER, 400, (100, None, "OAuthException")),
        (POSTS + "?limit=1000", BEARER, 400, (100, None, "OAuthException")),
    ],
)
def test_graph_errors(http: httpx.Client, path: str, headers: dict[str, str], status: int, expected: tuple[int, int | None, str]) -> None:
    answer = http.get(path, headers=headers)
    assert (answer.status_code, error_of(answer)) == (status, expected)
    assert answer.json()["error"]["fbtrace_id"]


def test_usage_rises_to_the_limit_and_then_error_4(http: httpx.Client) -> None:
    http.post("/_control/apis", json={"hourly_calls": 4}).raise_for_status()
    seen = []
    for _ in range(5):
        answer = http.get(POSTS, headers=BEARER)
        seen.append((answer.status_code, json.loads(answer.headers["X-App-Usage"])["call_count"]))
    assert seen == [(200, 25), (200, 50), (200, 75), (200, 100), (403, 100)]
    assert error_of(answer)[0] == 4
    case = json.loads(answer.headers["X-Business-Use-Case-Usage"])[PAGE][0]
    assert case["estimated_time_to_regain_access"] > 0


def test_what_the_platform_removed_is_no_longer_there(http: httpx.Client, server: DemoCityServer, city: City) -> None:
    post = page_holdings(city, 1).posts(PAGE)[0]
    http.post("/_control/apis", json={"gone": [post.id]}).raise_for_status()
    assert error_of(http.get(f"/graph/v23.0/{post.id}", headers=BEARER)) == (100, 33, "GraphMethodException")
    assert post.id not in {row["id"] for row in graph_all(http, POSTS)}
    assert not any(entry.root == post.id for entry in server.apis.holdings("graph", 1).entries.values())


def test_from_a_channel_to_its_replies(http: httpx.Client, city: City) -> None:
    holdings, found, units = video_holdings(city, 1), set(), 0

    def every(resource: str, **query: Any) -> list[dict[str, Any]]:
        nonlocal units
        rows: list[dict[str, Any]] = []
        while True:
            value = http.get(f"/youtube/v3/{resource}", params=query, headers=API_KEY).raise_for_status().json()
            units += 1
            rows += value["items"]
            if "nextPageToken" not in value:
                assert "etag" in value
                return rows
            query["pageToken"] = value["nextPageToken"]

    for channel in CHANNELS:
        uploads = every("channels", part="contentDetails", id=channel)[0]["contentDetails"]["relatedPlaylists"]["uploads"]
        videos = [
            row["contentDetails"]["videoId"] for row in every("playlistItems", part="contentDetails", playlistId=uploads, maxResults=3)
        ]
        assert videos == [entry.id for entry in holdings.posts(channel)]
        found |= {row["id"] for row in every("videos", part="snippet,statistics", id=",".join(videos))}
        for video in videos:
            for thread in every("commentThreads", part="snippet,replies", videoId=video, maxResults=5):
                found.add(thread["snippet"]["topLevelComment"]["id"])
                if thread["snippet"]["totalReplyCount"]:
                    replies = every("comments", part="snippet", parentId=thread["id"], maxResults=2)
                    assert len(replies) == thread["snippet"]["totalReplyCount"]
                    found |= {row["id"] for row in replies}
    assert found == set(holdings.entries)
    assert sum(row["units"] for row in http.get("/_control/apis").json()["calls"]) == units


def test_youtube_errors_and_quota(http: httpx.Client, city: City) -> None:
    video = next(entry.id for entry in video_holdings(city, 1).entries.values() if entry.parent is None)
    http.post("/_control/apis", json={"daily_units": 6, "without_comments": [video]}).raise_for_status()
    threads = {"part": "snippet", "videoId": video}

    def reason(resource: str, headers: dict[str, str] = API_KEY, **query: str) -> tuple[int, str]:
        answer = http.get(f"/youtube/v3/{resource}", params=query, headers=headers)
        return answer.status_code, answer.json()["error"]["errors"][0]["reason"]

    playlist = {"part": "contentDetails", "playlistId": "UU" + next(iter(CHANNELS))[2:]}
    assert reason("commentThreads", **threads) == (403, "commentsDisabled")
    assert reason("commentThreads", part="snippet", videoId="nosuchvideo") == (404, "videoNotFound")
    assert reason("playlistItems", **playlist, pageToken="Qnone") == (400, "invalidPageToken")
    assert reason("channels", {}, part="id") == (403, "forbidden")
    assert reason("channels", {"X-Goog-Api-Key": "wrong"}, part="id") == (400, "badRequest")
    assert http.get("/youtube/v3/channels", params={"part": "id", "id": "UCnone"}, headers=API_KEY).json()["items"] == []
    assert reason("channels", part="id") == (403, "quotaExceeded")
    assert [row["units"] for row in http.get("/_control/apis").json()["calls"]] == [1] * 6 + [0]


def test_no_log_holds_the_token_or_the_key(http: httpx.Client) -> None:
    http.get(POSTS, params={"access_token": TOKEN, "limit": 1})
    http.get("/youtube/v3/channels", params={"part": "id", "key": KEY})
    http.get("/sites/none/rss.xml", params={"access_token": TOKEN})
    logs = http.get("/_control/apis").text + http.get("/_control/served").text
    assert "limit=1" in logs
    assert TOKEN not in logs
    assert KEY not in logs


@pytest.mark.parametrize("kind", ["401", "403", "404", "410", "429", "500"])
def test_a_status_switch_counts_down(http: httpx.Client, kind: str) -> None:
    http.post("/_control/faults", json={"faults": [{"path": "/graph/", "kind": kind, "times": 2, "skip": 1, "retry_after": 7}]})
    answers = [http.get(POSTS, headers=BEARER) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, int(kind), int(kind), 200]
    assert answers[1].headers["Retry-After"] == "7"


def test_switches_for_bodies(http: httpx.Client, server: DemoCityServer) -> None:
    plain = http.get(POSTS, headers=BEARER)

    def under(kind: str, path: str = "/graph/", **more: Any) -> httpx.Response:
        http.post("/_control/faults", json={"faults": [{"path": path, "kind": kind, **more}]}).raise_for_status()
        return http.get(POSTS, headers=BEARER)

    zipped = under("gzip")
    assert (zipped.headers["Content-Encoding"], zipped.json()) == ("gzip", plain.json())
    assert under("wrong_type").headers["Content-Type"] == "image/png"
    assert under("html").headers["Content-Type"].startswith("text/html")
    assert under("slow", seconds=0.05).json() == plain.json()
    assert error_of(under("graph_error", code=613)) == (613, None, "OAuthException")
    with pytest.raises(httpx.RemoteProtocolError):
        under("truncated")
    with pytest.raises(httpx.DecodingError):
        under("bad_gzip")
    http.post("/_control/faults", json={"faults": [{"path": "/sites/", "kind": "500", "times": 1}]}).raise_for_status()
    feed = f"/sites/{server.city.sites[0].slug}/rss.xml"
    assert [http.get(feed).status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_control/faults", {"faults": [{"path": "/", "kind": "no such"}]}),
        ("/_control/faults", {"faults": [{"kind": "500", "colour": 1}]}),
        ("/_control/faults", {"faults": 3}),
        ("/_control/faults", {"faults": [3]}),
        ("/_control/apis", {"daily_unit": 3}),
        ("/_control/apis", [1]),
        ("/_control/apis", {"gone": 3}),
    ],
)
def test_a_switch_that_cannot_be_read_is_refused(http: httpx.Client, path: str, body: Any) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_rounds_edit_and_add_and_never_move(city: City) -> None:
    for holdings in (page_holdings, video_holdings):
        before, after = holdings(city, 1).entries, holdings(city, 3).entries
        assert set(before) < set(after)
        assert all(after[name].parent == entry.parent for name, entry in before.items())
    edited = [name for name, entry in video_holdings(city, 3).entries.items() if entry.changed != entry.version.published]
    assert edited
