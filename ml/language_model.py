"""What a text says, from the ONNX model in `ml/models`: sentiment, topics and flags from one pass. Importing this module is cheap.

Belongs here: from texts to probabilities. Not here: tokens and windows (`ml.passes`), the files (`ml.model_files`), cleaning
(`ml.normalise`, `ml.masking`), storing labels, training.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ml.marks import MarkRestorer
from ml.model_files import CURRENT, MODELS_FOLDER, ModelError, ModelFacts, read_model
from ml.passes import PAD, Pass, Reader, readable
from ml.sentiment import LABELS

DEFAULT_MODEL = MODELS_FOLDER / CURRENT.read_text(encoding="utf-8").strip()

_SHARE_TOKENS = 2_048  # tokens handed to a thread at a time: their hidden states are 3 MB at a width of 384
_SHARE_TEXTS = 64  # texts tokenised at a time

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Readings:
    """What a model says of n texts, row by row.

    `sentiment`: (n, 3) probabilities, columns negative, neutral, positive, each row summing to 1. `topics`: (n, number of the model's
    topics), each a probability of its own; 0 columns from a model without topics. `flags`: name -> (n,) probabilities. `deep`: (n,)
    whether the upper stage was needed.
    """

    sentiment: Floats
    topics: Floats
    flags: dict[str, Floats]
    deep: NDArray[np.bool_]


def softmax(logits: Floats) -> Floats:
    """Probabilities of each row."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    out: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return out


def sigmoid(logits: Floats) -> Floats:
    """The probability of each logit; no overflow, whatever its size."""
    out: Floats = 0.5 * (1 + np.tanh(0.5 * logits))
    return out


@dataclass(frozen=True)
class _Piece:
    """A pass, the row of the text that it belongs to, and the length to which it is padded."""

    row: int
    ids: list[int]
    own: int
    padded: int


class _Stage:
    """One ONNX file. Its last output are the logits; a lower stage gives the hidden states before them."""

    def __init__(self, content: bytes, where: Path, outputs: int) -> None:
        onnxruntime: Any = import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        # One thread a call: parallel sums inside an operator would be slower here and their order would not be fixed.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Shapes differ from call to call, so a memory plan per shape never pays (measured: 10 to 20 % slower with it).
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False
        self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._inputs = [given.name for given in self._session.get_inputs()]
        *_, logits = self._session.get_outputs()
        width = logits.shape[-1]
        if width != outputs:
            raise ModelError(f"{where} gives {width} logits, model.yaml names {outputs} labels, topics and flags: restore the folder.")

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """The outputs in the file's order, rows as in the inputs."""
        out: list[NDArray[np.float32]] = self._session.run(None, {name: inputs[name] for name in self._inputs})
        return out


