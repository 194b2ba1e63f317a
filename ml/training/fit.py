"""The training run. Belongs here: optimiser, schedule, steps. Not here: data, network, loss, and what is done with the weights."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from ml.recipes.recipe import Recipe
from ml.training.batches import Batch
from ml.training.losses import loss_of, targets_of
from ml.training.network import Network

_LONGEST_GRADIENT = 1.0
_REPORT_EVERY = 50
_SMOOTH = 0.98


@dataclass(frozen=True)
class Run:
    """What a run did: steps, tokens read (padding left out), seconds, and the smoothed loss at its end."""

    steps: int
    tokens: int
    seconds: float
    loss: float


def optimiser(network: Network, recipe: Recipe) -> Any:
    """AdamW; weight decay on matrices of the encoder only, heads learn faster."""
    plain: list[Any] = []
    bare: list[Any] = []
    heads: list[Any] = []
    for name, weights in network.modules.named_parameters():
        (heads if name.startswith("heads.") else plain if weights.dim() > 1 else bare).append(weights)
    groups = [
        {"params": plain, "weight_decay": recipe.weight_decay},
        {"params": bare, "weight_decay": 0.0},
        {"params": heads, "weight_decay": 0.0, "lr": recipe.learning_rate * recipe.head_rate_times},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def rate_factor(step: int, done: float, warm_up: int) -> float:
    """Of the learning rate: rises over `warm_up` steps, falls in a line to 0 as `done` (0 to 1, of the run) reaches 1."""
    return min(1.0, (step + 1) / warm_up) * max(0.0, 1.0 - done)


def fit(network: Network, feed: Iterable[Batch], recipe: Recipe, progress: Callable[[str], None]) -> Run:
    """Train until the recipe's steps, or minutes where it names no steps, are over. bf16 in the network, float32 in weights and loss."""
    steps = optimiser(network, recipe)
    rates = [group["lr"] for group in steps.param_groups]
    began, tokens, smooth = time.monotonic(), 0, None
    network.train(True)
    for step, batch in enumerate(feed):
        done = step / recipe.steps if recipe.steps else (time.monotonic() - began) / (60 * recipe.minutes)
        if done >= 1:
            break
        for group, rate in zip(steps.param_groups, rates, strict=True):
            group["lr"] = rate * rate_factor(step, done, recipe.warm_up_steps)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network.logits(torch.from_numpy(batch.ids), torch.from_numpy(batch.mask), torch.from_numpy(batch.own))
        loss = loss_of(logits, targets_of(batch), recipe)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.modules.parameters(), _LONGEST_GRADIENT)
        steps.step()
        steps.zero_grad()
        tokens += int(batch.mask.sum())
        smooth = loss.item() if smooth is None else _SMOOTH * smooth + (1 - _SMOOTH) * loss.item()
        if (step + 1) % _REPORT_EVERY == 0:
            seconds = time.monotonic() - began
            progress(f"step {step + 1}, loss {smooth:.3f}, {tokens / seconds:,.0f} tokens/s, {min(done, 1):.0%} done")
    network.train(False)
    return Run(step, tokens, time.monotonic() - began, smooth if smooth is not None else float("nan"))
