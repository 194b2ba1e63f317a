"""Which sources fell silent, and what else a person should know of them, for one local day. Pure.

The rules, their error rates and the formula of coverage are in docs/source-health.md. Belongs here: the judgement of a day. Not here: the
expectation (expectation.py), gold.source_daily (sources.py), reading and writing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from assets.gold.expectation import HISTORY_DAYS, Counts, Flags, Floats, Profile, at_most, learn
from lake_config.settings import LOCAL_ZONE

ALPHA = 1e-4
"""How likely a source that is well may be called silent or collapsed on a day: once in 10,000 source-days."""
STALLED_ALPHA = 10 * ALPHA
"""The weaker limit for a source that has also been quiet for longer than it ever was."""
WINDOWS = (1, 7, 28)
"""Days, up to the judged one, over which counts are summed: a small source is judged over a longer time, never by an hour."""
COLLAPSED_SHARE = 0.5
"""Only a count of at most this share of the expected one is a collapse, however unlikely it is."""
LULL_FLOOR = 0.25
"""A lull that all sources share, as at Tết, lowers what is expected of each, but never below this share."""
_LULL_SOURCES = 5
_LULL_EXPECTED = 3.0
MUTE_DAYS = 14
_LAG = timedelta(hours=1)
"""A post is here at most this long after it was published: hours that ended later are not judged yet."""
AT_ONCE = 5_000
"""Sources that are judged at once: what their profiles take on the way is ten times the counts (about 60 MB)."""

SILENCE, COLLAPSE, STALLED, MUTE = VOLUME_FINDINGS = ("silence", "collapse", "stalled", "mute")
DEAD = (SILENCE, COLLAPSE, STALLED)
"""Findings with which a source does not count as alive."""


@dataclass(frozen=True)
class Past:
    """Sources and what they brought: `counts` [source, day, hour] over HISTORY_DAYS days and the judged one, which is the last.

    `asked` [source, day]: whether they were asked with success; `was_dead` [source, day]: whether they were found silent then.
    """

    ids: Sequence[str]
    counts: Counts
    asked: Flags
    was_dead: Flags


@dataclass(frozen=True)
class Finding:
    """One thing to know of a source on a day; the numbers from `window_days` on where it was judged by volume."""

    source_id: str
    finding: str
    severity: str
    since: date
    detail: str
    window_days: int | None = None
    expected: float | None = None
    seen: int | None = None
    probability: float | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Judged:
    """Of each source: posts usually brought on such a day (NaN: too little history), and what was found."""

    usual: dict[str, float]
    findings: list[Finding]


def hours_over(day: date, now: datetime) -> int:
    """How many hours of a local day can be judged at a moment: those that ended an hour ago or earlier, 0 to 24."""
    start = datetime(day.year, day.month, day.day, tzinfo=LOCAL_ZONE)
    return int(min(24, max(0, (now - _LAG - start) // timedelta(hours=1))))


@dataclass(frozen=True)
class _Window:
    """A window's count, expectation and size, each [source], and whether there is history enough to judge it."""

    days: int
    seen: Counts
    expected: Floats
    size: Floats
    is_known: Flags


class _Portion:
    """The windows of some sources. Their arrays go with the object; what is left per source is a few numbers."""

    def __init__(self, past: Past, hours: int):
        counts = past.counts.copy()
        counts[:, -1, hours:] = 0
        history, usable = counts[:, :-1], past.asked[:, :-1] & ~past.was_dead[:, :-1]
        self.usual_profile = learn(history, usable)
        self.daily = counts.sum(axis=2)
        self.asked = past.asked
        part = np.zeros(24)
        part[:hours] = 1.0
        self.windows = [self._window(learn(history, usable, days - 1), days, part) for days in WINDOWS]
        self.quiet, self.longest = _quiet_days(self.daily, past.asked)
        self.quiet_expected = self._quiet_expected(learn(history, usable, min(WINDOWS[-1], HISTORY_DAYS) - 1), part)
        self.mute = (self.daily.sum(axis=1) == 0) & (past.asked.sum(axis=1) >= MUTE_DAYS)

    def _by_day(self, profile: Profile, days: int, part: Floats) -> Floats:
        """Expected posts of each of the last `days` days, the judged one last, none of a day on which the source was not asked."""
        weekdays = [(-back) % 7 for back in range(days - 1, 0, -1)]
        earlier = profile.by_day[:, weekdays]
        today = (profile.by_hour[:, 0] * part).sum(axis=1, keepdims=True)
        return np.concatenate([earlier, today], axis=1) * self.asked[:, -days:]

    def _window(self, profile: Profile, days: int, part: Floats) -> _Window:
        seen = (self.daily[:, -days:] * self.asked[:, -days:]).sum(axis=1)
        return _Window(days, seen, self._by_day(profile, days, part).sum(axis=1), profile.size_ahead(days), profile.is_known)

    def _quiet_expected(self, profile: Profile, part: Floats) -> Floats:
        """What was expected in the quiet days up to the judged one, looking back as far as the longest window."""
        days = WINDOWS[-1]
        back = np.cumsum(self._by_day(profile, days, part)[:, ::-1], axis=1)
        at = np.clip(self.quiet, 1, days) - 1
        return np.where(profile.is_known & (self.quiet > 0), np.take_along_axis(back, at[:, None], axis=1)[:, 0], 0.0)


