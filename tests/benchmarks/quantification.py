"""How good the honest shares are: error, coverage and width of several ways to count, under shift. Writes docs/honest-shares.*.

Run: `.venv-tools/bin/uv run --group bench python -m tests.benchmarks.quantification [--model FOLDER] [--repeats 400]`.

The held-out posts of the city corpus, answered by the model, are the population. In the artificial world both the calibration texts (as
many as there are) and the groups are drawn from it with replacement, the groups with shares from Dirichlet(1, 1, 1): what holds for the
method when the errors of the classifier are the same in the group. The other tests use posts that the calibration never saw, taken without
replacement. The methods compared with are those of the library mlquantify.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from mlquantify.counting import GACC, GPACC
from mlquantify.likelihood import EMQ
from mlquantify.matching import DyS, HDy
from numpy.typing import NDArray

from assets.gold.figures import wilson
from ml.corpus.reading import CorpusPost, read_posts
from ml.language_model import DEFAULT_MODEL, LanguageModel
from ml.quantification import BINS, ShareEstimator, Shares, bins_of, effective_counts
from ml.shares_calibration import Answers, answers_of, counts_of, edges_of, held_out

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIZES = (20, 50, 100, 300, 1000)
_BOOTSTRAPS = 60
Vector = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass
class Tally:
    """What one method did over the repeats of one test."""

    errors: list[float]
    covered: list[float]
    widths: list[float]

    @classmethod
    def empty(cls) -> "Tally":
        return cls([], [], [])

    def add(self, estimate: Vector, truth: Vector, low: Vector | None = None, high: Vector | None = None) -> None:
        self.errors.append(float(np.abs(estimate - truth).mean()))
        if low is not None and high is not None:
            self.covered.append(float(((low - 1e-9 <= truth) & (truth <= high + 1e-9)).mean()))
            self.widths.append(float((high - low).mean()))

    def row(self, **names: object) -> dict[str, object]:
        mean = {
            "error_points": self.errors and 100 * np.mean(self.errors),
            "coverage": np.mean(self.covered) if self.covered else None,
            "width_points": 100 * np.mean(self.widths) if self.widths else None,
        }
        return {**names, "repeats": len(self.errors), **{k: None if v is None else round(float(v), 4) for k, v in mean.items()}}


class World:
    """The held-out posts and how the model answers them."""

    def __init__(self, posts: list[CorpusPost], answers: Answers) -> None:
        self.answers, self.size = answers, len(posts)
        self.story = np.array([post.story for post in posts])
        self.groups = {
            "topic": np.array([min(post.topics, default="none") for post in posts]),
            "half-year": np.array([f"{post.written[:4]}-{'a' if post.written[5:] < '07' else 'b'}" for post in posts]),
            "kind": np.array([post.kind for post in posts]),
        }
        self.of_class = [np.flatnonzero(answers.truth == label) for label in range(3)]

    def part(self, chosen: Indices) -> Answers:
        return Answers(self.answers.truth[chosen], self.answers.probabilities[chosen], np.ones(len(chosen)))


class Fitted:
    """Our estimate with the calibration texts of one repeat."""

    def __init__(self, calibration: Answers) -> None:
        self.edges = edges_of(calibration)
        self.estimator = ShareEstimator(counts_of(calibration, self.edges), 1)

    def __call__(self, group: Answers, mentions: Vector | None = None, *, as_texts: bool = True) -> Shares:
        weights = np.ones(len(group.truth)) if mentions is None else mentions
        bins = bins_of(group.probabilities, group.labels, self.edges)
        by_bin = np.bincount(bins, weights, BINS).tolist()
        squared = float((weights**2).sum()) if as_texts else float(weights.sum())
        return self.estimator.estimate(effective_counts(by_bin, float(weights.sum()), squared))


def ends(shares: Shares) -> tuple[Vector, Vector, Vector]:
    return np.array(shares.share), np.array(shares.low), np.array(shares.high)


def raw_with_wilson(group: Answers) -> tuple[Vector, Vector, Vector]:
    counts = np.bincount(group.labels, minlength=3)
    pairs = np.array([wilson(int(count), len(group.truth)) for count in counts])
    return counts / len(group.truth), pairs[:, 0], pairs[:, 1]


def _one_against_rest(method: Callable[[], Any], group: Answers, calibration: Answers) -> Vector:
    shares = []
    for label in range(3):
        two = [np.column_stack([1 - p[:, label], p[:, label]]) for p in (group.probabilities, calibration.probabilities)]
        quantifier = method()
        quantifier.classes_ = np.array([0, 1])
        shares.append(quantifier.aggregate(*two, (calibration.truth == label).astype(int))[1])
    found = np.maximum(np.array(shares), 1e-9)
    return found / found.sum()


def _soft(method: Callable[[], Any], group: Answers, calibration: Answers) -> Vector:
    return np.asarray(method().aggregate(group.probabilities, calibration.probabilities, calibration.truth))


def _hard(group: Answers, calibration: Answers) -> Vector:
    return np.asarray(GACC().aggregate(group.labels, calibration.labels, calibration.truth))


PEERS: dict[str, Callable[[Answers, Answers], Vector]] = {
    "ACC": _hard,
    "PACC": partial(_soft, GPACC),
    "EMQ": partial(_soft, EMQ),
    "EMQ-BCTS": partial(_soft, partial(EMQ, calib_function="bcts")),
    "HDy": partial(_one_against_rest, HDy),
    "DyS": partial(_one_against_rest, DyS),
}


def bootstrap(group: Answers, calibration: Answers, rng: np.random.Generator) -> tuple[Vector, Vector, Vector]:
    """PACC with a percentile interval from resampling both the group and the calibration texts."""

    def again(part: Answers) -> Answers:
        chosen = rng.integers(0, len(part.truth), len(part.truth))
        return Answers(part.truth[chosen], part.probabilities[chosen], part.weight[chosen])

    found = np.array([PEERS["PACC"](again(group), again(calibration)) for _ in range(_BOOTSTRAPS)])
    low, high = np.quantile(found, (0.025, 0.975), axis=0)
    return PEERS["PACC"](group, calibration), low, high


def drawn(world: World, size: int, rng: np.random.Generator) -> tuple[Answers, Vector]:
    """A group of the artificial world and its true shares."""
    truth = rng.dirichlet(np.ones(3))
    counts = rng.multinomial(size, truth)
    return world.part(np.concatenate([rng.choice(of, n) for of, n in zip(world.of_class, counts, strict=True)])), truth


def artificial(world: World, repeats: int, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    for size in SIZES:
        tallies = {name: Tally.empty() for name in ("raw", *PEERS, "PACC, bootstrap", "ours")}
        for repeat in range(repeats):
            calibration = world.part(rng.integers(0, world.size, world.size))
            group, truth = drawn(world, size, rng)
            tallies["ours"].add(*_told(Fitted(calibration)(group), truth))
            tallies["raw"].add(*_reordered(raw_with_wilson(group), truth))
            if repeat % 3 == 0:
                for name, method in PEERS.items():
                    tallies[name].add(method(group, calibration), truth)
            if repeat % 8 == 0:
                tallies["PACC, bootstrap"].add(*_reordered(bootstrap(group, calibration, rng), truth))
        yield from (tally.row(test="artificial", n=size, method=name) for name, tally in tallies.items())


def repeated(world: World, repeats: int, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Groups in which some texts are copied many times: the interval of texts against that of mentions."""
    for size in SIZES:
        tallies = {name: Tally.empty() for name in ("by texts", "by mentions")}
        for _ in range(repeats // 2):
            fitted = Fitted(world.part(rng.integers(0, world.size, world.size)))
            group, truth = drawn(world, size, rng)
            mentions = np.minimum(rng.zipf(2.0, size), 200).astype(float)
            for name, tally in tallies.items():
                tally.add(*_told(fitted(group, mentions, as_texts=name == "by texts"), truth))
        yield from (tally.row(test="repeats", n=size, method=name) for name, tally in tallies.items())


def without_replacement(world: World, pool: Indices, size: int, rng: np.random.Generator) -> tuple[Indices, Vector] | None:
    """A group of given size with random shares, or None where the pool has too few of a class for them."""
    truth = rng.dirichlet(np.ones(3))
    counts = rng.multinomial(size, truth)
    parts = [rng.permutation(pool[world.answers.truth[pool] == label]) for label in range(3)]
    if any(len(part) < count for part, count in zip(parts, counts, strict=True)):
        return None
    return np.concatenate([part[:count] for part, count in zip(parts, counts, strict=True)]), truth


def held_out_stories(world: World, repeats: int, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Calibrated on half of the stories, measured on the other half."""
    stories = np.unique(world.story)
    for size in SIZES[:3]:
        ours, raw = Tally.empty(), Tally.empty()
        for _ in range(repeats):
            known = np.isin(world.story, rng.permutation(stories)[: len(stories) // 2])
            found = without_replacement(world, np.flatnonzero(~known), size, rng)
            if found is not None:
                group = world.part(found[0])
                ours.add(*_told(Fitted(world.part(np.flatnonzero(known)))(group), found[1]))
                raw.add(*_reordered(raw_with_wilson(group), found[1]))
        yield ours.row(test="other stories", n=size, method="ours")
        yield raw.row(test="other stories", n=size, method="raw")


def natural(world: World, repeats: int, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    """Calibrated without a topic, half-year or kind, measured on it: as it is, and with its shares shifted."""
    for name, keys in world.groups.items():
        plain = {"ours": Tally.empty(), "raw": Tally.empty()}
        shifted = {size: {"ours": Tally.empty(), "raw": Tally.empty()} for size in SIZES[:3]}
        for key in np.unique(keys):
            inside = np.flatnonzero(keys == key)
            if len(inside) < SIZES[0]:
                continue
            fitted = Fitted(world.part(np.flatnonzero(keys != key)))
            group = world.part(inside)
            own = np.bincount(group.truth, minlength=3) / len(inside)
            plain["ours"].add(*_told(fitted(group), own))
            plain["raw"].add(*_reordered(raw_with_wilson(group), own))
            for size, tallies in shifted.items():
                for _ in range(repeats // 8):
                    found = without_replacement(world, inside, size, rng)
                    if found is not None:
                        tallies["ours"].add(*_told(fitted(world.part(found[0])), found[1]))
                        tallies["raw"].add(*_reordered(raw_with_wilson(world.part(found[0])), found[1]))
        yield from (tally.row(test=f"another {name}", n=None, method=method) for method, tally in plain.items())
        for size, tallies in shifted.items():
            yield from (
                tally.row(test=f"another {name}, shares shifted", n=size, method=method)
                for method, tally in tallies.items()
                if tally.errors
            )


def _told(shares: Shares, truth: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    return _reordered(ends(shares), truth)


def _reordered(found: tuple[Vector, Vector, Vector], truth: Vector) -> tuple[Vector, Vector, Vector, Vector]:
    return found[0], truth, found[1], found[2]


def milliseconds(world: World, rng: np.random.Generator) -> float:
    """CPU time of one estimate that was not asked before."""
    fitted = Fitted(world.answers)
    groups = [drawn(world, size, rng)[0] for size in SIZES for _ in range(40)]
    began = process_time()
    for group in groups:
        fitted(group)
    return 1000 * (process_time() - began) / len(groups)


def plot(rows: list[dict[str, Any]], path: Path, title: str) -> None:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    of = {
        name: [row for row in rows if row["test"] == "artificial" and row["method"] == name]
        for name in dict.fromkeys(r["method"] for r in rows)
    }
    left.axhspan(93, 97, color="#2a9d8f", alpha=0.15, label="mục tiêu / target 95 ± 2 %")
    shown = (
        ("ours", "đã hiệu chỉnh / corrected", "#1d3557"),
        ("PACC, bootstrap", "PACC + bootstrap", "#e9a03b"),
        ("raw", "đếm nhãn / raw, Wilson", "#c1121f"),
    )
    for name, label, colour in shown:
        left.plot([r["n"] for r in of[name]], [100 * r["coverage"] for r in of[name]], marker="o", color=colour, label=label)
    left.set(
        xscale="log",
        xlabel="số văn bản / texts in the group",
        ylabel="%",
        ylim=(0, 101),
        title="Khoảng 95 % chứa giá trị thật / coverage of the truth",
    )
    for name, colour in (
        ("raw", "#c1121f"),
        ("ACC", "#8d99ae"),
        ("PACC", "#e9a03b"),
        ("EMQ", "#9d4edd"),
        ("EMQ-BCTS", "#5a189a"),
        ("HDy", "#606c38"),
        ("DyS", "#bc6c25"),
        ("ours", "#1d3557"),
    ):
        right.plot(
            [r["n"] for r in of[name]],
            [r["error_points"] for r in of[name]],
            marker="o",
            color=colour,
            label=name,
            linewidth=2.4 if name == "ours" else 1.2,
        )
    right.set(
        xscale="log",
        xlabel="số văn bản / texts in the group",
        ylabel="điểm phần trăm / points",
        title="Sai lệch trung bình / mean absolute error",
        ylim=(0, None),
    )
    for axes in (left, right):
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| test | n | method | mean error, points | coverage of the 95 % interval | width, points | repeats |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        coverage = "" if row["coverage"] is None else f"{row['coverage']:.1%}"
        width = "" if row["width_points"] is None else f"{row['width_points']:.1f}"
        size = "own size" if row["n"] is None else f"{row['n']:,}"
        lines.append(f"| {row['test']} | {size} | {row['method']} | {row['error_points']:.1f} | {coverage} | {width} | {row['repeats']} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and write docs/honest-shares.json, the table of docs/honest-shares.md and docs/images/honest-shares.png."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--repeats", type=int, default=400)
    given = parser.parse_args()
    model = LanguageModel.load(given.model)
    posts = held_out(read_posts())
    world, rng = World(posts, answers_of(model, posts)), np.random.default_rng(20240210)
    rows = [row for test in (artificial, repeated, held_out_stories, natural) for row in test(world, given.repeats, rng)]
    facts = {
        "model_id": model.model_id,
        "weights_digest": model.weights_digest,
        "held_out_posts": world.size,
        "accuracy": round(float((world.answers.labels == world.answers.truth).mean()), 4),
        "milliseconds_per_group": round(milliseconds(world, rng), 2),
        "rows": rows,
    }
    (DOCS / "honest-shares.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    plot(rows, DOCS / "images" / "honest-shares.png", f"{model.model_id}, {world.size} posts, accuracy {facts['accuracy']:.1%}")
    page = DOCS / "honest-shares.md"
    before, _, rest = page.read_text("utf-8").partition("<!-- figures -->")
    after = rest.partition("<!-- end of figures -->")[2]
    said = (
        f"Model {model.model_id}, {world.size:,} held-out posts, {facts['accuracy']:.1%} of them labelled right; one estimate takes "
        f"{facts['milliseconds_per_group']} ms of CPU."
    )
    page.write_text(f"{before}<!-- figures -->\n\n{said}\n\n{table(rows)}\n\n<!-- end of figures -->{after}", "utf-8")


if __name__ == "__main__":
    main()
