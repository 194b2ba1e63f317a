"""`./lake eval`: measure a model and write its card. Belongs here: the command's steps. Not here: figures and words (`ml.evaluation`)."""

from pathlib import Path

from ml.evaluation.report import CARD_DATA
from ml.evaluation.reporting import make_report, write_card
from ml.language_model import DEFAULT_MODEL, LanguageModel
from orchestration.commands.terminal import Steps


def evaluate(folder: Path | None, shared: Path, threads: int, steps: Steps) -> tuple[str, Path]:
    """Measure the model in `folder` (default: the lake's), write its card, and return the report as JSON and the card's path.

    Sets that are absent from `shared`/data are said to be not measured. Raises ModelError for a missing or altered file, BadInputError
    for a broken data set.
    """
    folder = folder or DEFAULT_MODEL
    reader = LanguageModel.load(folder, threads=threads)
    report = make_report(reader, folder, shared / "data", threads=threads, progress=steps)
    for name in report.not_measured:
        steps(f"Not measured: {shared / 'data' / name} is absent")
    written = write_card(report, folder)
    return (folder / CARD_DATA).read_text(encoding="utf-8"), written
