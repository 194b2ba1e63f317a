"""The schema of a recipe and of a training job. Belongs here: what may be chosen, and errors that name the field. Not here: training."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lake_config.errors import BadInputError

FOLDER = Path(__file__).parent
WEIGHTS, TRAINING_NOTES, CURVE = "weights.safetensors", "training.json", "learning_curve.json"
"""What a run leaves in its folder beside the model's files: the network in float32, and how it was made; or the learning curve."""

Share = Annotated[float, Field(ge=0, le=1)]
Group = Literal["city", "shared", "auxiliary"]
"""city: the corpus and the city's own file; shared: sentiment sets of others; auxiliary: their sets of flags."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Augment(_Strict):
    """How often a text is changed when it is drawn, each a probability; `token_dropout` is the share of tokens hidden from the network."""

    unaccented: Share = 0.0
    teencode: Share = 0.0
    elongation: Share = 0.0
    joined: Share = 0.0
    lower: Share = 0.0
    upper: Share = 0.0
    bare_end: Share = 0.0
    token_dropout: Share = 0.0
    context: Share = Field(default=0.5, description="how often the title or post answered is shown, where there is one")


class Recipe(_Strict):
    """One way to train.

    `encoder`: folder of the pretrained network under the folder of encoders, `encoder_terms` what it was made from and its licence,
    `tokenizer` the folder beside it that holds tokenizer.json. `layers` of it are kept; `exits` are the layers with heads, the
    last one being the last layer; earlier exits learn from it too. `shares`: part of each group in every pass; absent data gives its share
    to the others. The run ends after `minutes`, or after `steps` where given; the learning rate falls to 0 by then.
    """

    what: str = Field(min_length=10)
    encoder: str = Field(pattern=r"^[a-z0-9-]+$")
    encoder_terms: str = Field(min_length=3)
    tokenizer: str = Field(default="encoder-vi", pattern=r"^[a-z0-9-]+$")
    layers: int = Field(ge=1, le=12)
    exits: tuple[int, ...] = Field(min_length=1)
    shares: dict[Group, Share]
    minutes: float = Field(gt=0, le=600)
    steps: int | None = Field(default=None, ge=1)
    batch_tokens: int = Field(ge=128)
    learning_rate: float = Field(gt=0, lt=0.01)
    head_rate_times: float = Field(default=10, gt=0)
    weight_decay: float = Field(default=0.02, ge=0)
    warm_up_steps: int = Field(default=60, ge=1)
    exit_weight: float = Field(default=0.6, ge=0)
    topic_weight: float = Field(default=0.25, ge=0)
    flag_weight: float = Field(default=0.3, ge=0)
    augment: Augment = Augment()
    seed: int = Field(default=1, ge=0)
    threads: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if list(self.exits) != sorted(set(self.exits)) or self.exits[0] < 1 or self.exits[-1] != self.layers:
            raise ValueError(f"exits must rise and end with the last layer, {self.layers}")
        if abs(sum(self.shares.values()) - 1) > 1e-6 or not self.shares.get("city"):
            raise ValueError("shares must sum to 1, that of the city being above 0")
        return self


class Job(_Strict):
    """A recipe with everything a run needs: topics in the order of the logits, folders, and where the result goes.

    `posts`: train on so many posts of the city only, drawn by the seed (None: all). `weights`: no training, finish these. Every path is
    absolute.
    """

    task: Literal["model", "learning-curve"] = "model"
    recipe_name: str
    recipe: Recipe
    model_id: str
    topics: tuple[str, ...]
    corpus: Path
    shared: Path
    encoders: Path
    own_csv: Path | None = None
    weights: Path | None = None
    posts: int | None = None
    out: Path


def recipe_names() -> list[str]:
    """The names of all recipes."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_recipe(name: str, **changes: Any) -> Recipe:
    """The recipe with this name, with fields changed. Raises BadInputError naming the recipe, the field and what is expected."""
    path = FOLDER / f"{name}.yaml"
    if name not in recipe_names():
        raise BadInputError(f"There is no recipe {name!r}; there are {', '.join(recipe_names())}.")
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) | changes)
    except yaml.YAMLError as error:
        raise BadInputError(f"The recipe {path.name} is not valid YAML ({' '.join(str(error).split())}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the recipe"
        raise BadInputError(f"The recipe {name}, {field}: {first['msg']}.") from error
