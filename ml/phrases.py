"""Where phrases stand in texts that are cut into words, by spaCy's PhraseMatcher. Belongs here: finding. Not here: what a phrase means."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

_OUTSIDE = "\u25a1"  # stands for every word that no phrase contains


class PhraseFinder:
    """One PhraseMatcher over phrases of words; the words of a text must be cut and spelled as those of the phrases are.

    All texts of a call are one Doc, for many small ones cost more (measured: see docs/decisions.md): hand over a few hundred at a time.
    """

    def __init__(self, phrases: Iterable[tuple[str, ...]]) -> None:
        """Index the phrases, each of one word at least."""
        spacy: Any = import_module("spacy")  # here, because it takes a second that commands without matching need not wait
        listed = list(phrases)
        self._vocab: Any = spacy.blank("xx").vocab
        self._doc: Any = spacy.tokens.Doc
        self._matcher: Any = spacy.matcher.PhraseMatcher(self._vocab, attr="ORTH")
        self._matcher.add("phrase", [self._doc(self._vocab, words=list(phrase)) for phrase in listed])
        self._known = frozenset(word for phrase in listed for word in phrase)
        self._singles = frozenset(phrase[0] for phrase in listed if len(phrase) == 1)
        self._pairs = frozenset((phrase[0], phrase[1]) for phrase in listed if len(phrase) > 1)

    def _starts(self, words: Sequence[str]) -> list[int]:
        """Where a phrase may begin, in order: at a word that begins one, somewhere in the text together with the word after it."""
        begin = {pair[0] for pair in self._pairs.intersection(pairwise(words))}
        if not self._singles.isdisjoint(words):
            begin |= self._singles
        return [at for at, word in enumerate(words) if word in begin] if begin else []

    def find(self, texts: Sequence[Sequence[str]]) -> list[list[tuple[int, int]]]:
        """For each text the phrases in it as positions of words (start, end excluded), in order; on overlap the longest, then the first."""
        found: list[list[tuple[int, int]]] = [[] for _ in texts]
        words: list[str] = []
        origin: list[tuple[int, int]] = []
        for number, text in enumerate(texts):
            end = 0
            for start in self._starts(text):
                if start < end:
                    continue
                end = start + 1
                while end < len(text) and text[end] in self._known:
                    end += 1
                # Words outside the phrases never reach spaCy's string store, which only grows: memory stays flat over any number of
                # texts. One sign parts what stands apart, and one text from the next.
                words += [_OUTSIDE, *text[start:end]]
                origin += [(number, at) for at in range(start - 1, end)]
        if words:
            matches = self._matcher(self._doc(self._vocab, words=words))
            for start, end in longest([(start, end) for _, start, end in matches]):
                number, at = origin[start]
                found[number].append((at, at + end - start))
        return found


def longest(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those of the spans (end excluded) that stay when of two that overlap the shorter goes, or the later of two as long; in order."""
    spans.sort(key=lambda span: (span[0] - span[1], span[0]))
    taken: set[int] = set()
    kept = []
    for start, end in spans:
        if start not in taken and end - 1 not in taken:
            kept.append((start, end))
            taken.update(range(start, end))
    return sorted(kept)
