"""Honest shares: from what a classifier said of a group of texts to the shares of the true classes, with an interval.

A classifier that errs gives biased shares: with 80 % right answers, counting its labels takes a true 10 % for 20 % or more. What it says is
therefore read as evidence. Held-out labelled texts tell how its answers fall for each true class (`ml.shares_calibration`); from these
answers and those of the group follows the posterior distribution of the true shares.

Belongs here: the estimate, pure and deterministic. Not here: where the answers come from, labelled texts, tables.

Method. The answers are sorted into BINS: the label, and how sure the model was of it. With y the true class and b the bin,
P(b | y) ~ Dirichlet(calibration counts of y + 1/BINS), theta ~ Dirichlet(1, 1, 1), n ~ Multinomial(theta P). P is drawn `DRAWS` times
from the calibration alone: the group does not teach the classifier's errors, so a large odd group cannot explain itself away. For each P
the posterior of theta is sampled by importance from a Student t around its mode on the log-odds scale, and the samples of all P make one
distribution. Shares are its means, ends its 2.5 % and 97.5 % points: sampling and the uncertain errors of the classifier are both in it.
Where at the mode less than half a text belongs to a class, its interval begins at 0, and where all but half a text do, it ends at 1 (as
the modified Jeffreys interval of Brown, Cai and DasGupta 2001): a share of 0 could never be covered otherwise.

That the mixture P(b) = sum_y theta_y P(b | y) holds under prevalence shift is the assumption of all adjusted counting (Forman 2008, Data
Mining and Knowledge Discovery 17; Bayesian form: Ziegler and Czyż 2024, Transactions on Machine Learning Research).
docs/honest-shares.md measures how far it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CLASSES = 3
LEVELS = 3
"""How sure the model was: two edges of the highest probability per label make three levels."""
BINS = CLASSES * LEVELS
DRAWS, POINTS = 400, 8
"""Draws of the classifier's errors, and sampled shares for each: 3,200 in all."""
_FREEDOM = 5.0
_PRIOR = 1.0
_STEPS = 60
_DECIMALS = 6
"""Shares are rounded to this: the last bits of exp and log differ between processors, a published figure must not."""

Counts = tuple[float, ...]


@dataclass(frozen=True)
class Shares:
    """Corrected shares (0 to 1, order negative, neutral, positive; they sum to 1 up to rounding) and the ends of their 95 % intervals."""

    share: tuple[float, float, float]
    low: tuple[float, float, float]
    high: tuple[float, float, float]


