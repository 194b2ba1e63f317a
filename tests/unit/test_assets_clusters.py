"""Rows of silver.clusters: who is a copy of whom, across days, what keeps its place, and what a withdrawal leaves."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from assets.silver.clusters import Named, cluster_rows, named_clusters
from lake_config.storage import conform
from lake_config.tables.silver import CLUSTERS
from ml.near_copies import SKETCH_ID
from ml.normalise import content_key, skeleton
from quality.runner import failures, run_suite

DAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 5, tzinfo=UTC)
CALL = "Bà con nhớ chia sẻ: chợ đêm phường mình dời sang đường mới từ thứ bảy, ai chưa biết thì nhắn nhau, đừng để xe trên vỉa hè nữa nhé"
OTHER = (
    "Sáng nay tôi đi làm lại căn cước ở phường, chờ mười phút là xong, cán bộ hướng dẫn nhẹ nhàng, rất khác ngày xưa phải xếp hàng cả buổi"
)
NAME = content_key(skeleton(CALL))


def post(number: int, text: str, minutes: int | None = 0, day: date = DAY) -> dict[str, object]:
    return {
        "event_date": day,
        "post_key": f"{number:064x}",
        "content_key": content_key(text),
        "skeleton_key": content_key(skeleton(text)),
        "kind": "comment",
        "title": None,
        "text": text,
        "published_at": None if minutes is None else NOON + timedelta(minutes=minutes),
        "fetched_at": NOON + timedelta(hours=5),
    }


def rows(posts: Sequence[dict[str, object]], held: pl.DataFrame | None = None, around: Sequence[Named] = ()) -> tuple[pl.DataFrame, int]:
    nothing = pl.DataFrame(pl.from_arrow(CLUSTERS.schema.empty_table()))
    of_day = pl.DataFrame(list(posts), schema_overrides={"title": pl.String, "published_at": pl.Datetime("us", "UTC")})
    table, sketched = cluster_rows(of_day, nothing if held is None else held, around)
    assert conform(CLUSTERS, table).equals(table)
    assert failures(run_suite(CLUSTERS, table)) == []
    return pl.DataFrame(pl.from_arrow(table)), sketched


def clusters(found: pl.DataFrame) -> list[list[int]]:
    """Numbers of the posts of each cluster."""
    groups = found.group_by("cluster_key").agg(pl.col("post_key").sort())["post_key"].to_list()
    return sorted([int(key, 16) for key in group] for group in groups)


def test_edited_copies_are_one_cluster_led_by_the_earliest() -> None:
    posts = [post(1, CALL + " 🙏🙏", 9), post(2, CALL, 3), post(3, OTHER, 1), post(4, CALL.replace("thứ bảy", "thứ 7").upper(), 20)]
    found, sketched = rows(posts)
    assert sketched == 3  # of the texts that differ in more than signs
    assert clusters(found) == [[1, 2, 4], [3]]
    of = {int(row["post_key"], 16): row for row in found.iter_rows(named=True)}
    assert of[1]["cluster_key"] == NAME
    assert (of[1]["similarity"], of[2]["similarity"]) == (1.0, 1.0)
    assert 0.7 < of[4]["similarity"] < 1
    assert {of[number]["first_post_key"] for number in (1, 2, 4)} == {f"{2:064x}"}
    assert [number for number, row in of.items() if row["sketch"] is not None] == [2, 3, 4]
    assert all(row["model_id"] == SKETCH_ID for row in of.values())


def test_short_texts_and_texts_without_words_are_copies_only_when_equal() -> None:
    posts = [
        post(1, "Hay quá!"),
        post(2, "hay qua"),
        post(3, "Hay quá trời"),
        post(4, "👍"),
        post(5, "👍👍"),
        post(6, "👍"),
        post(7, "https://a.vn/b"),
    ]
    found, _ = rows(posts)
    assert clusters(found) == [[1, 2], [3], [4, 6], [5], [7]]
    assert found["sketch"].null_count() == 7


def test_the_order_of_rows_says_nothing() -> None:
    posts = [post(1, CALL), post(2, OTHER, 4), post(3, CALL + " nha", None), post(4, OTHER + " nha", 2)]
    assert rows(posts)[0].equals(rows(posts[::-1])[0])


def test_made_again_nothing_changes_and_a_late_post_joins_its_cluster() -> None:
    posts = [post(2, CALL, 10), post(3, OTHER, 11)]
    held, _ = rows(posts)
    again, sketched = rows(posts, held)
    assert (sketched, again.equals(held)) == (0, True)
    late, sketched = rows([post(1, CALL + " nghe bà con", 1), *posts], held)
    assert sketched == 1
    assert clusters(late) == [[1, 2], [3]]
    assert set(late["cluster_key"]) == set(held["cluster_key"])
    assert late.filter(cluster_key=NAME)["first_post_key"].unique().to_list() == [f"{1:064x}"]


def test_who_belongs_together_does_not_depend_on_what_came_first() -> None:
    posts = [post(at, text + " nha" * (at % 3), at) for at, text in enumerate([CALL, OTHER, CALL, "Tin: " + CALL, OTHER, CALL + " ạ"])]
    whole, _ = rows(posts)
    for first in ([5], [3, 4], [5, 1, 2]):
        held, _ = rows([posts[at] for at in first])
        grown, _ = rows(posts, held)
        facts = ["post_key", "similarity", "first_post_key", "sketch"]
        assert grown.select(facts).equals(whole.select(facts))
        assert clusters(grown) == clusters(whole)
        assert set(held["cluster_key"]) <= set(grown["cluster_key"])


def test_an_edited_post_is_placed_anew() -> None:
    held, _ = rows([post(1, CALL), post(2, CALL + " nha")])
    after, sketched = rows([post(1, OTHER), post(2, CALL + " nha")], held)
    assert sketched == 1
    assert clusters(after) == [[1], [2]]


def test_a_cluster_keeps_its_name_over_the_days_around() -> None:
    first, _ = rows([post(1, CALL)])
    next_day = DAY + timedelta(days=1)
    second, _ = rows([post(2, CALL + " nha mọi người", day=next_day)], around=[named_clusters(first)])
    third, _ = rows([post(3, "Nhắc lại: " + CALL, day=next_day)], around=[named_clusters(second)])
    earlier, _ = rows([post(4, CALL + " ạ", day=DAY - timedelta(days=1))], around=[named_clusters(first)])
    assert {key for found in (first, second, third, earlier) for key in found["cluster_key"]} == {NAME}


def test_two_clusters_never_have_one_name() -> None:
    held, _ = rows([post(1, CALL, 5), post(2, CALL + " nha", 6)])
    # Meanwhile the first says something else; whoever repeats the words that gave the name keeps it.
    after, _ = rows([post(1, OTHER, 5), post(2, CALL + " nha", 6), post(3, OTHER + " nha", 7)], held)
    assert clusters(after) == [[1, 3], [2]]
    assert dict(after.select("post_key", "cluster_key").iter_rows())[f"{2:064x}"] == NAME
    # A cluster of the day before has the name of words that lead another cluster today.
    renamed = Named([content_key(skeleton(OTHER))], named_clusters(held).of)
    found, _ = rows([post(1, CALL, 1), post(2, OTHER, 2)], around=[renamed])
    assert clusters(found) == [[1], [2]]
    assert found["cluster_key"].n_unique() == 2


def test_a_withdrawn_founder_leaves_a_cluster_of_the_same_name() -> None:
    posts = [post(1, CALL, 1), post(2, CALL + " nha", 2), post(3, CALL + " nhé bà con", 3)]
    held, _ = rows(posts)
    after, sketched = rows(posts[1:], held)
    assert sketched == 0
    assert clusters(after) == [[2, 3]]
    assert set(after["cluster_key"]) == {NAME}
    more, _ = rows([*posts[1:], post(4, "Tin: " + CALL, 9)], after)
    assert clusters(more) == [[2, 3, 4]]
    assert set(more["cluster_key"]) == {NAME}


def test_sketches_made_in_another_way_are_not_compared() -> None:
    held, _ = rows([post(1, CALL, 5)])
    other = held.with_columns(model_id=pl.lit("older"), sketch=pl.lit(b"\x00" * 10))
    assert named_clusters(other).names == []
    after, sketched = rows([post(1, CALL, 5)], other)
    assert sketched == 1
    assert after.equals(held)


def test_a_day_without_posts_has_no_rows() -> None:
    held, _ = rows([post(1, CALL)])
    empty = pl.DataFrame([post(1, CALL)], schema_overrides={"title": pl.String}).clear()
    table, sketched = cluster_rows(empty, held, [named_clusters(held)])
    assert (table.num_rows, sketched) == (0, 0)
