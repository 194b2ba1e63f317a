"""What training lowers. Belongs here: the loss of a batch from logits and targets. Not here: the network, the optimiser.

Per exit: cross entropy of the sentiment (classes that the annotators could not choose are left out), binary cross entropy of topics and
flags where labelled. Earlier exits learn their sentiment half from the labels and half from the last exit (Kullback-Leibler divergence).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ml.recipes.recipe import Recipe
from ml.training.batches import Batch

_SENTIMENTS = 3
_IMPOSSIBLE = -1e4


@dataclass(frozen=True)
class Targets:
    """The targets of a batch as tensors, rows as its texts."""

    sentiment: Any
    labelled: Any
    impossible: Any
    topics: Any
    topic_weights: Any
    flags: Any
    flag_weights: Any


def targets_of(batch: Batch) -> Targets:
    """The targets of a batch's examples."""
    sentiment = torch.tensor([one.sentiment for one in batch.examples])

    def stacked(name: str) -> Any:
        return torch.from_numpy(np.stack([getattr(one, name) for one in batch.examples]))

    return Targets(
        sentiment=sentiment.clamp(min=0),
        labelled=(sentiment >= 0).float(),
        impossible=~torch.tensor([one.chosen for one in batch.examples]),
        topics=stacked("topics"),
        topic_weights=stacked("topic_weights"),
        flags=stacked("flags"),
        flag_weights=stacked("flag_weights"),
    )


def loss_of(logits: dict[int, Any], targets: Targets, recipe: Recipe) -> Any:
    """The loss of a batch (a scalar tensor): a mean over its texts, the last exit with weight 1, earlier ones with `exit_weight` each."""
    last = logits[recipe.exits[-1]]
    total = _labels(last, targets) + _rest(last, targets, recipe)
    for one in recipe.exits[:-1]:
        own = 0.5 * _labels(logits[one], targets) + 0.5 * _distance(logits[one], last.detach(), targets)
        total = total + recipe.exit_weight * (own + _rest(logits[one], targets, recipe))
    return total


def _labels(logits: Any, targets: Targets) -> Any:
    possible = logits[:, :_SENTIMENTS].masked_fill(targets.impossible, _IMPOSSIBLE)
    return (functional.cross_entropy(possible, targets.sentiment, reduction="none") * targets.labelled).mean()


def _distance(logits: Any, teacher: Any, targets: Targets) -> Any:
    taught = functional.softmax(teacher[:, :_SENTIMENTS], dim=-1)
    learnt = functional.log_softmax(logits[:, :_SENTIMENTS], dim=-1)
    return (functional.kl_div(learnt, taught, reduction="none").sum(dim=-1) * targets.labelled).mean()


def _rest(logits: Any, targets: Targets, recipe: Recipe) -> Any:
    """Topics and flags: summed over their columns, so that rare ones count."""
    after_topics = _SENTIMENTS + targets.topics.shape[1]
    topics = functional.binary_cross_entropy_with_logits(logits[:, _SENTIMENTS:after_topics], targets.topics, reduction="none")
    flags = functional.binary_cross_entropy_with_logits(logits[:, after_topics:], targets.flags, reduction="none")
    by_topic = (topics * targets.topic_weights).sum(dim=1).mean()
    by_flag = (flags * targets.flag_weights).sum(dim=1).mean()
    return recipe.topic_weight * by_topic + recipe.flag_weight * by_flag
