"""Corrected shares against an exact computation, their coverage where the assumptions hold, and calibrations that must be refused."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml.corpus.reading import CorpusPost, read_posts
from ml.language_model import DEFAULT_MODEL, Readings
from ml.model_files import read_model
from ml.quantification import BINS, DRAWS, ShareEstimator, bins_of, effective_counts
from ml.sentiment import LABELS
from ml.shares_calibration import FILE, CalibrationError, calibrate, held_out, read_calibration, write_calibration

ERRORS = np.array([[40, 30, 20, 4, 3, 2, 1, 1, 1], [10, 8, 5, 30, 25, 20, 4, 3, 2], [2, 2, 2, 9, 7, 4, 20, 30, 40]], float)


class Answering:
    """Stands for a model: its answer is a pure function of the text's letters."""

    model_id, weights_digest = "answering", "a" * 64

    def read(self, texts: Sequence[str], contexts: Sequence[str | None] | None = None) -> Readings:
        assert contexts is not None
        weights = np.array([[1 + (sum(map(ord, text)) * prime) % 9973 for prime in (31, 57, 89)] for text in texts], float)
        sentiment: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
        return Readings(sentiment, np.zeros((len(texts), 0)), {}, np.zeros(len(texts), bool))


def exact(estimator: ShareEstimator, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The same posterior summed over a grid of the simplex, step 1/200, for each drawn matrix of errors."""
    grid = np.array([(i, j, 200 - i - j) for i in range(201) for j in range(201 - i)]) / 200
    density = np.zeros(len(grid))
    for errors in estimator._errors:
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.where(counts > 0, counts * np.log(grid @ errors), 0).sum(axis=1)
        weight = np.exp(log - log.max())
        density += weight / weight.sum()
    density /= density.sum()
    ends = []
    for values in grid.T:
        order = np.argsort(values, kind="stable")
        ends.append(values[order][np.searchsorted(np.cumsum(density[order]), [0.025, 0.975])])
    low, high = np.array(ends).T
    return density @ grid, low, high


@pytest.mark.parametrize("counts", [(0, 0, 1, 0, 0, 0, 0, 0, 0), (5, 4, 3, 2, 1, 0, 2, 2, 1), (60, 40, 31, 22, 25, 18, 9, 20, 30)])
def test_the_estimate_is_the_posterior(counts: tuple[float, ...]) -> None:
    estimator = ShareEstimator(ERRORS, 5)
    found = estimator.estimate(counts)
    share, low, high = exact(estimator, np.array(counts, float))
    assert np.abs(np.array(found.share) - share).max() < 0.01
    for index in range(3):
        assert found.low[index] == pytest.approx(low[index], abs=0.025) or (sum(counts) < 2 and found.low[index] == 0)
        assert found.high[index] == pytest.approx(high[index], abs=0.025) or (sum(counts) < 2 and found.high[index] == 1)


COUNTS = st.lists(st.floats(0, 1e5), min_size=BINS, max_size=BINS).map(tuple)


@given(COUNTS)
def test_any_group_has_shares_within_their_intervals(counts: tuple[float, ...]) -> None:
    found = ESTIMATOR.estimate(counts)
    assert sum(found.share) == pytest.approx(1, abs=1e-5)
    for share, low, high in zip(found.share, found.low, found.high, strict=True):
        assert 0 <= low <= share <= high <= 1


ESTIMATOR = ShareEstimator(ERRORS, 1)


def test_an_estimate_depends_on_its_group_and_calibration_only() -> None:
    groups = [tuple(float(n) for n in row) for row in np.random.default_rng(3).integers(0, 60, (20, BINS))]
    first = [ShareEstimator(ERRORS, 8).estimate(group) for group in groups]
    other = ShareEstimator(ERRORS, 8)
    assert [other.estimate(group) for group in reversed(groups)][::-1] == first
    assert ShareEstimator(ERRORS, 9).estimate(groups[0]) != first[0]


def test_a_perfect_classifier_is_believed() -> None:
    perfect = np.zeros((3, BINS))
    perfect[[0, 0, 1, 1, 2, 2], [0, 2, 3, 5, 6, 8]] = 5000
    found = ShareEstimator(perfect, 1).estimate((60.0, 0, 140.0, 300.0, 0, 0, 250.0, 0, 250.0))
    assert found.share == pytest.approx((0.2, 0.3, 0.5), abs=0.01)
    assert max(high - low for low, high in zip(found.low, found.high, strict=True)) < 0.08


def test_nothing_known_nothing_said() -> None:
    found = ESTIMATOR.estimate((0.0,) * BINS)
    assert found.share == pytest.approx((1 / 3,) * 3, abs=0.03)
    assert all(high - low > 0.8 for low, high in zip(found.low, found.high, strict=True))


def test_repeats_widen_the_interval_and_leave_the_share_of_mentions() -> None:
    even = effective_counts([10, 20, 10, 5, 5, 0, 20, 20, 10], 100, 100)
    assert sum(even) == 100
    repeated = effective_counts([10, 20, 10, 5, 5, 0, 20, 20, 10], 100, 1000)  # as ten texts of ten mentions each
    assert sum(repeated) == pytest.approx(10)
    assert np.array(repeated) / 10 == pytest.approx(np.array(even) / 100)
    narrow, wide = ESTIMATOR.estimate(even), ESTIMATOR.estimate(repeated)
    assert wide.high[0] - wide.low[0] > 1.5 * (narrow.high[0] - narrow.low[0])
    assert effective_counts([0] * BINS, 0, 0) == (0.0,) * BINS


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """In a world where the assumptions hold; the bounds are those of 95 % +- 3 for 300 groups of three shares."""
    rng, covered = np.random.default_rng(11), []
    errors = ERRORS / ERRORS.sum(axis=1, keepdims=True)
    for repeat in range(300):
        calibration = np.array([rng.multinomial(250, row) for row in errors], float)
        truth = rng.dirichlet(np.ones(3))
        group = rng.multinomial((50, 300)[repeat % 2], truth @ errors)
        found = ShareEstimator(calibration, repeat).estimate(tuple(float(n) for n in group))
        covered += [low <= true <= high for true, low, high in zip(truth, found.low, found.high, strict=True)]
    assert 0.92 <= np.mean(covered) <= 0.98


def test_bins_are_label_and_level() -> None:
    probabilities = np.array([[0.4, 0.3, 0.3], [0.9, 0.05, 0.05], [0.1, 0.5, 0.4], [0.0, 0.2, 0.8]])
    edges = np.array([[0.5, 0.8], [0.5, 0.6], [0.85, 0.9]])
    assert bins_of(probabilities, np.array([0, 0, 1, 2]), edges).tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize("counts", [(1.0,) * 8, (1.0,) * 8 + (-1.0,)])
def test_a_wrong_group_is_refused(counts: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected 9 counts"):
        ESTIMATOR.estimate(counts)


def test_a_calibration_without_a_class_is_refused() -> None:
    with pytest.raises(ValueError, match="every class seen"):
        ShareEstimator(np.array([[1.0] * BINS, [0.0] * BINS, [1.0] * BINS]), 1)
    assert ESTIMATOR._errors.shape == (DRAWS, 3, BINS)


@pytest.fixture(scope="module")
def posts() -> list[CorpusPost]:
    return read_posts()


def test_dev_posts_that_were_learned_from_are_refused(posts: list[CorpusPost]) -> None:
    dev = held_out(posts)
    assert {post.split for post in dev} == {"dev"}
    train = next(post for post in posts if post.split == "train")
    with pytest.raises(CalibrationError, match=r"dev-copy is in the train split .* part them"):
        held_out([*posts, dev[0].model_copy(update={"id": "dev-copy", "text": train.text.upper()})])
    with pytest.raises(CalibrationError, match=r"dev-copy is in the train split"):
        held_out([*posts, dev[0].model_copy(update={"id": "dev-copy", "story": train.story})])


def test_a_calibration_counts_the_held_out_posts(posts: list[CorpusPost]) -> None:
    dev = held_out(posts)
    made = calibrate(Answering(), posts)
    assert made.corpus_texts == len(dev)
    assert [sum(row) for row in made.counts] == [sum(post.sentiment == label for post in dev) for label in LABELS]
    assert made == calibrate(Answering(), list(reversed(posts)))
    levels = np.array(made.counts).sum(axis=0).reshape(3, 3)
    assert (levels.max(axis=1) - levels.min(axis=1) <= 0.1 * levels.sum(axis=1)).all()


def test_too_few_texts_are_refused(posts: list[CorpusPost]) -> None:
    few = [post for post in posts if post.split == "train" or post.sentiment != "positive"]
    with pytest.raises(CalibrationError, match=r"Only 0 held-out texts are positive, at least 30 are needed"):
        calibrate(Answering(), few)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))


def test_a_calibration_is_a_file_of_the_model(folder: Path, posts: list[CorpusPost]) -> None:
    made = calibrate(Answering(), posts)
    for _ in range(2):
        write_calibration(folder, made)
        assert read_model(folder)[0].files.keys() == read_model(DEFAULT_MODEL)[0].files.keys() | {FILE}
    assert read_calibration(folder, Answering()) == made
    assert not [text for text in (post.text for post in posts[:500]) if text in (folder / FILE).read_text("utf-8")]
    facts = (folder / "model.yaml").read_text("utf-8").replace(f"  {FILE}", "  other.json")
    (folder / "model.yaml").write_text(facts, "utf-8")
    write_calibration(folder, made)
    assert f"  {FILE}: " in (folder / "model.yaml").read_text("utf-8")


def test_a_calibration_of_other_weights_or_none_is_refused(folder: Path, posts: list[CorpusPost]) -> None:
    write_calibration(folder, calibrate(Answering(), posts))
    other = Answering()
    other.weights_digest = "b" * 64
    with pytest.raises(CalibrationError, match=r"was made for answering \(aaaaaaaaaaaa…\), .* run \./lake calibrate --model"):
        read_calibration(folder, other)
    content = json.loads((folder / FILE).read_text("utf-8"))
    content["counts"][0][0] = -1
    (folder / FILE).write_text(json.dumps(content), "utf-8")
    with pytest.raises(CalibrationError, match=r"calibration\.json, the file: .*counts must be 3 rows of 9"):
        read_calibration(folder, Answering())
    (folder / FILE).unlink()
    with pytest.raises(CalibrationError, match=r"calibration\.json cannot be read .* run \./lake calibrate"):
        read_calibration(folder, Answering())
