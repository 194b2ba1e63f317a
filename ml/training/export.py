"""From trained weights to a model folder: int8 ONNX stages, calibrated, checked against float32, described in model.yaml.

    python -m ml.training.export WEIGHTS FOLDER

FOLDER holds the tokenizer and a model.yaml that says everything but the digests; the stages and the digests are written.

Belongs here: the float32 reference, calibration, the check, the files. Not here: the int8 operators (`ml.training.graph`), training.
Runs in the training environment: it needs torch, onnx and safetensors.
"""

import argparse
import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from lake_config.errors import BadInputError
from ml.corpus.reading import read_posts
from ml.masking import mask_pii
from ml.model_files import ModelFacts
from ml.normalise import normalise
from ml.passes import PAD, Pass, Reader, readable
from ml.training.graph import EPSILON, HEAD_WIDTH, Span, StageGraph, Weights, layer_weights

_BATCH = 32
_CALIBRATION_TEXTS = 400
_CHECK_TEXTS = 400

Probe = Callable[[str, Any], None]


@dataclass(frozen=True)
class Agreement:
    """How an exit's int8 labels and logits compare with float32 on the same texts: the share of equal sentiment labels, the largest and
    the mean difference of a logit.
    """

    texts: int
    equal_labels: float
    largest_difference: float
    mean_difference: float


def exits_of(weights: Weights) -> tuple[int, ...]:
    """The layers after which there are heads, rising. Raises BadInputError where there is none."""
    exits = tuple(sorted(int(name.split(".")[1]) for name in weights if name.startswith("heads.") and name.endswith(".weight")))
    if not exits:
        raise BadInputError("The weights have no heads.EXIT.weight: name a file that ./lake train wrote.")
    return exits


def float_logits(weights: Weights, passes: Sequence[Pass], probe: Probe | None = None) -> dict[int, NDArray[np.float32]]:
    """Logits (passes, outputs) of the network in float32 by exit; `probe` sees what enters each linear layer, padding left out.

    The network is BERT (Devlin et al. 2018) as transformers computes it, with GELU by the error function.
    """
    torch: Any = import_module("torch")
    nn = torch.nn.functional
    exits = exits_of(weights)
    own = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    made: dict[int, list[Any]] = defaultdict(list)

    def normalised(state: Any, name: str) -> Any:
        return nn.layer_norm(state, state.shape[-1:], own[f"{name}.LayerNorm.weight"], own[f"{name}.LayerNorm.bias"], EPSILON)

    with torch.no_grad():
        layers = [
            {
                name: (torch.from_numpy(np.ascontiguousarray(w.T)), torch.from_numpy(b))
                for name, (w, b) in layer_weights(weights, at).items()
            }
            for at in range(exits[-1])
        ]
        for start in range(0, len(passes), _BATCH):
            batch = passes[start : start + _BATCH]
            ids = torch.full((len(batch), max(len(one.ids) for one in batch)), PAD)
            mask, mean = torch.zeros(ids.shape, dtype=torch.bool), torch.zeros(ids.shape)
            for row, one in enumerate(batch):
                ids[row, : len(one.ids)] = torch.tensor(one.ids)
                mask[row, : len(one.ids)] = True
                mean[row, : one.own] = 1 / one.own

            def linear(at: int, name: str, state: Any, mask: Any = mask) -> Any:
                if probe is not None:
                    probe(f"{at}.{name}", state[mask])
                return nn.linear(state, *layers[at][name])

            places = own["bert.embeddings.position_embeddings.weight"][: ids.shape[1]]
            words = own["bert.embeddings.word_embeddings.weight"][ids] + places + own["bert.embeddings.token_type_embeddings.weight"][0]
            state = normalised(words, "bert.embeddings")
            for at in range(exits[-1]):
                three = linear(at, "attention", state).unflatten(-1, (3, -1, HEAD_WIDTH)).permute(2, 0, 3, 1, 4)
                mixed = nn.scaled_dot_product_attention(*three, attn_mask=mask[:, None, None, :]).transpose(1, 2).flatten(2)
                state = normalised(linear(at, "output", mixed) + state, f"bert.encoder.layer.{at}.attention.output")
                inner = nn.gelu(linear(at, "inner", state))
                state = normalised(linear(at, "outer", inner) + state, f"bert.encoder.layer.{at}.output")
                if at + 1 in exits:
                    pooled = (state * mean.unsqueeze(-1)).sum(dim=1)
                    made[at + 1].append(nn.linear(pooled, own[f"heads.{at + 1}.weight"], own[f"heads.{at + 1}.bias"]))
        return {one: torch.cat(parts).numpy() for one, parts in made.items()}


def calibrated(weights: Weights, passes: Sequence[Pass]) -> dict[str, Span]:
    """The span of what enters each linear layer over the given passes, by layer.name."""
    low: dict[str, NDArray[np.float32]] = {}
    high: dict[str, NDArray[np.float32]] = {}

    def probe(name: str, values: Any) -> None:
        least, most = values.amin(dim=0).numpy(), values.amax(dim=0).numpy()
        low[name] = np.minimum(low.get(name, least), least)
        high[name] = np.maximum(high.get(name, most), most)

    float_logits(weights, passes, probe)
    return {name: Span(low[name], high[name]) for name in low}


def passes_of(tokenizer: bytes, texts: Iterable[tuple[str, str | None]], max_length: int, context_length: int) -> list[Pass]:
    """The first pass of each text with its context, shortest first."""
    pairs = [(readable(text), readable(context or "")) for text, context in texts]
    by_text = Reader(tokenizer, max_length, context_length).passes([text for text, _ in pairs], [context for _, context in pairs])
    return sorted((passes[0] for passes in by_text), key=lambda one: len(one.ids))


