"""Finding listed phrases (topics, places) in texts, by spaCy's PhraseMatcher. Belongs here: matching lists of words.

Not here: the registries the lists come from, what a text without any match means (the caller decides), learned topics.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from lake_config.errors import ConfigError
from ml.normalise import fold
from ml.words import words_of

_OUTSIDE = "\u25a1"  # stands for every word that no phrase contains


class _PhraseIndex:
    """One PhraseMatcher over lower-case words, and which ids each phrase stands for."""

    def __init__(self, phrases: Mapping[tuple[str, ...], Sequence[str]]) -> None:
        spacy: Any = import_module("spacy")  # here, because it takes a second that commands without matching need not wait
        # The Vietnamese tokenizer needs pyvi or leaves punctuation on the words: ours parts both, so a name before a comma is found.
        nlp = spacy.blank("vi", config={"nlp": {"tokenizer": {"use_pyvi": False}}})
        self._vocab: Any = nlp.vocab
        self._doc: Any = spacy.tokens.Doc
        self._span: Any = spacy.tokens.Span
        self._longest: Any = spacy.util.filter_spans
        self._matcher: Any = spacy.matcher.PhraseMatcher(nlp.vocab, attr="ORTH")
        self._ids: dict[int, tuple[str, ...]] = {}
        self._known = frozenset(word for phrase in phrases for word in phrase)
        self._first = frozenset(phrase[0] for phrase in phrases)
        for phrase, ids in phrases.items():
            name = " ".join(phrase)
            self._matcher.add(name, [self._doc(nlp.vocab, words=list(phrase))])
            self._ids[nlp.vocab.strings[name]] = tuple(ids)

    def tags(self, words: list[str]) -> list[str]:
        if self._first.isdisjoint(words):
            return []
        # Words outside the phrases never reach spaCy's string store, which only grows: memory stays flat over any number of texts.
        doc = self._doc(self._vocab, words=[word if word in self._known else _OUTSIDE for word in words])
        spans = self._longest([self._span(doc, start, end, label=key) for key, start, end in self._matcher(doc)])
        return list(dict.fromkeys(tag for span in spans for tag in self._ids[span.label]))


class PhraseTagger:
    """Tags texts with the ids whose phrases occur in them as whole words, whatever the case.

    A text with diacritics is matched as written ("cho" is not "chợ"). A text wholly without them is matched against the phrases without
    theirs, except phrases of one word that only diacritics tell from others ("chợ", "cháy"): list such a word unaccented to have it found
    there. On overlap the longest phrase wins ("Quận 10" is not "Quận 1"); ids that share the winning phrase are all given.
    """

    def __init__(self, terms: Mapping[str, Sequence[str]]) -> None:
        """Index `terms`: id -> phrases. Raises ConfigError for a phrase without a letter or digit."""
        accented: dict[tuple[str, ...], list[str]] = {}
        plain: dict[tuple[str, ...], list[str]] = {}
        for tag, phrases in terms.items():
            for phrase in phrases:
                words = tuple(words_of(phrase))
                if not any(word.isalnum() for word in words):
                    raise ConfigError(
                        f"The phrase {phrase!r} of {tag!r} has no letter or digit, so nothing could match it: correct or remove it."
                    )
                bare = tuple(fold(word) for word in words)
                targets = [accented] if len(words) == 1 and bare != words else [accented, plain]
                for target, key in zip(targets, (words, bare), strict=False):
                    if tag not in target.setdefault(key, []):
                        target[key].append(tag)
        self._accented = _PhraseIndex(accented)
        self._plain = _PhraseIndex(plain)

    def tags(self, texts: Iterable[str]) -> list[list[str]]:
        """For each text the ids found in it, each once, in the order of their first match ([] where there is none)."""
        result = []
        for text in texts:
            words = words_of(text)
            index = self._plain if all(word.isascii() or fold(word) == word for word in words) else self._accented
            result.append(index.tags(words))
        return result
