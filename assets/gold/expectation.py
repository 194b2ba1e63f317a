"""How many posts a source should have brought, learned from its own past, and how unlikely fewer are. Pure arithmetic on arrays.

The method is in docs/source-health.md. Belongs here: the expectation by hour of the week and the lower tail of the count. Not here: what is
made of an unlikely count (findings.py).

Arrays are indexed [source, day, hour]: the HISTORY_DAYS local days before the judged one, oldest first, and 24 local hours. The history is
whole weeks, so day 0, 7, 14 ... have the judged day's weekday.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

WEEKS = 8
HISTORY_DAYS = WEEKS * 7
MIN_DAYS = 14
"""Days of history without which nothing is expected of a source."""
_MIN_SAME_WEEKDAYS = 3
_SPIKE_QUANTILE = 0.9
_STEADIEST = 20.0
"""Largest size (k) of the negative binomial: no source is taken for steadier than a coefficient of variation of 22 % beyond chance."""
_WILDEST = 0.5


@dataclass(frozen=True)
class Profile:
    """What is expected of sources. `by_hour` [source, weekday, hour] with the judged day's weekday first; `size` [source] is the k of a
    day's variance m + m^2 / k; `days` [source] how many days both were learned from.
    """

    by_hour: Floats
    size: Floats
    days: Counts

    def size_ahead(self, window_days: int) -> Floats:
        """The k of a sum to come over a window of days, [source]: less than `size`, for the mean itself is known from few days only.

        The relative variance of the mean of n days is (1 / m + 1 / k) / n; of one weekday's mean the history has a seventh of its days.
        """
        days = np.maximum(self.days * min(window_days, 7) / 7, 1.0)
        usual = np.maximum(self.by_day.mean(axis=1), 1e-9)
        return np.asarray(1 / (1 / self.size + (1 / self.size + 1 / usual) / days), dtype=np.float64)

    @cached_property
    def by_day(self) -> Floats:
        """Expected posts of a whole day, [source, weekday]."""
        total: Floats = self.by_hour.sum(axis=2)
        return total

    @property
    def is_known(self) -> Flags:
        """Whether the history is long enough to expect anything, [source]."""
        return self.days >= MIN_DAYS


def learn(counts: Counts, usable: Flags, without_last: int = 0) -> Profile:
    """The profile of each source from the days that are `usable` [source, day], without the last `without_last` days of the history.

    An hour of the week is expected to bring the mean of that hour over the weeks (over all days, where fewer than three days of the weekday
    are usable). A day above the 90th percentile of the source's days counts as that percentile: one great event is no habit.
    """
    sources = len(counts)
    kept = usable.copy()
    if without_last:
        kept[:, -without_last:] = False
    totals = np.where(kept, counts.sum(axis=2), 0).astype(np.float64)
    days = kept.sum(axis=1)
    cap = np.maximum(_quantile(totals, kept), 1.0)
    clipped = np.minimum(totals, cap[:, None])
    scale = np.divide(clipped, totals, out=np.ones_like(totals), where=totals > 0) * kept
    weekly = (counts * scale[:, :, None]).reshape(sources, WEEKS, 7, 24).sum(axis=1)
    same = kept.reshape(sources, WEEKS, 7).sum(axis=1)
    by_weekday = weekly / np.maximum(same, 1)[:, :, None]
    overall = weekly.sum(axis=1) / np.maximum(days, 1)[:, None]
    by_hour = np.where((same >= _MIN_SAME_WEEKDAYS)[:, :, None], by_weekday, overall[:, None, :])
    return Profile(by_hour, _size(clipped, kept, by_hour.sum(axis=2), same), days)


def _quantile(totals: Floats, kept: Flags) -> Floats:
    """The 90th percentile of each source's kept days, the higher neighbour; 0 without any."""
    ordered = np.sort(np.where(kept, totals, np.inf), axis=1)
    days = kept.sum(axis=1)
    at = np.ceil(_SPIKE_QUANTILE * np.maximum(days - 1, 0)).astype(np.int64)
    found = np.take_along_axis(ordered, at[:, None], axis=1)[:, 0]
    return np.where(days > 0, found, 0.0)


def _size(clipped: Floats, kept: Flags, by_day: Floats, same: Counts) -> Floats:
    """The k of a day's count by moments: what its residuals vary by beyond chance, within the two bounds."""
    mean = np.tile(by_day, (1, WEEKS))
    degrees = np.tile(np.where(same >= _MIN_SAME_WEEKDAYS, same / np.maximum(same - 1, 1), 1.0), (1, WEEKS))
    excess = (((clipped - mean) ** 2 * degrees - mean) * kept).sum(axis=1)
    squares = (mean**2 * kept).sum(axis=1)
    found = np.divide(squares, excess, out=np.full_like(squares, _STEADIEST), where=excess > 0)
    return np.asarray(np.clip(found, _WILDEST, _STEADIEST), dtype=np.float64)


def at_most(seen: Counts, expected: Floats, size: Floats) -> Floats:
    """P(X <= seen) for a negative binomial count with mean `expected` and variance m + m^2 / size; 1 where nothing is expected.

    Its distribution function is the regularised incomplete beta function I_p(size, seen + 1) with p = size / (size + m)
    (Johnson, Kemp, Kotz: Univariate Discrete Distributions, section 5.6).
    """
    mean = np.maximum(expected, 0.0)
    found = betainc(size, seen + 1.0, size / (size + mean))
    return np.asarray(np.where(mean > 0, found, 1.0), dtype=np.float64)
