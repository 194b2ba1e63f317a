"""`python -m ml.training JOB.json`: one training run as the job says. Started by `./lake train`, in the training environment.

Belongs here: the order of a run and what it leaves in the job's folder: weights.safetensors, training.json (how they were made) and the
model's files; or learning_curve.json, where the job asks for that.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import torch

from lake_config.errors import LakeError
from ml.labelled.texts import FLAGS, LABELS
from ml.recipes.recipe import CURVE, TRAINING_NOTES, WEIGHTS, Job
from ml.training.batches import Feed, Stream, reader
from ml.training.curve import points
from ml.training.examples import Gathered, gather, shares
from ml.training.finish import finish
from ml.training.fit import Run, fit
from ml.training.network import Network, pretrained
from ml.training.torch_reader import TorchReader


def say(message: str) -> None:
    """One line of progress on standard error."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def train(job: Job) -> tuple[Network, Gathered, dict[str, float], Run]:
    """Run the job: the network trained, the examples, the shares they had, and the account of the run."""
    recipe = job.recipe
    torch.manual_seed(recipe.seed)
    tokens = reader(job.encoders / recipe.tokenizer)
    network = pretrained(job.encoders / recipe.encoder, recipe.layers, recipe.exits, len(LABELS) + len(job.topics) + len(FLAGS))
    gathered = gather(job)
    for name in gathered.absent:
        say(f"Not trained on: {job.shared / name} is absent")
    parts = shares(recipe.shares, gathered.groups)
    say("Training on " + ", ".join(f"{name} {count:,}" for name, count in gathered.sets.items()))
    seeds = np.random.SeedSequence(recipe.seed).spawn(len(parts) + 1)
    streams = {group: Stream(gathered.groups[group], np.random.default_rng(seed)) for group, seed in zip(parts, seeds[1:], strict=True)}
    run = fit(network, Feed(recipe, tokens, streams, parts, np.random.default_rng(seeds[0])), recipe, say)
    return network, gathered, {str(group): round(part, 4) for group, part in parts.items()}, run


def notes(job: Job, gathered: Gathered, parts: dict[str, float], run: Run) -> dict[str, object]:
    """How the model was made, for its card."""
    recipe = job.recipe
    return {
        "recipe": job.recipe_name,
        "what": recipe.what,
        "encoder": f"{recipe.encoder}: {recipe.encoder_terms}",
        "layers": recipe.layers,
        "exits": ", ".join(map(str, recipe.exits)),
        "sets": gathered.sets,
        "shares": parts,
        "absent": ", ".join(gathered.absent) or "none",
        "steps": run.steps,
        "tokens": run.tokens,
        "minutes": round(run.seconds / 60, 1),
        "threads": job.recipe.threads,
        "seed": recipe.seed,
        "loss at the end": round(run.loss, 4),
        "torch": torch.__version__.partition("+")[0],
    }


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _curve(job: Job) -> None:
    def one(part: Job) -> tuple[Network, TorchReader, Run]:
        network, _, _, run = train(part)
        tokens = reader(part.encoders / part.recipe.tokenizer)
        return network, TorchReader(network, tokens, part.topics, part.recipe.exits[-1]), run

    found = []
    for point in points(job, one):
        found.append(point)
        _write(job.out / CURVE, found)
        say(f"{point['posts']:,} posts: macro F1 {100 * point['macro_f1']['value']:.1f} on the dev half")


def run_job(job: Job) -> None:
    """What the job says. Raises LakeError for wrong data, a missing encoder or weights that do not fit."""
    torch.set_num_threads(job.recipe.threads)
    job.out.mkdir(parents=True, exist_ok=True)
    if job.task == "learning-curve":
        _curve(job)
        return
    weights = job.weights or job.out / WEIGHTS
    if job.weights is None:
        network, gathered, parts, run = train(job)
        network.save(weights)
        _write(job.out / TRAINING_NOTES, notes(job, gathered, parts, run))
    elif (notes_beside := weights.parent / TRAINING_NOTES).exists():
        shutil.copyfile(notes_beside, job.out / TRAINING_NOTES)
    say("Writing the model in int8 and choosing its thresholds")
    finish(job, weights)


def main() -> None:
    """Run the job named on the command line; a LakeError becomes its sentence and exit code 1."""
    try:
        run_job(Job.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except LakeError as error:
        say(str(error))
        sys.exit(1)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