def export(weights: Weights, facts: ModelFacts, folder: Path, texts: Sequence[tuple[str, str | None]]) -> ModelFacts:
    """Write the stages of `facts` and model.yaml (with the digests found) into `folder`, where the tokenizer already lies.

    `texts` with their contexts calibrate the activations: normalised and masked, some hundred of the kind that will be read. Each exit of
    the weights ends a stage. Raises BadInputError when the facts name another number of stages, or other outputs than the heads have.
    """
    exits = exits_of(weights)
    outputs = len(facts.labels) + len(facts.topics) + len(facts.flags)
    if len(exits) != len(facts.stages):
        raise BadInputError(f"The weights have exits {exits}, the description {len(facts.stages)} stages: give one stage for each exit.")
    if weights[f"heads.{exits[-1]}.bias"].shape != (outputs,):
        raise BadInputError(f"The heads give {weights[f'heads.{exits[-1]}.bias'].shape[0]} outputs, {outputs} are named: name each once.")
    spans = calibrated(weights, passes_of((folder / facts.tokenizer).read_bytes(), texts, facts.max_length, facts.context_length))
    positions = -(-(facts.max_length + facts.context_length) // facts.pad_to) * facts.pad_to
    for first, last, name in zip((0, *exits), exits, facts.stages, strict=False):
        graph = StageGraph(weights, spans, first, last, positions, is_final=last == exits[-1])
        (folder / name).write_bytes(graph.build())
    return describe(folder, facts)


def int8_logits(folder: Path, facts: ModelFacts, passes: Sequence[Pass]) -> list[NDArray[np.float32]]:
    """Logits (passes, outputs) of each stage in `folder`, every pass sent through all of them."""
    onnxruntime: Any = import_module("onnxruntime")
    sessions = [onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"]) for name in facts.stages]
    rows: list[list[NDArray[np.float32]]] = [[] for _ in sessions]
    for one in passes:
        weights = np.zeros((1, len(one.ids)), np.float32)
        weights[0, : one.own] = 1 / one.own
        given = {"input_ids": np.array([one.ids], np.int64), "lengths": np.array([len(one.ids)], np.int32), "text_weights": weights}
        for session, found in zip(sessions, rows, strict=True):
            out = session.run(None, {wanted.name: given[wanted.name] for wanted in session.get_inputs()})
            given["hidden"] = out[0]
            found.append(out[-1])
    return [np.concatenate(found) for found in rows]


def agreement(weights: Weights, folder: Path, facts: ModelFacts, passes: Sequence[Pass]) -> dict[int, Agreement]:
    """How the int8 stages in `folder` agree with the float32 weights, by exit."""
    exact = float_logits(weights, passes)
    found = {}
    for (one, logits), whole in zip(exact.items(), int8_logits(folder, facts, passes), strict=True):
        equal = logits[:, : len(facts.labels)].argmax(axis=1) == whole[:, : len(facts.labels)].argmax(axis=1)
        off = np.abs(logits - whole)
        found[one] = Agreement(len(passes), float(equal.mean()), float(off.max()), float(off.mean()))
    return found


def describe(folder: Path, facts: ModelFacts) -> ModelFacts:
    """Write model.yaml of a folder whose other files are in place, with the digests of those that decide a label and, where there
    is one, of calibration.json.
    """
    listed = [*facts.deciding_files, *(name for name in ("calibration.json",) if (folder / name).exists())]
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in listed}
    full = ModelFacts.model_validate(facts.model_dump() | {"files": files})
    said = full.model_dump(mode="json", exclude={"files"})
    words = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, default_flow_style=None, width=130)
    words += yaml.safe_dump({"files": files}, default_flow_style=False)  # a line for each: `./lake calibrate` adds its own
    note = "# Written by the export of ml/training; the schema is ModelFacts in ml/model_files.py. A file that differs is refused.\n"
    (folder / "model.yaml").write_text(note + words, encoding="utf-8")
    return full


def corpus_texts(split: str, count: int) -> list[tuple[str, str | None]]:
    """About `count` posts of the city corpus with their contexts, taken evenly, as the lake hands texts to a model."""
    posts = [post for post in read_posts() if post.split == split]
    chosen = posts[:: max(1, len(posts) // count)]
    return [(mask_pii(normalise(post.text)), mask_pii(normalise(post.parent)) if post.parent else None) for post in chosen]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command above; prints how the int8 stages agree with float32 on dev posts of the corpus."""
    parser = argparse.ArgumentParser(prog="python -m ml.training.export", description="Weights to int8 ONNX stages and their model.yaml.")
    parser.add_argument("weights", type=Path, help="safetensors with bert.* and heads.EXIT.*")
    parser.add_argument("folder", type=Path, help="holds tokenizer.json and model.yaml")
    given = parser.parse_args(arguments)
    safetensors: Any = import_module("safetensors.numpy")
    said = yaml.safe_load((given.folder / "model.yaml").read_text(encoding="utf-8"))
    facts = ModelFacts.model_validate(said | {"files": dict.fromkeys((*said["stages"], said["tokenizer"]), "")})
    weights = safetensors.load_file(given.weights)
    facts = export(weights, facts, given.folder, corpus_texts("train", _CALIBRATION_TEXTS))
    tokenizer = (given.folder / facts.tokenizer).read_bytes()
    passes = passes_of(tokenizer, corpus_texts("dev", _CHECK_TEXTS), facts.max_length, facts.context_length)
    for one, found in agreement(weights, given.folder, facts, passes).items():
        sys.stdout.write(f"exit {one}: {found}\n")


if __name__ == "__main__":
    main()
