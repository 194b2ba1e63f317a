"""Loading model files that are exactly what their `model.yaml` says. Belongs here: the schema of model.yaml and the digest check.

Not here: what a model computes (`ml.language_model`).
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lake_config.errors import LakeError

MODELS_FOLDER = Path(__file__).parent / "models"
CURRENT = MODELS_FOLDER / "current"
"""A file with the id of the model that the lake uses."""

Probability = Annotated[float, Field(gt=0, lt=1)]


class ModelError(LakeError):
    """A model folder is incomplete, altered or wrongly described."""


class ModelFacts(BaseModel):
    """model.yaml.

    `labels`, `topics`, `flags` are the columns of the logits, in this order; each topic and flag has the probability from which on it is
    given. `max_length` is the tokens of a text that are read in one pass, `context_length` those of its context (0: the model reads none),
    both with their special tokens. `pad_to`: a pass is padded to a multiple of so many tokens, which depends on the text alone.
    `batch_tokens`: padded tokens in one call. `stages`: one ONNX file, or two with `deep_below`: a text whose likeliest
    sentiment is less probable than that after the first is read by the second. `marks`: a table of `ml.marks` with which a text typed
    without Vietnamese marks gets them back before it is read. `files`: name to SHA-256 (64 hex digits).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str = Field(min_length=1)
    labels: tuple[str, ...] = Field(min_length=2)
    topics: tuple[str, ...] = ()
    topic_thresholds: dict[str, Probability] = {}
    flags: tuple[str, ...] = ()
    flag_thresholds: dict[str, Probability] = {}
    max_length: int = Field(ge=8, le=512)
    context_length: int = Field(default=0, ge=0, le=256)
    pad_to: int = Field(default=1, ge=1, le=64)
    batch_tokens: int = Field(default=1, ge=1)
    pooling: Literal["mean"]
    stages: tuple[str, ...] = Field(min_length=1, max_length=2)
    deep_below: float | None = Field(default=None, ge=0)
    tokenizer: str
    marks: str | None = None
    files: dict[str, str]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = [name for name in self.deciding_files if name not in self.files]
        if missing:
            raise ValueError(f"files has no digest for {', '.join(missing)}")
        if (len(self.stages) == 2) != (self.deep_below is not None):
            raise ValueError("deep_below is given with two stages, and only then")
        for kind, names, thresholds in (("topic", self.topics, self.topic_thresholds), ("flag", self.flags, self.flag_thresholds)):
            if len(set(names)) < len(names):
                raise ValueError(f"a {kind} is named twice")
            if set(names) != set(thresholds):
                raise ValueError(f"{kind}_thresholds must name the {kind}s, each once: {', '.join(sorted(set(names) ^ set(thresholds)))}")
        return self

    @property
    def deciding_files(self) -> tuple[str, ...]:
        """The files that decide a label: the stages, the tokenizer and the marks; not cards and other files."""
        return (*self.stages, self.tokenizer, *([] if self.marks is None else [self.marks]))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything that decides a label: these facts and the deciding files."""
        deciding = self.model_dump(mode="json", exclude={"files", "batch_tokens"} | ({"marks"} if self.marks is None else set()))
        deciding["files"] = {name: self.files[name] for name in self.deciding_files}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_facts(folder: Path) -> ModelFacts:
    """What `folder`/model.yaml says. Raises ModelError when it is missing, unreadable or not as the schema demands."""
    described = folder / "model.yaml"
    try:
        return ModelFacts.model_validate(yaml.safe_load(described.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The model description {described} cannot be read ({error}): restore the folder from the repository.") from error
    except yaml.YAMLError as error:
        raise ModelError(f"{described} is not valid YAML ({' '.join(str(error).split())}): restore it from the repository.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{described}, {field}: {first['msg']}; restore it from the repository.") from error


def read_model(folder: Path) -> tuple[ModelFacts, dict[str, bytes]]:
    """The facts and the content of every listed file of a model folder, checked as read: what is returned is what was hashed.

    Raises ModelError when model.yaml or a listed file is missing, unreadable or not as described.
    """
    facts = read_facts(folder)
    content: dict[str, bytes] = {}
    for name, expected in facts.files.items():
        path = folder / name
        try:
            content[name] = path.read_bytes()
        except OSError as error:
            raise ModelError(f"The model file {path} cannot be read ({error.strerror}): restore the folder from the repository.") from error
        found = hashlib.sha256(content[name]).hexdigest()
        if found != expected:
            raise ModelError(
                f"The model file {path} is not the one that model.yaml names (sha256 {found[:12]}…, expected {expected[:12]}…): "
                "restore it, or give a changed model a new model_id and its own folder."
            )
    return facts, content
