"""The pure parts of the platform connectors: cutting JSON, understanding answers, limits, windows, quota days, payloads."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze import graph_api, youtube_api
from assets.bronze.graph_api import PageAddress, delay_seconds, must_pause, plan_windows, usage
from assets.bronze.json_parts import elements, member
from assets.bronze.quota import BLOCK_UNITS, block_sizes, next_reset, quota_day
from assets.bronze.youtube_api import ChannelAddress, thread_of
from assets.silver.parse import Parsed, Refused, parse_all
from quality.rejects import Reason

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.lists(JSON, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_parts_are_cut_out_as_they_stand(other: Any, rows: list[Any], indent: Any) -> None:
    text = json.dumps({"a": other, "data": rows, "z": other}, indent=indent, ensure_ascii=False)
    found = elements(member(text, "data"))
    assert [json.loads(part) for part in found] == rows
    assert all(part in text and part == part.strip() for part in found)


def test_a_part_keeps_its_escapes_numbers_and_spaces() -> None:
    row = '{"id" : "1",  "message":"\\u0110\\u1eb9p \\/ qu\\u00e1", "n": 1.50e2 }'
    assert elements(member('{"x":[{}], "data" : [ ' + row + " ,7 ] }", "data")) == [row, "7"]
    assert member('{"a":{"b":{"c": [1 , 2]}}}', "a", "b", "c") == "[1 , 2]"
    assert member('{"a":1,"a":2}', "a") == "2"


@pytest.mark.parametrize("text", ["[]", "3", '{"b":1}', "{}", '{"data":{"x":1}}'])
def test_where_there_is_no_such_part_there_are_no_elements(text: str) -> None:
    assert elements(member(text, "data")) == []


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b'{"data": []}', "ok"),
        (200, b'{"data": [', "unreadable"),
        (200, b"<html></html>", "unreadable"),
        (200, b"[]", "unreadable"),
        (200, b'{"data": {}}', "unreadable"),
        (200, b"\xff\xfe", "unreadable"),
        (200, b"[" * 100_000, "unreadable"),
        (400, b'{"error": {"code": 190, "error_subcode": 463, "type": "OAuthException", "message": "expired"}}', "credentials"),
        (403, b'{"error": {"code": 4}}', "rate"),
        (400, b'{"error": {"code": 17}}', "rate"),
        (400, b'{"error": {"code": 32}}', "rate"),
        (400, b'{"error": {"code": 613}}', "rate"),
        (400, b'{"error": {"code": 80001}}', "rate"),
        (400, b'{"error": {"code": 100, "message": "(#100) Tried accessing nonexisting field (x)"}}', "bad_request"),
        (400, b'{"error": {"code": 100, "error_subcode": 33}}', "gone"),
        (404, b'{"error": {"code": 803}}', "gone"),
        (403, b'{"error": {"code": 10}}', "permission"),
        (403, b'{"error": {"code": 200}}', "permission"),
        (500, b'{"error": {"code": 1}}', "fault"),
        (503, b'{"error": {"code": 2, "is_transient": true}}', "fault"),
        (400, b'{"error": {"code": "x"}}', "bad_request"),
        (401, b"", "credentials"),
        (403, b"", "permission"),
        (404, b"", "gone"),
        (410, b"{}", "gone"),
        (429, b"", "rate"),
        (500, b"oops", "fault"),
        (None, b"", "fault"),
    ],
)
def test_what_a_graph_answer_means(status: int | None, body: bytes, verdict: str) -> None:
    assert graph_api.read(status, body).verdict == verdict


def test_paging_goes_on_only_where_the_answer_says_next() -> None:
    paging = {"cursors": {"before": "b", "after": "a"}}
    assert graph_api.read(200, json.dumps({"data": [1], "paging": paging}).encode()).after is None
    assert graph_api.read(200, json.dumps({"data": [1], "paging": {**paging, "next": "https://x"}}).encode()).after == "a"
    for odd in (None, 3, {"next": "x"}, {"next": "x", "cursors": 3}, {"next": "x", "cursors": {"after": 3}}):
        assert graph_api.read(200, json.dumps({"data": [], "paging": odd}).encode()).after is None


def test_the_highest_counter_decides_and_the_platform_says_how_long() -> None:
    case = {"type": "pages", "call_count": 20, "total_cputime": 91, "total_time": 4, "estimated_time_to_regain_access": 12}
    headers = {
        "X-App-Usage": '{"call_count":28,"total_time":25,"total_cputime":25}',
        "x-business-use-case-usage": json.dumps({"1": [case]}),
    }
    assert usage(headers) == (91, 12)
    assert usage({"X-App-Usage": "no json"}) == (0, 0)
    assert usage({"X-App-Usage": '[1, "x"]', "X-Page-Usage": '{"call_count": "x"}'}) == (0, 0)
    assert usage({}) == (0, 0)


def test_it_slows_down_before_the_limit_and_stops_near_it() -> None:
    delays = [delay_seconds(percent) for percent in range(0, 101, 10)]
    assert delays == sorted(delays)
    assert delays[:6] == [0.0] * 6
    assert delays[6] > 0
    assert [must_pause(percent, is_refused=False) for percent in (0, 79, 80, 100)] == [False, False, True, True]
    assert must_pause(0, is_refused=True)


def test_windows_cover_what_is_left_and_nothing_twice() -> None:
    assert plan_windows([], None, 100) == [[0, None]]
    assert plan_windows([], 1000, 100) == [[900, None]]
    assert plan_windows([], 50, 100) == [[0, None]]
    assert plan_windows([[0, 500], [0, 950], [920, 990]], 1000, 100) == [[900, None], [0, 900], [0, 500]]


def test_addresses_never_hold_a_secret_and_name_what_is_meant() -> None:
    page = PageAddress.of("https://graph.facebook.com/1234/")
    url = page.edge("v23.0", page.page_id, "posts", fields="id,from{id}", limit=5, after=None)
    assert url == "https://graph.facebook.com/v23.0/1234/posts?fields=id,from{id}&limit=5"
    channel = ChannelAddress.of("https://www.googleapis.com/youtube/v3/channels?id=UC1")
    assert channel.list_url("videos", part="snippet,statistics", id="a,b", pageToken=None) == (
        "https://www.googleapis.com/youtube/v3/videos?part=snippet,statistics&id=a,b"
    )


@pytest.mark.parametrize("url", ["", "https://graph.facebook.com", "https://graph.facebook.com/", "ftp://h/1", "page"])
def test_what_names_no_page_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="does not end in a page's id"):
        PageAddress.of(url)


@pytest.mark.parametrize("url", ["", "https://h/v3/channels", "https://h/v3/videos?id=1", "https://h/v3/channels?id=1&id=2", "h?id=1"])
def test_what_names_no_channel_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        ChannelAddress.of(url)


def _youtube_error(code: int, reason: str, message: str = "m") -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "errors": [{"reason": reason}]}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b'{"items": []}', "ok"),
        (200, b"{}", "ok"),
        (200, b'{"items": 3}', "unreadable"),
        (200, b"<html>", "unreadable"),
        (403, _youtube_error(403, "quotaExceeded"), "quota"),
        (403, _youtube_error(403, "commentsDisabled"), "comments_off"),
        (404, _youtube_error(404, "videoNotFound"), "gone"),
        (400, _youtube_error(400, "invalidPageToken"), "page_token"),
        (429, _youtube_error(429, "rateLimitExceeded"), "rate"),
        (400, _youtube_error(400, "badRequest", "API key not valid. Please pass a valid API key."), "credentials"),
        (400, _youtube_error(400, "badRequest", "other"), "bad_request"),
        (500, _youtube_error(500, "backendError"), "fault"),
        (400, b'{"error": {"errors": [3]}}', "bad_request"),
        (401, b"", "credentials"),
        (410, b"", "gone"),
        (429, b"", "rate"),
        (None, b"", "fault"),
    ],
)
def test_what_a_youtube_answer_means(status: int | None, body: bytes, verdict: str) -> None:
    assert youtube_api.read(status, body).verdict == verdict


def test_a_thread_is_cut_into_its_comments() -> None:
    top, reply = '{"id": "T", "snippet": {"textOriginal": "Hay"}}', '{"id":"T.1",  "snippet":{"parentId":"T"}}'
    thread = thread_of(f'{{"snippet":{{"topLevelComment": {top}, "totalReplyCount": 2}}, "replies": {{"comments": [{reply}]}}}}')
    assert thread is not None
    assert (thread.top, thread.top_id, thread.replies, thread.is_complete) == (top, "T", (reply,), False)
    for odd in ("3", "{}", '{"snippet": 3}', '{"snippet": {"topLevelComment": 3}}'):
        assert thread_of(odd) is None


def test_a_quota_day_is_a_pacific_day() -> None:
    before = datetime(2024, 3, 1, 7, 59, tzinfo=UTC)
    assert quota_day(before).isoformat() == "2024-02-29"
    assert quota_day(before + timedelta(minutes=1)).isoformat() == "2024-03-01"
    assert next_reset(before) == datetime(2024, 3, 1, 8, 0, tzinfo=UTC)
    assert next_reset(datetime(2024, 7, 1, 12, tzinfo=UTC)) == datetime(2024, 7, 2, 7, 0, tzinfo=UTC)


@given(st.integers(0, 20_000))
def test_blocks_add_up_to_the_days_units(units: int) -> None:
    sizes = block_sizes(units)
    assert sum(sizes) == units
    assert all(0 < size <= BLOCK_UNITS for size in sizes)


def _parsed(value: Any, payload_format: str, **context: str) -> Parsed | Refused:
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parse_all([{"payload": payload, "payload_format": payload_format, "payload_context": json.dumps(context)}])[0]


def test_a_page_post_with_its_counts() -> None:
    value = {
        "id": "1_2",
        "message": "Kẹt xe quá",
        "from": {"id": "1", "name": "Trang"},
        "shares": {"count": 3},
        "reactions": {"summary": {"total_count": 12}},
        "comments": {"summary": {"total_count": 4}},
    }
    assert _parsed(value, "graph_post") == Parsed("Kẹt xe quá", author="1", likes=12, shares=3, comment_count=4)
    assert _parsed({"story": "A đã cập nhật"}, "graph_post") == Parsed("A đã cập nhật")


def test_comments_name_what_they_answer() -> None:
    reply = {"message": "Đúng", "parent": {"id": "2_3"}, "like_count": 1, "comment_count": 0}
    assert _parsed(reply, "graph_comment", post_id="1_2") == Parsed("Đúng", kind="comment", parent_id="2_3", likes=1, comment_count=0)
    assert _parsed({"message": "Đúng"}, "graph_comment", post_id="1_2") == Parsed("Đúng", kind="comment", parent_id="1_2")
    snippet = {"textOriginal": "Hay", "authorDisplayName": "@an", "authorChannelId": {"value": "UCx"}, "likeCount": 2}
    assert _parsed({"snippet": snippet}, "youtube_comment", video_id="v") == Parsed(
        "Hay", author="UCx", kind="comment", parent_id="v", likes=2
    )
    del snippet["authorChannelId"]
    found = _parsed({"snippet": {**snippet, "parentId": "T"}}, "youtube_comment", video_id="v")
    assert found == Parsed("Hay", author="@an", kind="comment", parent_id="T", likes=2)


def test_a_video_is_a_post_of_title_and_description() -> None:
    value = {"snippet": {"title": "Ngập", "description": "Triều cường", "channelId": "UC1"}, "statistics": {"likeCount": "5"}}
    assert _parsed(value, "youtube_video") == Parsed("Triều cường", title="Ngập", author="UC1", likes=5)
    assert _parsed({"snippet": {"title": "Ngập"}}, "youtube_video") == Parsed("Ngập", title="Ngập")


@pytest.mark.parametrize("payload_format", ["graph_post", "graph_comment", "youtube_video", "youtube_comment"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"message": ', Reason.MALFORMED_ROW),
        (b"\xff", Reason.UNDECODABLE),
        (b"[" * 100_000, Reason.MALFORMED_ROW),
        ([1], Reason.NOT_AN_OBJECT),
        ({"id": "1"}, Reason.MISSING_TEXT),
        ({"message": 3, "snippet": {"textOriginal": 3, "title": 3}}, Reason.WRONG_TYPE),
        ({"snippet": 3, "from": 3, "parent": 3}, Reason.MISSING_TEXT),
    ],
)
def test_what_gives_no_post_says_why(payload_format: str, value: Any, reason: Reason) -> None:
    found = _parsed(value, payload_format)
    assert isinstance(found, Refused)
    assert found.reason is reason


@given(JSON, st.sampled_from(["graph_post", "graph_comment", "youtube_video", "youtube_comment"]))
def test_no_payload_can_stop_a_run(value: Any, payload_format: str) -> None:
    for given_value in (value, {"message": value, "from": value, "shares": value, "snippet": value}, {"snippet": {"textOriginal": value}}):
        assert isinstance(_parsed(given_value, payload_format), Parsed | Refused)
