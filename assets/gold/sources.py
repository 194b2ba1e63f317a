"""Health of sources and coverage by event day. Pure.

Belongs here: the rows of gold.source_daily and gold.source_findings, and coverage. Not here: how silence is told (findings.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from math import isnan
from statistics import median

import polars as pl

from assets.gold.figures import SOURCE_KIND_NAMES
from assets.gold.findings import DEAD, Finding, Judged
from lake_config.registry import Source
from lake_config.tables.bronze import GONE, MOVED_HOST, MOVED_PERMANENTLY, ROBOTS_DISALLOW

ALIVE = ("ok", "not_modified")
DEFAULT_WEIGHT = 1.0
"""Weight of a source without history where no source of its kind has one: a post a day."""
LEAST_WEIGHT = 1 / 56
"""Weight of a source that brought nothing in eight weeks: it still counts."""
UNREACHABLE, NOT_ASKED = "unreachable", "not_asked"
_SEVERE = {GONE, ROBOTS_DISALLOW}
FINDING_NAMES = {
    "silence": "Im lặng",
    "collapse": "Giảm mạnh",
    "stalled": "Lâu không có tin mới",
    "mute": "Chưa từng có tin",
    UNREACHABLE: "Không trả lời",
    NOT_ASKED: "Không được hỏi",
    MOVED_HOST: "Chuyển sang máy chủ khác",
    MOVED_PERMANENTLY: "Chuyển địa chỉ",
    GONE: "Đã đóng",
    ROBOTS_DISALLOW: "Không cho phép thu thập",
}
_NOTHING_FOUND = Judged({}, [])


@dataclass(frozen=True)
class DayRows:
    """What a day's health is counted from.

    `posts` (source_id, fetched_at) the kept posts, `landed` and `rejects` (source_id) the bronze rows and rejects, `log` (source_id,
    outcome, finding) the fetch attempts of that local day.
    """

    posts: pl.DataFrame
    landed: pl.DataFrame
    rejects: pl.DataFrame
    log: pl.DataFrame


@dataclass(frozen=True)
class DayHealth:
    """Rows of gold.source_daily and gold.source_findings of one day."""

    daily: pl.DataFrame
    findings: pl.DataFrame = field(default_factory=pl.DataFrame)


def source_health(
    day: date,
    collected: Iterable[Source],
    known: Mapping[str, Source],
    rows: DayRows,
    judged: Judged = _NOTHING_FOUND,
    not_asked: frozenset[str] = frozenset(),
) -> DayHealth:
    """The health of the sources on one day.

    `collected` are the sources collected and valid that day; those of them marked expected always appear, others where rows name them.
    `known` are all sources of the registry: one that is no longer collected keeps its name and kind on the days it spoke. `judged` is what
    their volume says, `not_asked` the sources that were asked before and not on this day, though it is over.
    """
    posts, log = rows.posts, rows.log
    per_source = {
        "mentions": _count(posts),
        "landed": _count(rows.landed),
        "rejected": _count(rows.rejects),
        "fetch_attempts": _count(log),
        "fetch_failures": _count(log.filter(~pl.col("outcome").is_in(ALIVE))),
    }
    fetched = dict(posts.group_by("source_id").agg(pl.col("fetched_at").max()).iter_rows())
    expected = {source.id: source.kind for source in collected if source.expected}
    weights = _weights(expected, judged.usual)
    dead = {finding.source_id for finding in judged.findings if finding.finding in DEAD}
    made = []
    for source_id in sorted(set(expected).union(*per_source.values())):
        counts = {name: values.get(source_id, 0) for name, values in per_source.items()}
        usual = judged.usual.get(source_id)
        answered = counts["mentions"] > 0 or counts["fetch_attempts"] > counts["fetch_failures"]
        made.append(
            _named(day, source_id, known)
            | counts
            | {
                "last_fetched_at": fetched.get(source_id),
                "is_expected": source_id in expected,
                "is_live": answered and source_id not in dead,
                "expected_mentions": None if usual is None or isnan(usual) else usual,
                "coverage_weight": weights.get(source_id, 0.0),
            }
        )
    found = [finding for finding in (*judged.findings, *_of_fetches(day, log, made, not_asked)) if finding.source_id in expected]
    findings = [
        _named(day, one.source_id, known) | vars(replace(one)) | {"finding_name": FINDING_NAMES.get(one.finding, one.finding)}
        for one in found
    ]
    return DayHealth(pl.DataFrame(made, infer_schema_length=None), pl.DataFrame(findings, infer_schema_length=None))


def _named(day: date, source_id: str, known: Mapping[str, Source]) -> dict[str, object]:
    source = known.get(source_id)
    kind = source.kind if source else "unknown"
    return {
        "event_date": day,
        "source_id": source_id,
        "source_name": source.name if source else source_id,
        "source_kind": kind,
        "source_kind_name": SOURCE_KIND_NAMES.get(kind, kind),
    }


def _count(rows: pl.DataFrame) -> dict[str, int]:
    return dict(rows.group_by("source_id").len().iter_rows())


def _weights(expected: Mapping[str, str], usual: Mapping[str, float]) -> dict[str, float]:
    """The weight of each expected source (id -> kind): its usual posts a day; without history the median of its kind, else of all."""
    known = {source_id: usual[source_id] for source_id in expected if not isnan(usual.get(source_id, float("nan")))}
    by_kind: dict[str, list[float]] = {}
    for source_id, value in known.items():
        by_kind.setdefault(expected[source_id], []).append(value)
    defaults = {kind: median(values) for kind, values in by_kind.items()}
    default = median(known.values()) if known else DEFAULT_WEIGHT
    return {source_id: max(known.get(source_id, defaults.get(kind, default)), LEAST_WEIGHT) for source_id, kind in expected.items()}


def _of_fetches(day: date, log: pl.DataFrame, daily: list[dict[str, object]], not_asked: frozenset[str]) -> list[Finding]:
    """What the attempts of a day say: no answer at all, a host that moved or is gone, a source that nobody asked."""
    found = []
    for row in daily:
        attempts, source_id = int(str(row["fetch_attempts"])), str(row["source_id"])
        if attempts and attempts == row["fetch_failures"]:
            found.append(Finding(source_id, UNREACHABLE, "error", day, f"none of {attempts} attempts brought an answer"))
        if not attempts and source_id in not_asked:
            found.append(Finding(source_id, NOT_ASKED, "error", day, "it was not asked on this day; the collector was down or held back"))
    told = log.filter(pl.col("finding").is_not_null()).group_by("source_id", "finding").len().sort("source_id", "finding")
    for source_id, code, count in told.iter_rows():
        found.append(Finding(source_id, code, "error" if code in _SEVERE else "warn", day, f"said by {count} of the day's answers"))
    return found


def coverage(daily: pl.DataFrame) -> pl.DataFrame:
    """By source_kind, from rows of gold.source_daily: expected_sources, live_sources, expected_weight, live_weight, coverage_share.

    coverage_share = sum of the weights of the expected sources that are alive / sum of the weights of the expected ones.
    """
    expected, live = pl.col("is_expected"), pl.col("is_expected") & pl.col("is_live")
    weight = pl.col("coverage_weight")
    counted = daily.group_by("source_kind").agg(
        expected_sources=expected.sum().cast(pl.Int64),
        live_sources=live.sum().cast(pl.Int64),
        expected_weight=weight.filter(expected).sum().cast(pl.Float64),
        live_weight=weight.filter(live).sum().cast(pl.Float64),
    )
    share = pl.when(pl.col("expected_weight") > 0).then((pl.col("live_weight") / pl.col("expected_weight")).clip(0, 1))
    return counted.with_columns(coverage_share=share.cast(pl.Float64))