class LanguageModel:
    """A loaded model. Thread-safe; what it says of a text is a pure function of that text and its context.

    `topic_ids` are the topics that it knows, `topic_thresholds` the least probability with which each of them holds, in the same order;
    `flag_thresholds` likewise by flag. `weights_digest` is the SHA-256 of everything that decides a label (`ModelFacts.digest`).

    Batches hold passes of one padded length, which each text decides alone, and every sum has an order that does not depend on the batch:
    a text has the same bits alone and in company. A text of several windows has the mean of their logits, weighted by their tokens.
    """

    def __init__(self, facts: ModelFacts, stages: Sequence[_Stage], reader: Reader, marks: MarkRestorer | None, threads: int) -> None:
        self.model_id = facts.model_id
        self.weights_digest = facts.digest
        self.labels = LABELS
        self.topic_ids = facts.topics
        self.topic_thresholds = np.array([facts.topic_thresholds[topic] for topic in facts.topics], np.float64)
        self.flags = facts.flags
        self.flag_thresholds = dict(facts.flag_thresholds)
        self._facts = facts
        self._stages = stages
        self._reader = reader
        self._marks = marks
        self._threads = threads

    @classmethod
    def load(cls, folder: Path | None = None, *, threads: int = 2) -> Self:
        """The model in `folder` (default DEFAULT_MODEL), with every file's digest checked; so many `threads` read at a time.

        Raises ModelError when a file is missing or differs from its digest, when the labels are not LABELS in that order, when the
        network does not give a logit for each label, topic and flag, or when the table of marks is none.
        """
        folder = folder or DEFAULT_MODEL
        facts, content = read_model(folder)
        if facts.labels != LABELS:
            raise ModelError(
                f"{folder / 'model.yaml'}, labels: expected {', '.join(LABELS)} in this order, found {', '.join(facts.labels)}."
            )
        outputs = len(facts.labels) + len(facts.topics) + len(facts.flags)
        stages = [_Stage(content[name], folder / name, outputs) for name in facts.stages]
        reader = Reader(content[facts.tokenizer], facts.max_length, facts.context_length)
        return cls(facts, stages, reader, _marks(folder, facts, content), threads)

    @property
    def reads_contexts(self) -> bool:
        """Whether what it says of a text depends on its context."""
        return self._facts.context_length > 0

    def read(self, texts: Sequence[str], contexts: Sequence[str | None] | None = None) -> Readings:
        """What the model says of each text; `contexts` are the titles or posts that the texts answer, None or "" where there is none.

        Any text is read, the empty one too (as the network answers it), and one of any length. Equal pairs are read once. Raises
        ValueError when there are not as many contexts as texts, else nothing for any str.
        """
        read = self.reads_contexts
        behind = [None] * len(texts) if contexts is None else contexts
        places: dict[tuple[str, str], int] = {}
        pairs = ((readable(text), readable(context or "") if read else "") for text, context in zip(texts, behind, strict=True))
        rows = np.fromiter((places.setdefault(pair, len(places)) for pair in pairs), np.intp, len(texts))
        logits, deep = self._logits(list(places))
        first, second = len(LABELS), len(LABELS) + len(self.topic_ids)
        sentiment, topics, flags = softmax(logits[:, :first]), sigmoid(logits[:, first:second]), sigmoid(logits[:, second:])
        by_flag = {name: flags[rows, at] for at, name in enumerate(self.flags)}
        return Readings(sentiment[rows], topics[rows], by_flag, deep[rows])

    def score(self, texts: Sequence[str]) -> Floats:
        """The sentiment of `read`, without contexts: probabilities of shape (len(texts), 3), columns negative, neutral, positive."""
        return self.read(texts).sentiment

    def topics_of(self, probabilities: Floats) -> list[tuple[str, ...]]:
        """For each row of `Readings.topics` the topics that reach their threshold, in the order of topic_ids; often none."""
        passed = probabilities >= self.topic_thresholds
        return [tuple(topic for topic, hit in zip(self.topic_ids, row, strict=True) if hit) for row in passed]

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> tuple[Floats, NDArray[np.bool_]]:
        """Logits (n, columns) and depth of distinct pairs."""
        logits = np.zeros((len(pairs), len(LABELS) + len(self.topic_ids) + len(self.flags)))
        deep = np.zeros(len(pairs), np.bool_)
        shares = [pairs[at : at + _SHARE_TEXTS] for at in range(0, len(pairs), _SHARE_TEXTS)]
        with ThreadPoolExecutor(self._threads) as pool:
            by_text = [passes for share in pool.map(self._passes, shares) for passes in share]
            for rows, found, went_deep in pool.map(self._run, _groups(by_text, self._facts.pad_to)):
                logits[rows], deep[rows] = found, went_deep
        return logits, deep

    def _passes(self, pairs: Sequence[tuple[str, str]]) -> list[list[Pass]]:
        texts = [text if self._marks is None else self._marks.restore(text) for text, _ in pairs]
        return self._reader.passes(texts, [context for _, context in pairs])

    def _run(self, pieces: Sequence[_Piece]) -> tuple[NDArray[np.intp], Floats, NDArray[np.bool_]]:
        """Rows, logits and depth of the texts whose pieces these are, all of a text's pieces in the order of its windows."""
        rows, places = np.unique([piece.row for piece in pieces], return_inverse=True)
        weights = np.array([piece.own for piece in pieces], np.float64)
        by_piece = np.zeros((len(pieces), len(LABELS) + len(self.topic_ids) + len(self.flags)))
        hidden: dict[int, NDArray[np.float32]] = {}
        lower, upper = self._stages[0], self._stages[1] if len(self._stages) > 1 else None
        for chosen in _batches(pieces, range(len(pieces)), self._facts.batch_tokens):
            out = lower.run(_inputs([pieces[at] for at in chosen]))
            by_piece[chosen] = out[-1]
            if upper is not None:
                hidden.update(zip(chosen, out[0], strict=True))
        logits = _pooled(by_piece, weights, places)
        deep = np.zeros(len(rows), np.bool_)
        if upper is not None and self._facts.deep_below is not None:
            deep = softmax(logits[:, : len(LABELS)]).max(axis=1) < self._facts.deep_below
            for chosen in _batches(pieces, np.flatnonzero(deep[places]).tolist(), self._facts.batch_tokens):
                inputs = _inputs([pieces[at] for at in chosen]) | {"hidden": np.stack([hidden[at] for at in chosen])}
                by_piece[chosen] = upper.run(inputs)[-1]
            logits = _pooled(by_piece, weights, places)
        return rows, logits, deep


