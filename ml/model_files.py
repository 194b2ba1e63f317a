"""Loading model files that are exactly what their `model.yaml` says. Belongs here: the schema of model.yaml and the digest check.

Not here: what a model computes (`ml.sentiment`).
"""

import hashlib
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lake_config.errors import LakeError

MODELS_FOLDER = Path(__file__).parent / "models"


class ModelError(LakeError):
    """A model folder is incomplete, altered or wrongly described."""


class ModelFacts(BaseModel):
    """model.yaml: labels in the order of the logits, max_length in tokens, files with their SHA-256 (64 hex digits)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_id: str = Field(min_length=1)
    labels: tuple[str, ...] = Field(min_length=2)
    max_length: int = Field(ge=8, le=512)
    pooling: Literal["mean"]
    weights: str
    tokenizer: str
    files: dict[str, str]

    @model_validator(mode="after")
    def _files_are_listed(self) -> Self:
        missing = [name for name in (self.weights, self.tokenizer) if name not in self.files]
        if missing:
            raise ValueError(f"files has no digest for {', '.join(missing)}")
        return self


def read_model(folder: Path) -> tuple[ModelFacts, dict[str, bytes]]:
    """The facts and the content of every listed file of a model folder, checked as read: what is returned is what was hashed.

    Raises ModelError when model.yaml or a listed file is missing, unreadable or not as described.
    """
    described = folder / "model.yaml"
    try:
        facts = ModelFacts.model_validate(yaml.safe_load(described.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The model description {described} cannot be read ({error}): restore the folder from the repository.") from error
    except yaml.YAMLError as error:
        raise ModelError(f"{described} is not valid YAML ({' '.join(str(error).split())}): restore it from the repository.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{described}, {field}: {first['msg']}; restore it from the repository.") from error
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
                f"The model file {path} is not the one that {described.name} names (sha256 {found[:12]}…, expected {expected[:12]}…): "
                "restore it, or give a changed model a new model_id and its own folder."
            )
    return facts, content
