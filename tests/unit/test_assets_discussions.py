"""Which discussions are read, in which order, and when again."""

from assets.bronze.discussions import AGAIN_SECONDS, EVERYTHING, KEPT_SECONDS, NEWS, Discussions

DAY = 86_400


def test_a_new_discussion_is_read_in_full_and_a_changed_one_for_news() -> None:
    found = Discussions({})
    found.note("a", 10, [3], has_comments=True)
    assert (found.due(), found.rows["a"]["todo"]) == (["a"], EVERYTHING)
    found.finished("a", 100.9, is_whole=True)
    assert (found.due(), found.rows["a"]["read"]) == ([], 100)
    found.note("a", 10, [3], has_comments=True)
    assert found.due() == []
    found.note("a", 10, [4], has_comments=True)
    assert found.rows["a"]["todo"] == NEWS
    found.note("a", 10, [5], has_comments=True)
    found.finished("a", 200, is_whole=False)
    assert (found.due(), found.rows["a"]["read"]) == ([], 100)


def test_one_without_comments_waits_until_it_has_some() -> None:
    found = Discussions({})
    found.note("a", 10, [0], has_comments=False)
    assert found.due() == []
    assert found.stale(10**9) == []
    found.note("a", 10, [1], has_comments=True)
    assert found.due() == ["a"]


def test_what_stopped_midway_comes_first_then_the_newest_and_what_fails_comes_last() -> None:
    found = Discussions({})
    for name, created in (("old", 1), ("new", 3), ("midway", 2), ("failing", 4)):
        found.note(name, created, [1], has_comments=True)
    found.rows["midway"]["next"] = "token"
    found.rows["failing"]["tries"] = 2
    assert found.due() == ["midway", "new", "old", "failing"]
    found.finished("failing", 5, is_whole=True)
    assert found.rows["failing"]["tries"] == 0


def test_what_was_read_longest_ago_is_read_again_first_and_not_too_soon() -> None:
    found = Discussions({})
    for name, read in (("b", 20), ("a", 10), ("c", 30)):
        found.note(name, 1, [1], has_comments=True)
        found.finished(name, read, is_whole=True)
    assert found.stale(AGAIN_SECONDS + 20) == [(10, "a"), (20, "b")]
    found.note("a", 1, [2], has_comments=True)  # due for another reason
    assert found.stale(AGAIN_SECONDS + 20) == [(20, "b")]


def test_what_is_gone_or_too_old_is_forgotten() -> None:
    found = Discussions({})
    for name, created in (("ancient", 0), ("old", DAY), ("new", KEPT_SECONDS + DAY)):
        found.note(name, created, [1], has_comments=True)
    found.forget_older(None)
    assert len(found.rows) == 3
    found.forget_older(KEPT_SECONDS + DAY)
    assert set(found.rows) == {"old", "new"}
    assert found.unlisted(DAY + 1, {"x"}) == ["new"]
    assert found.unlisted(0, {"new"}) == ["old"]
    found.forget("new")
    found.forget("new")
    assert set(found.rows) == {"old"}
