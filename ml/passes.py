"""From a text and its context to the token ids of one or more passes through the network. Belongs here: cutting long texts into windows.

Not here: the network (`ml.language_model`), cleaning (`ml.normalise`, `ml.masking`).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

START, PAD, END = 0, 1, 2  # <s>, <pad>, </s> of the XLM-RoBERTa vocabulary
_SENTENCE_END = re.compile(r"[.!?…。]+[\"'”’)\]]*\s+|\n+")
_SPECIAL = re.compile(r"<(?=/?(?:s|pad|unk|mask)>)")


@dataclass(frozen=True)
class Pass:
    """Token ids of one pass; the first `own` of them are the text's, with its <s> and </s>, the rest its context's."""

    ids: list[int]
    own: int


def readable(text: str) -> str:
    """`text` as a tokenizer can read it: without lone surrogates, and with a space in what would pass for a special token ("</s>")."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "ignore").decode("utf-8")
    return _SPECIAL.sub("< ", text) if "<" in text else text


def windows(starts: Sequence[int], count: int, room: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most `room` tokens that cover `count` tokens once, in order, ending at the end of a sentence where one fits.

    `starts` are the token positions where a sentence begins, never falling. A sentence longer than `room` is cut.
    """
    at, begins = 0, [0, *starts]
    while at < count:
        sentence_end = begins[bisect_right(begins, at + room) - 1]
        end = count if count <= at + room else sentence_end if sentence_end > at else at + room
        yield at, end
        at = end


class Reader:
    """The tokenizer of a model. Thread-safe.

    `max_length` and `context_length` count the special tokens; a context_length of 0 leaves contexts unread. Texts are `readable`.
    """

    def __init__(self, tokenizer: bytes, max_length: int, context_length: int) -> None:
        tokenizers: Any = import_module("tokenizers")
        self._tokenizer: Any = tokenizers.Tokenizer.from_buffer(tokenizer)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._room = max_length - 2
        self._context_room = max(context_length - 2, 0)

    def passes(self, texts: Sequence[str], contexts: Sequence[str]) -> list[list[Pass]]:
        """The passes of each text, at least one each: `<s> window </s>`, and where there is a context `</s> context </s>` behind it.

        A context is cut at its end, a text is cut into windows. An empty or blank context is none.
        """
        bodies = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
        tails = self._tails(contexts)
        out = []
        for text, body, tail in zip(texts, bodies, tails, strict=True):
            ranges = [(0, len(body))] if len(body) <= self._room else windows(self._sentences(text), len(body), self._room)
            out.append([Pass([START, *body[first:last], END, *tail], last - first + 2) for first, last in ranges])
        return out

    def _tails(self, contexts: Sequence[str]) -> list[list[int]]:
        distinct = sorted(set(contexts)) if self._context_room else []
        encoded = self._tokenizer.encode_batch_fast(distinct, add_special_tokens=False)
        tails = {
            context: [END, *encoding.ids[: self._context_room], END]
            for context, encoding in zip(distinct, encoded, strict=True)
            if encoding.ids and context.strip()
        }
        return [tails.get(context, []) for context in contexts]

    def _sentences(self, text: str) -> list[int]:
        """The tokens at which sentences of `text` begin, the first excepted."""
        ends = [last for _, last in self._tokenizer.encode(text, add_special_tokens=False).offsets]
        return [bisect_right(ends, found.end()) for found in _SENTENCE_END.finditer(text)]
