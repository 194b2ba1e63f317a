"""calibrate: how a model errs on labelled texts it never learned from, stored in its folder for the honest shares.

Belongs here: the order of the command. Not here: the counts (ml.shares_calibration).
"""

from collections.abc import Callable
from pathlib import Path

from ml.corpus.reading import read_posts
from ml.language_model import DEFAULT_MODEL, LanguageModel
from ml.shares_calibration import Calibration, calibrate, write_calibration


def calibrate_model(folder: Path | None, progress: Callable[[str], None]) -> tuple[Path, Calibration]:
    """Calibrate the model in `folder` (default: the one in use) on the held-out posts of the city corpus; returns the file written.

    Raises ModelError for a wrong folder, CalibrationError when the corpus does not allow it.
    """
    folder = folder or DEFAULT_MODEL
    model = LanguageModel.load(folder)
    progress(f"Reading the held-out posts with {model.model_id}")
    made = calibrate(model, read_posts())
    return write_calibration(folder, made), made


def summary(path: Path, made: Calibration) -> list[str]:
    """What was found, in lines for people."""
    rows = zip(("negative", "neutral", "positive"), made.counts, strict=True)
    lines = [f"{path}: {made.corpus_texts} texts of the corpus and {made.human_texts} labelled by people."]
    for index, (label, counts) in enumerate(rows):
        right = sum(counts[3 * index : 3 * index + 3]) / sum(counts)
        lines.append(f"{right:.1%} of the {label} texts are labelled {label}.")
    return lines
