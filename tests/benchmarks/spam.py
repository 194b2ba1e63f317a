"""How well advertising and scams are told from other posts: by the rules of ml/spam.py, and by the model's flag where it has one.

Run: `python -m tests.benchmarks.spam [VISPAM_DEV_CSV]`. Writes the Markdown table of docs/copies-and-spam.md. Precision and recall with
Wilson 95 % intervals, F1 with a percentile bootstrap over texts (1,000 draws, seed 1).
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assets.gold.figures import wilson
from ml.corpus.reading import read_posts
from ml.language_model import LanguageModel
from ml.spam import spam_score

VISPAM = Path(__file__).parents[3] / "shared" / "data" / "vispam" / "dev.csv"
THRESHOLD = 0.5
Flags = NDArray[np.bool_]


def sets(vispam: Path) -> Iterator[tuple[str, list[str], Flags]]:
    """Name, texts, and which of them are spam, of each set that is there."""
    posts = list(read_posts())
    for split in ("train", "dev"):
        some = [post for post in posts if post.split == split]
        yield f"city corpus, {split}", [post.text for post in some], np.array([post.spam for post in some])
    if vispam.exists():
        with vispam.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        yield "vispam dev (shop reviews)", [row["Comment"] for row in rows], np.array([row["Label"] == "1" for row in rows])


def f1(truth: Flags, said: Flags) -> float:
    """Harmonic mean of precision and recall; 0 where nothing was found."""
    hits = int((truth & said).sum())
    return 2 * hits / max(1, int(truth.sum()) + int(said.sum()))


def line(name: str, how: str, truth: Flags, said: Flags) -> str:
    """One row of the table."""
    hits, drawn = int((truth & said).sum()), np.random.default_rng(1).integers(0, len(truth), (1_000, len(truth)))
    low, high = np.percentile([f1(truth[at], said[at]) for at in drawn], [2.5, 97.5])
    shares = [
        f"{hits / max(1, total):.0%} ({ends[0]:.0%} to {ends[1]:.0%})"
        for total in (int(said.sum()), int(truth.sum()))
        for ends in (wilson(hits, total),)
    ]
    return (
        f"| {name} | {how} | {len(truth):,} | {int(truth.sum())} | {' | '.join(shares)} | {f1(truth, said):.0%} ({low:.0%} to {high:.0%}) |"
    )


def main(arguments: list[str]) -> None:
    """Measure, and write the table to standard output."""
    model = LanguageModel.load()
    lines = ["| set | by | texts | spam | precision | recall | F1 |", "|---|---|---|---|---|---|---|"]
    for name, texts, truth in sets(Path(arguments[0]) if arguments else VISPAM):
        lines.append(line(name, "rules", truth, np.array([spam_score(text) >= THRESHOLD for text in texts])))
        flags = model.read(texts).flags
        if "spam" in flags:
            lines.append(line(name, model.model_id, truth, flags["spam"] >= THRESHOLD))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
