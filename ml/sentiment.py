"""The sentiment of a text: three classes from the ONNX model in `ml/models`. Importing this module is cheap; `load` brings the libraries.

Belongs here: from texts to probabilities. Not here: cleaning (`ml.normalise`, `ml.masking`), storing labels, training.
"""

import logging
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ml.model_files import MODELS_FOLDER, ModelError, ModelFacts, read_model

LABELS = ("negative", "neutral", "positive")
DEFAULT_MODEL = MODELS_FOLDER / "sentiment-v0"

_TIE_ORDER = ("neutral", "negative", "positive")  # the label that claims least wins a tie
_SHARE = 64  # texts handed to a thread at a time


def label_of(probabilities: Sequence[float] | NDArray[np.float64]) -> str:
    """The label with the highest of three probabilities (negative, neutral, positive); exact ties go to neutral, then negative.

    Raises ValueError unless there are exactly three numbers, none of them NaN.
    """
    if len(probabilities) != len(LABELS) or any(math.isnan(value) for value in probabilities):
        raise ValueError(f"expected three probabilities in the order {LABELS}, got {list(probabilities)}")
    by_label = dict(zip(LABELS, probabilities, strict=True))
    return max(_TIE_ORDER, key=lambda label: float(by_label[label]))


def _encodable(text: str) -> str:
    """`text` without lone surrogates, which no tokenizer can read."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "ignore").decode("utf-8")
    return text


class SentimentModel:
    """A loaded model. Thread-safe; `score` is a pure function of each text.

    Every text runs alone through the network. Dynamic int8 takes one activation scale per tensor, so in a padded batch a text's
    probabilities depend on its neighbours (measured: up to 0.43 apart, 2 % of the labels flipped); alone they are the same bits each time.
    """

    def __init__(self, facts: ModelFacts, session: Any, tokenizer: Any, threads: int) -> None:
        self.model_id = facts.model_id
        self.weights_digest = facts.files[facts.weights]
        self.labels = LABELS
        self._max_length = facts.max_length
        self._session = session
        self._tokenizer = tokenizer
        self._threads = threads

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int = 2) -> Self:
        """The model in `folder` (default sentiment-v0), with every file's digest checked; `threads` texts are scored at a time.

        Raises ModelError when a file is missing or differs from its digest, or when the labels are not LABELS in that order.
        """
        folder = folder or DEFAULT_MODEL
        facts, content = read_model(folder)
        if facts.labels != LABELS:
            raise ModelError(
                f"{folder / 'model.yaml'}, labels: expected {', '.join(LABELS)} in this order, found {', '.join(facts.labels)}."
            )
        # Read when transformers is imported: nothing is fetched from the network, and torch is not missed.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
        logging.getLogger("transformers").setLevel(logging.ERROR)
        onnxruntime: Any = import_module("onnxruntime")
        tokenizers: Any = import_module("tokenizers")
        transformers: Any = import_module("transformers")

        options = onnxruntime.SessionOptions()
        # One thread a text: parallel sums inside an operator would be slower here and their order would not be fixed.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Lengths differ from text to text, so a memory plan per shape never pays (measured: 10 to 20 % slower with it).
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False
        session = onnxruntime.InferenceSession(content[facts.weights], options, providers=["CPUExecutionProvider"])
        rules = tokenizers.Tokenizer.from_buffer(content[facts.tokenizer])
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=rules)
        return cls(facts, session, tokenizer, threads)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities of shape (len(texts), 3), columns negative, neutral, positive, each row summing to 1.

        Any text is scored, the empty one too (as the network answers it); beyond max_length tokens a text is cut at the end.
        Equal texts are scored once. Raises nothing for any str.
        """
        places: dict[str, int] = {}
        rows = np.fromiter((places.setdefault(_encodable(text), len(places)) for text in texts), np.intp, len(texts))
        if not places:
            return np.zeros((0, len(LABELS)))
        distinct = list(places)
        shares = [distinct[start : start + _SHARE] for start in range(0, len(distinct), _SHARE)]
        with ThreadPoolExecutor(self._threads) as pool:
            logits = np.concatenate(list(pool.map(self._logits, shares)))
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = exponents / exponents.sum(axis=1, keepdims=True)
        return probabilities[rows]

    def _logits(self, texts: list[str]) -> NDArray[np.float64]:
        encoded = self._tokenizer(texts, truncation=True, max_length=self._max_length, return_token_type_ids=False)["input_ids"]
        out = np.empty((len(texts), len(LABELS)), np.float64)
        for row, ids in enumerate(encoded):
            tokens = np.array([ids], np.int64)
            out[row] = self._session.run(None, {"input_ids": tokens, "attention_mask": np.ones_like(tokens)})[0][0]
        return out
