"""Making the report and the card of a model folder. Belongs here: which sets, files and texts are measured. Not here: figures, words."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.corpus.reading import FOLDER
from ml.evaluation.card import card
from ml.evaluation.cascade import measured_cascade
from ml.evaluation.corpus_facts import corpus_facts
from ml.evaluation.measure import measure
from ml.evaluation.reader import Reader, read_as_the_lake
from ml.evaluation.report import CARD, CARD_DATA, Report, Shipped, Speed, as_json, read_report
from ml.labelled.city import challenge_set, city_corpus
from ml.labelled.shared import shared_sets
from ml.labelled.texts import LabelledSet, LabelledText
from ml.model_files import ModelError
from ml.recipes.recipe import CURVE, TRAINING_NOTES


def measured_sets(shared: Path, corpus: Path = FOLDER) -> tuple[list[LabelledSet], list[str]]:
    """The city's sets, then those found under the folder of shared data, and the names of the absent ones."""
    others, absent = shared_sets(shared)
    return [city_corpus(corpus), challenge_set(corpus), *others], absent


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def speed_of(reader: Reader, texts: Sequence[LabelledText], threads: int) -> Speed:
    """How fast distinct texts are read, tokenising included. Raises ValueError for no texts."""
    distinct = list({text.text: text for text in texts}.values())
    if not distinct:
        raise ValueError("no texts to read")
    read_as_the_lake(reader, distinct[:64])  # the first call makes what all later ones use
    began, used = time.perf_counter(), time.process_time()
    read_as_the_lake(reader, distinct)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    mean_characters = sum(len(text.text) for text in distinct) / len(distinct)
    return Speed(len(distinct), mean_characters, seconds, cpu_seconds, threads, processor())


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON ({error}): restore it or take it away.") from error


def files_of(folder: Path) -> dict[str, Shipped]:
    """The model's files as they lie there, the card itself left out."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in {CARD_DATA, CARD}:
            found[path.name] = Shipped(hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    return found


def make_report(
    reader: Reader, folder: Path, shared: Path, *, threads: int, corpus: Path = FOLDER, progress: Callable[[str], None] = lambda _: None
) -> Report:
    """Measure the model loaded from `folder`. Raises BadInputError for a broken data set, ConfigError for a wrong corpus line."""
    sets, absent = measured_sets(shared, corpus)
    measured = []
    for one in sets:
        progress(f"Measuring on {one.name}: {len(one.dev):,} texts")
        measured.append(measure(reader, one))
    return Report(
        model_id=reader.model_id,
        weights_digest=reader.weights_digest,
        files=files_of(folder),
        topic_ids=reader.topic_ids,
        training=_json(folder / TRAINING_NOTES),
        learning_curve=_json(folder / CURVE),
        corpus=corpus_facts(corpus),
        sets=measured,
        cascade=measured_cascade(folder, sets[:2], threads=threads),
        not_measured=absent,
        speed=speed_of(reader, [text for one in sets[:2] for text in one.dev], threads),
    )


def with_curve(folder: Path) -> Report:
    """The report in the folder with the learning curve that now lies there. Raises ModelError when either cannot be read."""
    return replace(read_report(folder / CARD_DATA), learning_curve=_json(folder / CURVE), files=files_of(folder))


def write_card(report: Report, folder: Path) -> Path:
    """Write card.json and card.md into the folder and return the card's path. What is read back is what the card was made from."""
    (folder / CARD_DATA).write_text(as_json(report), encoding="utf-8")
    (folder / CARD).write_text(card(read_report(folder / CARD_DATA)), encoding="utf-8")
    return folder / CARD
