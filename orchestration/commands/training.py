"""`./lake train`: a model from a recipe, measured against the one there is. Belongs here: the command's steps and its environment.

Training itself runs in another process and environment (.venv-train, from ml/training/requirements.txt): torch is none of the lake's.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from lake_config.errors import BadInputError, LakeError
from lake_config.registry import load_registry
from ml.corpus.reading import FOLDER as CORPUS
from ml.evaluation.gate import Comparison, compare, verdict
from ml.evaluation.measure import measure
from ml.evaluation.report import CARD_DATA, read_report
from ml.evaluation.reporting import files_of, make_report, with_curve, write_card
from ml.labelled.own_csv import own_set
from ml.language_model import DEFAULT_MODEL, LanguageModel
from ml.model_files import CURRENT, MODELS_FOLDER
from ml.recipes.recipe import CURVE, WEIGHTS, Job, read_recipe
from orchestration.commands.calibrating import calibrate_model
from orchestration.commands.terminal import Steps, print_table

ROOT = Path(__file__).resolve().parents[2]
_REQUIREMENTS = ROOT / "ml" / "training" / "requirements.txt"
THREADS = 2
_ENVIRONMENT = ROOT / ".venv-train"
# Large arrays are kept rather than given back to the system after each step: measured 3.5 times the tokens a second with bf16.
_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "1",
}


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for. `minutes` None: as the recipe says; `weights`: finish these instead of training.

    `shared` is the folder that holds data/ (sets of others) and models/ (encoders).
    """

    recipe: str
    minutes: float | None
    out: Path | None
    name: str | None
    own_csv: Path | None
    shared: Path
    weights: Path | None


def job_of(wanted: Wanted, home: Path, *, task: str = "model") -> Job:
    """The job, everything that can be wrong checked before anything is installed: recipe, names, folders, the city's own file.

    Raises BadInputError saying what is wrong and what to do.
    """
    recipe = read_recipe(wanted.recipe, **({} if wanted.minutes is None else {"minutes": wanted.minutes, "steps": None}))
    encoders = (wanted.shared / "models").resolve()
    model_id = wanted.name or f"{wanted.recipe}-{datetime.now(UTC):%Y%m%d}"
    out = (wanted.out or home / "training" / (model_id if task == "model" else task)).resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInputError(f"{out} exists already: take it away, or name another folder with --out.")
    if task == "model" and (MODELS_FOLDER / model_id).exists():
        raise BadInputError(f"There is a model {model_id} in ml/models already: give the new one another name with --name.")
    for folder in {recipe.encoder, recipe.tokenizer} if wanted.weights is None else {recipe.tokenizer}:
        if not (encoders / folder).is_dir():
            raise BadInputError(f"There is no encoder at {encoders / folder}: name the folder that holds models/{folder} with --shared.")
    if wanted.weights and not wanted.weights.is_file():
        raise BadInputError(f"There are no weights at {wanted.weights}.")
    topics = tuple(sorted(topic.id for topic in load_registry().topics))
    if wanted.own_csv:
        own_set(wanted.own_csv, topics)
    return Job(
        task="learning-curve" if task == "learning-curve" else "model",
        recipe_name=wanted.recipe,
        recipe=recipe,
        model_id=model_id,
        topics=topics,
        corpus=CORPUS,
        shared=(wanted.shared / "data").resolve(),
        encoders=encoders,
        own_csv=wanted.own_csv.resolve() if wanted.own_csv else None,
        weights=wanted.weights.resolve() if wanted.weights else None,
        out=out,
    )


def training_python(steps: Steps) -> Path:
    """The Python of the training environment, made on first use and again whenever its requirements change. Raises LakeError."""
    stamp, python = _ENVIRONMENT / ".lake-requirements", _ENVIRONMENT / "bin" / "python"
    wanted = _REQUIREMENTS.read_bytes()
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return python
    steps(f"Setting up the training environment in {_ENVIRONMENT}")
    try:
        # pip, not uv: it follows the machine's own choice of a PyTorch without CUDA (uv would fetch 3 GB of CUDA libraries).
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(_REQUIREMENTS)], check=True)
    except (subprocess.CalledProcessError, OSError) as error:
        raise LakeError(f"Setting up {_ENVIRONMENT} failed ({error}): a reachable package index is needed.") from error
    stamp.write_bytes(wanted)
    return python


def run_job(job: Job, steps: Steps) -> None:
    """Run the job in the training environment; its progress goes to standard error. Raises LakeError when it fails."""
    python = training_python(steps)
    job.out.mkdir(parents=True, exist_ok=True)
    described = job.out / "job.json"
    described.write_text(job.model_dump_json(indent=1) + "\n", encoding="utf-8")
    environment = os.environ | _MEMORY | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([str(python), "-m", "ml.training", str(described)], env=environment, cwd=ROOT, check=False)
    if done.returncode:
        raise LakeError(f"The training ended with exit code {done.returncode}: its last lines above say why. What it left is in {job.out}.")


def train(job: Job, steps: Steps) -> str | None:
    """Train, calibrate the new model, measure both, print the table, and put the new one in the place of the old one when it is better.

    Returns why it was refused, or None. Refused or not, the result stays in the job's folder, with its card.
    """
    run_job(job, steps)
    calibrate_model(job.out, steps)
    steps("Measuring the new model")
    new = LanguageModel.load(job.out, threads=THREADS)
    report = make_report(new, job.out, job.shared, threads=THREADS, progress=steps)
    write_card(report, job.out)
    steps(f"Measuring {DEFAULT_MODEL.name}, the model there is")
    old = make_report(LanguageModel.load(threads=THREADS), DEFAULT_MODEL, job.shared, threads=THREADS, progress=steps)
    before, after = list(old.sets), list(report.sets)
    if job.own_csv:
        own = own_set(job.own_csv, job.topics)
        before.append(measure(LanguageModel.load(threads=THREADS), own))
        after.append(measure(new, own))
    comparisons = compare(before, after)
    show(comparisons)
    refused = verdict(comparisons)
    if refused is None:
        install(job)
    return refused


def show(comparisons: Sequence[Comparison]) -> None:
    """The table of the gate on standard output, macro F1 in per cent."""
    rows = []
    for one in comparisons:
        needed = f"{100 * one.least:.1f}" if one.least else "too few texts"
        rows.append((one.name, one.spelling, f"{100 * one.old:.1f}", f"{100 * one.new:.1f}", needed, "yes" if one.holds else "NO"))
    print_table(("set", "spelling", "old", "new", "needed", "holds"), rows, title="Macro F1")


def install(job: Job) -> Path:
    """Copy the model's files, not the weights it was made from, to ml/models and make it the lake's model. Returns its folder."""
    home = MODELS_FOLDER / job.model_id
    shutil.copytree(job.out, home, ignore=shutil.ignore_patterns(WEIGHTS, "job.json"))
    write_card(replace(read_report(home / CARD_DATA), files=files_of(home)), home)
    CURRENT.write_text(job.model_id + "\n", encoding="utf-8")
    return home


def learning_curve(job: Job, steps: Steps) -> Path:
    """Run the curve and put it beside the card of the lake's model, which is written anew with it. Returns the card's path.

    Raises LakeError when that model has no card yet.
    """
    read_report(DEFAULT_MODEL / CARD_DATA)
    run_job(job, steps)
    return keep_curve(job.out / CURVE, DEFAULT_MODEL)


def keep_curve(curve: Path, folder: Path) -> Path:
    """Copy a learning curve beside the card in `folder` and write the card anew. Returns the card's path."""
    shutil.copyfile(curve, folder / CURVE)
    return write_card(with_curve(folder), folder)
