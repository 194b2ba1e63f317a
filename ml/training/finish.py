"""From trained weights to a model that can be measured. Belongs here: the description, calibration texts and thresholds of an export.

Not here: the export itself (`ml.training.export`), whether the model replaces another (`ml.evaluation.gate`).
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from lake_config.errors import BadInputError
from ml.evaluation.cascade import ALWAYS, with_choices
from ml.labelled.city import city_corpus
from ml.labelled.shared import shared_sets
from ml.labelled.texts import FLAGS, LABELS, LabelledText
from ml.marks import MarkRestorer
from ml.model_files import ModelFacts
from ml.recipes.recipe import Job
from ml.training.batches import CONTEXT_LENGTH, MAX_LENGTH
from ml.training.export import corpus_texts, describe, exits_of, export

_STAGES = ("lower.int8.onnx", "upper.int8.onnx")
_MARKS = "marks.npz"
_PAD_TO, _BATCH_TOKENS = 8, 256
_CALIBRATION_TEXTS = 400
_USUAL = 0.5
_ENOUGH = 500  # texts of a set of others: with fewer, chance decides the threshold


def facts_of(model_id: str, topics: tuple[str, ...], stages: int) -> ModelFacts:
    """The description of a model before anything is chosen: thresholds of 0.5, the upper stage always asked. Its files are found later."""
    return ModelFacts.model_validate(
        {
            "model_id": model_id,
            "labels": LABELS,
            "topics": topics,
            "topic_thresholds": dict.fromkeys(topics, _USUAL),
            "flags": FLAGS,
            "flag_thresholds": dict.fromkeys(FLAGS, _USUAL),
            "max_length": MAX_LENGTH,
            "context_length": CONTEXT_LENGTH,
            "pad_to": _PAD_TO,
            "batch_tokens": _BATCH_TOKENS,
            "pooling": "mean",
            "stages": _STAGES[:stages],
            "deep_below": ALWAYS if stages > 1 else None,
            "tokenizer": "tokenizer.json",
            "marks": _MARKS,
            "files": dict.fromkeys((*_STAGES[:stages], "tokenizer.json", _MARKS), ""),
        }
    )


def finish(job: Job, weights: Path) -> ModelFacts:
    """Export the weights into the job's folder, in int8, and choose the thresholds on the dev half of the corpus.

    The activations are calibrated on train texts of the corpus, the table of marks is counted over them. Raises BadInputError for weights
    that are not there or do not fit the job's topics.
    """
    if not weights.is_file():
        raise BadInputError(f"There are no weights at {weights}.")
    content: dict[str, Any] = load_file(str(weights))
    exits = exits_of(content)
    if len(exits) > len(_STAGES):
        raise BadInputError(f"{weights} has exits {exits}: at most {len(_STAGES)} can be exported.")
    shutil.copyfile(job.encoders / job.recipe.tokenizer / "tokenizer.json", job.out / "tokenizer.json")
    corpus = city_corpus(job.corpus)
    (job.out / _MARKS).write_bytes(MarkRestorer.from_texts(_written(corpus.train)).to_bytes())
    export(content, facts_of(job.model_id, job.topics, len(exits)), job.out, corpus_texts("train", _CALIBRATION_TEXTS))
    others = [one.dev for one in shared_sets(job.shared)[0] if set(one.classes) == set(LABELS) and _sentiments(one.dev) >= _ENOUGH]
    return describe(job.out, with_choices(job.out, corpus.dev, others, threads=job.recipe.threads))


def _sentiments(texts: Iterable[LabelledText]) -> int:
    """How many of the texts are labelled with a sentiment."""
    return sum(text.sentiment is not None for text in texts)


def _written(texts: Iterable[LabelledText]) -> Iterator[str]:
    """The texts and the titles that they answer."""
    for text in texts:
        yield text.text
        if text.context:
            yield text.context