def _quiet_days(daily: Counts, asked: Flags) -> tuple[Counts, Counts]:
    """Days without a post up to the judged one, and in the longest stretch before them; days without a question end no stretch."""
    run = np.zeros(len(daily), dtype=np.int64)
    longest = np.zeros_like(run)
    for day in range(daily.shape[1]):
        is_loud = daily[:, day] > 0
        longest = np.where(is_loud, np.maximum(longest, run), longest)
        run = np.where(is_loud, 0, run + asked[:, day])
    return run, longest


def lull(windows: Sequence[_Window]) -> float:
    """What share of the usual all sources together bring: the median over those with enough to expect, from LULL_FLOOR to 1."""
    seen = np.concatenate([window.seen for window in windows])
    expected = np.concatenate([window.expected for window in windows])
    can_tell = np.concatenate([window.is_known for window in windows]) & (expected >= _LULL_EXPECTED)
    if can_tell.sum() < _LULL_SOURCES:
        return 1.0
    return float(np.clip(np.median(seen[can_tell] / expected[can_tell]), LULL_FLOOR, 1.0))


def judge(day: date, past: Past, hours: int) -> Judged:
    """Judge the sources on a local day of which the first `hours` hours are over."""
    if not past.ids:
        return Judged({}, [])
    parts = [
        Past(past.ids[at : at + AT_ONCE], past.counts[at : at + AT_ONCE], past.asked[at : at + AT_ONCE], past.was_dead[at : at + AT_ONCE])
        for at in range(0, len(past.ids), AT_ONCE)
    ]
    portions = [_Portion(part, hours) for part in parts]
    shares = [lull([portion.windows[number] for portion in portions]) for number in range(len(WINDOWS))]
    usual: dict[str, float] = {}
    findings: list[Finding] = []
    for part, portion in zip(parts, portions, strict=True):
        profile = portion.usual_profile
        usual.update(zip(part.ids, np.where(profile.is_known, profile.by_day[:, 0], np.nan).tolist(), strict=True))
        findings += _findings(day, part.ids, portion, shares)
    return Judged(usual, findings)


def _findings(day: date, ids: Sequence[str], portion: _Portion, shares: Sequence[float]) -> list[Finding]:
    expected = [window.expected * share for window, share in zip(portion.windows, shares, strict=True)]
    is_well_today = (portion.windows[0].seen > COLLAPSED_SHARE * expected[0]) & (portion.windows[0].seen > 0)
    probability = np.ones((len(WINDOWS), len(ids)))
    for number, window in enumerate(portion.windows):
        low = at_most(window.seen, expected[number], window.size)
        is_low = window.is_known & ~is_well_today & (window.seen <= COLLAPSED_SHARE * expected[number])
        probability[number] = np.where(is_low, low, 1.0)
    worst = probability.argmin(axis=0)
    threshold = ALPHA / len(WINDOWS)
    stalled = at_most(np.zeros(len(ids), dtype=np.int64), portion.quiet_expected * shares[-1], portion.windows[-1].size)
    found = []
    for at, source_id in enumerate(ids):
        number = int(worst[at])
        window, quiet = portion.windows[number], int(portion.quiet[at])
        likely = float(probability[number, at])
        if likely < threshold:
            is_silent = quiet > 0
            since = day - timedelta(days=min(quiet, HISTORY_DAYS + 1) - 1 if is_silent else window.days - 1)
            kind, want, seen = (SILENCE if is_silent else COLLAPSE), float(expected[number][at]), int(window.seen[at])
            detail = f"{seen} posts in {window.days} days, {want:.1f} expected"
            found.append(Finding(source_id, kind, "error", since, detail, window.days, want, seen, likely, threshold))
        elif quiet > int(portion.longest[at]) and stalled[at] < STALLED_ALPHA:
            want = float(portion.quiet_expected[at] * shares[-1])
            since = day - timedelta(days=quiet - 1)
            detail = f"no post for {quiet} days, never so long before; {want:.1f} expected"
            found.append(Finding(source_id, STALLED, "warn", since, detail, quiet, want, 0, float(stalled[at]), STALLED_ALPHA))
        elif portion.mute[at]:
            asked = int(portion.asked[at].sum())
            found.append(
                Finding(
                    source_id, MUTE, "warn", day - timedelta(days=HISTORY_DAYS), f"asked on {asked} days, and never a post came", seen=0
                )
            )
    return found