def _marks(folder: Path, facts: ModelFacts, content: Mapping[str, bytes]) -> MarkRestorer | None:
    if facts.marks is None:
        return None
    try:
        return MarkRestorer.from_bytes(content[facts.marks])
    except ValueError as error:
        raise ModelError(f"{folder / facts.marks}: {error}; restore the folder from the repository.") from error


def _inputs(pieces: Sequence[_Piece]) -> dict[str, NDArray[Any]]:
    """Every input that a stage may ask for, of passes with one padded length; `text_weights` is the mean over a text's own tokens."""
    shape = (len(pieces), pieces[0].padded)
    tokens, mask, weights = np.full(shape, PAD, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    for at, piece in enumerate(pieces):
        tokens[at, : len(piece.ids)] = piece.ids
        mask[at, : len(piece.ids)] = 1
        weights[at, : piece.own] = 1 / piece.own
    return {"input_ids": tokens, "attention_mask": mask, "lengths": mask.sum(axis=1, dtype=np.int32), "text_weights": weights}


def _pooled(by_piece: Floats, weights: Floats, places: NDArray[np.intp]) -> Floats:
    """The mean of the pieces' logits of each text, weighted by tokens, summed in the order of its windows."""
    sums = np.zeros((int(places.max()) + 1, by_piece.shape[1]))
    totals = np.zeros(len(sums))
    np.add.at(sums, places, by_piece * weights[:, None])
    np.add.at(totals, places, weights)
    return sums / totals[:, None]


def _groups(by_text: Sequence[Sequence[Pass]], pad_to: int) -> Iterator[list[_Piece]]:
    """The pieces of texts of like length, about _SHARE_TOKENS padded tokens at a time, a text never divided."""
    texts = [[_Piece(row, one.ids, one.own, -(-len(one.ids) // pad_to) * pad_to) for one in passes] for row, passes in enumerate(by_text)]
    group: list[_Piece] = []
    tokens = 0
    for pieces in sorted(texts, key=lambda pieces: (len(pieces), pieces[0].padded)):
        group += pieces
        tokens += sum(piece.padded for piece in pieces)
        if tokens >= _SHARE_TOKENS:
            yield group
            group, tokens = [], 0
    if group:
        yield group


def _batches(pieces: Sequence[_Piece], chosen: Iterable[int], tokens: int) -> Iterator[list[int]]:
    """The chosen places in `pieces`, those of one padded length together, at most `tokens` padded tokens (or one piece) at a time."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for at in chosen:
        by_length[pieces[at].padded].append(at)
    for length, places in sorted(by_length.items()):
        size = max(tokens // length, 1)
        for start in range(0, len(places), size):
            yield places[start : start + size]