def bins_of(probabilities: NDArray[np.float64], labels: NDArray[np.intp], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """The bin (0 to BINS - 1) of each answer: `probabilities` (n, 3), `labels` (n,) the class it says, `edges` (3, LEVELS - 1) rising.

    The level is the number of the label's edges that the label's probability reaches.
    """
    sure = probabilities[np.arange(len(labels)), labels]
    bins: NDArray[np.intp] = labels * LEVELS + (sure[:, None] >= edges[labels]).sum(axis=1)
    return bins


def effective_counts(mentions_by_bin: Sequence[float], mentions: float, squared: float) -> Counts:
    """What a group weighs as evidence: its mentions by bin, scaled to its effective number of texts.

    A text that is repeated was read by the classifier once, right or wrong in all its copies, and was thought of once: its copies are no
    further evidence. With w_i mentions of text i, `mentions` is their sum, `squared` the sum of w_i squared, and the effective number is
    mentions^2 / squared (Kish 1965): the number of texts where each came once, towards 1 where one text is nearly all. Shares stay shares
    of mentions; only the interval knows of the repeats.
    """
    scale = mentions / squared if squared else 0.0
    return tuple(float(count) * scale for count in mentions_by_bin)


class ShareEstimator:
    """Estimates shares from one calibration: `counts` (3, BINS), labelled texts by true class and bin, and the seed of its draws.

    The same calibration, seed and group give the same figures, whatever was estimated before or beside.
    """

    def __init__(self, counts: NDArray[np.float64], seed: int) -> None:
        if counts.shape != (CLASSES, BINS) or not (counts.sum(axis=1) > 0).all():
            raise ValueError(f"calibration counts must be ({CLASSES}, {BINS}) with every class seen, got {counts.tolist()}")
        rng = np.random.default_rng(seed)
        gammas = rng.standard_gamma(np.broadcast_to(counts + 1.0 / BINS, (DRAWS, CLASSES, BINS)))
        self._errors = np.maximum(gammas / gammas.sum(axis=2, keepdims=True), 1e-12)
        normal = rng.standard_normal((DRAWS, POINTS, 2))
        stretch = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, (DRAWS, POINTS, 1)))
        self._t = normal * stretch
        self._t_density = -(_FREEDOM + 2) / 2 * np.log1p((self._t**2).sum(axis=2) / _FREEDOM)
        self.estimate = lru_cache(maxsize=100_000)(self._estimate)

    def _estimate(self, counts: Counts) -> Shares:
        """Corrected shares of a group from its effective counts by bin. Raises ValueError for a wrong length or a count below 0."""
        if len(counts) != BINS or min(counts) < 0:
            raise ValueError(f"expected {BINS} counts of at least 0, got {counts}")
        evidence = np.array(counts)
        mode = self._mode(evidence)
        points = mode.log_odds[:, None, :] + np.einsum("mij,mkj->mki", mode.spread, self._t)
        points = np.concatenate([points, np.zeros((DRAWS, POINTS, 1))], axis=2)
        points -= points.max(axis=2, keepdims=True)
        theta = np.exp(points)
        theta /= theta.sum(axis=2, keepdims=True)
        log_theta = np.log(np.maximum(theta, 1e-300))
        likelihood = np.einsum("mkb,b->mk", np.log(np.einsum("mky,myb->mkb", theta, self._errors)), evidence)
        log_weight = likelihood + _PRIOR * log_theta.sum(axis=2) - self._t_density
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True) * DRAWS
        return _summary(theta.reshape(-1, CLASSES), weight.reshape(-1), mode.found)

    def _mode(self, evidence: NDArray[np.float64]) -> "_Modes":
        """The mode of theta on the log-odds scale for each draw of the errors, by expectation maximisation."""
        total = evidence.sum() + CLASSES * _PRIOR
        theta = np.full((DRAWS, CLASSES), 1 / CLASSES)
        for _ in range(_STEPS):
            joint = theta[:, :, None] * self._errors
            joint *= (evidence / joint.sum(axis=1))[:, None, :]
            before, theta = theta, (joint.sum(axis=2) + _PRIOR) / total
            if np.abs(theta - before).max() < 1e-4:
                break
        joint = theta[:, :, None] * self._errors
        belongs = joint / joint.sum(axis=1, keepdims=True)
        kept, known = theta[:, :2], belongs[:, :2]
        spread = np.einsum("mi,ij->mij", kept, np.eye(2)) - kept[:, :, None] * kept[:, None, :]
        within = np.einsum("mib,b,ij->mij", known, evidence, np.eye(2)) - np.einsum("mib,mjb,b->mij", known, known, evidence)
        information = total * spread - within
        found = theta.mean(axis=0) * total - _PRIOR
        return _Modes(np.log(kept / theta[:, 2:]), _root_of_inverse(information), found)


@dataclass(frozen=True)
class _Modes:
    """Per draw `log_odds` (DRAWS, 2) against the last class, and `spread` (DRAWS, 2, 2), a square root of the inverse information; `found`
    (3,) the texts that belong to each class at the mode, on average over the draws.
    """

    log_odds: NDArray[np.float64]
    spread: NDArray[np.float64]
    found: NDArray[np.float64]


def _root_of_inverse(information: NDArray[np.float64]) -> NDArray[np.float64]:
    """L with L L' = inverse of each 2 x 2 matrix, in closed form; what is not safely positive is taken as little informative."""
    first = np.maximum(information[:, 0, 0], 0.05)
    second = np.maximum(information[:, 1, 1], 0.05)
    bound = 0.98 * np.sqrt(first * second)
    cross = np.clip(information[:, 0, 1], -bound, bound)
    determinant = first * second - cross**2
    root = np.zeros_like(information)
    root[:, 0, 0] = np.sqrt(second / determinant)
    root[:, 1, 0] = -cross / np.sqrt(determinant * second)
    root[:, 1, 1] = 1 / np.sqrt(second)
    return root


def _summary(theta: NDArray[np.float64], weight: NDArray[np.float64], found: NDArray[np.float64]) -> Shares:
    """`theta` (n, 3) with `weight` (n,) that sums to 1; `found` as in _Modes."""
    share: list[float] = []
    low: list[float] = []
    high: list[float] = []
    for values, texts in zip(theta.T, found, strict=True):
        order = np.argsort(values, kind="stable")
        rising, cumulated = values[order], np.cumsum(weight[order])
        ends = np.searchsorted(cumulated, (0.025 * cumulated[-1], 0.975 * cumulated[-1])).clip(0, len(rising) - 1)
        mean = float((values * weight).sum())
        # Of a very skewed distribution the mean lies beyond the ends: they then reach to it.
        lower = 0.0 if texts < 0.5 else min(mean, float(rising[ends[0]]))
        upper = 1.0 if found.sum() - texts < 0.5 else max(mean, float(rising[ends[1]]))
        for made, value in ((share, mean), (low, lower), (high, upper)):
            made.append(round(min(max(value, 0.0), 1.0), _DECIMALS))
    return Shares((share[0], share[1], share[2]), (low[0], low[1], low[2]), (high[0], high[1], high[2]))
