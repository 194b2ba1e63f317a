"""Training for real, for a few steps, in its own environment: a model folder comes out that the run time reads."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lake_config.errors import BadInputError
from ml.evaluation.cascade import measured_cascade
from ml.labelled.city import challenge_set
from ml.language_model import LanguageModel
from ml.model_files import MODELS_FOLDER
from ml.recipes.recipe import TRAINING_NOTES, WEIGHTS, Job, read_recipe
from orchestration.commands.training import ROOT, Wanted, job_of

PYTHON = ROOT / ".venv-train" / "bin" / "python"
SHARED = ROOT.parent / "shared"


def wanted(**changes: Any) -> Wanted:
    given = {"recipe": "city-free", "minutes": None, "out": None, "name": "trial", "own_csv": None, "shared": SHARED, "weights": None}
    return Wanted(**(given | changes))


@pytest.mark.skipif(not (SHARED / "models").is_dir(), reason="the encoders are not at ../shared/models")
@pytest.mark.skipif(not PYTHON.exists(), reason="there is no training environment yet: ./lake train makes it")
def test_a_short_run_leaves_a_model_that_reads(tmp_path: Path) -> None:
    short = read_recipe("city-free", layers=2, exits=[1, 2], steps=2, batch_tokens=512)
    made = job_of(wanted(out=tmp_path / "run"), tmp_path)
    job = Job.model_validate(made.model_dump() | {"recipe": short.model_dump(), "posts": 300})
    job.out.mkdir()
    (job.out / "job.json").write_text(job.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [str(PYTHON), "-m", "ml.training", str(job.out / "job.json")], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    notes = json.loads((job.out / TRAINING_NOTES).read_text(encoding="utf-8"))
    assert (notes["steps"], notes["sets"], notes["shares"]) == (2, {"city": 300}, {"city": 1.0})
    assert (job.out / WEIGHTS).exists()
    model = LanguageModel.load(job.out)
    assert model.model_id == "trial"
    assert model.topic_ids == job.topics
    reading = model.read(["Đường ngập quá", "Cảm ơn"], [None, "Bài báo"])
    assert reading.sentiment.shape == (2, 3)
    assert reading.topics.shape == (2, len(job.topics))
    assert set(reading.flags) == {"constructive", "toxic", "spam"}
    (found,) = measured_cascade(job.out, [challenge_set()])
    assert 0 <= found.deep_share <= 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": "town"}, r"There is no recipe 'town'"),
        ({"minutes": 10_000.0}, r"The recipe city-free, minutes: Input should be less than or equal to 600"),
        ({"shared": Path("/nowhere")}, r"There is no encoder at /nowhere/models/encoder-vi: name the folder"),
        ({"weights": Path("/nowhere/w"), "shared": "made"}, r"There are no weights at /nowhere/w"),
        ({"name": "taken", "shared": "made"}, r"There is a model .* in ml/models already"),
        ({"own_csv": Path("/nowhere/own.csv"), "shared": "made"}, r"/nowhere/own\.csv cannot be read"),
        ({"out": Path(__file__), "shared": "made"}, r"exists already: take it away, or name another folder with --out"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_installed(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "models" / "encoder-vi").mkdir(parents=True)
    taken = next(path.name for path in MODELS_FOLDER.iterdir() if path.is_dir())
    filled = {name: {"made": shared, "taken": taken}.get(value, value) for name, value in changes.items()}
    with pytest.raises(BadInputError, match=said):
        job_of(wanted(**filled), tmp_path)
