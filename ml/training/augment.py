"""Changing a text the way people type. Belongs here: pure functions of a text and a random generator. Not here: how often."""

from collections.abc import Mapping

from numpy.random import Generator

from ml.normalise import without_diacritics
from ml.recipes.recipe import Augment

TEENCODE: Mapping[str, tuple[str, ...]] = {
    "không": ("k", "ko", "hok", "hong", "kg", "k0"), "được": ("dc", "đc", "đk"), "với": ("vs",), "gì": ("j",), "vậy": ("v", "dz", "zậy"),
    "rồi": ("r", "rùi"), "biết": ("bít", "bik"), "nhiều": ("nhìu",), "người": ("ng",), "cũng": ("cg", "cũg"), "những": ("nhg",),
    "thì": ("thj",), "quá": ("qá", "wá"), "trong": ("trog",), "trời": ("chời",), "tôi": ("t", "toi"), "mình": ("mk", "mik"), "vì": ("vj",),
    "như": ("nhu", "nk"), "này": ("nì",), "đi": ("đii",), "nhưng": ("nhg", "nhưg"), "anh": ("a",), "em": ("e",), "cho": ("cko",),
    "luôn": ("lun",), "thôi": ("thui",), "yêu": ("iu",), "chưa": ("ch",), "vẫn": ("vx",), "học": ("hc",), "giờ": ("h",), "đường": ("đg",),
    "phường": ("p", "ph"), "quận": ("q",),
}  # fmt: skip
"""Short forms that people type for a word. A word is shortened in six of ten places when a text is given teencode at all."""
_SHORTENED = 0.6


def augmented(text: str, chances: Augment, random: Generator) -> str:
    """The text changed by each kind with its own probability; most texts of a pass stay as they are or change in one way.

    Never empty for a text that is not; the order of words stays.
    """
    draws = random.random(7)
    if draws[0] < chances.teencode:
        text = with_teencode(text, random)
    if draws[1] < chances.elongation:
        text = elongated(text, random)
    elif draws[2] < chances.joined:
        text = joined(text, random)
    if draws[3] < chances.lower:
        text = text.lower()
    elif draws[4] < chances.upper:
        text = text.upper()
    elif draws[5] < chances.bare_end:
        text = text.rstrip(".!? ") or text
    return without_diacritics(text) if draws[6] < chances.unaccented else text


def with_teencode(text: str, random: Generator) -> str:
    """Some words in a short form."""
    words = text.split(" ")
    for place, word in enumerate(words):
        forms = TEENCODE.get(word.lower())
        if forms and random.random() < _SHORTENED:
            words[place] = forms[int(random.integers(len(forms)))]
    return " ".join(words)


def elongated(text: str, random: Generator) -> str:
    """One word that ends in a letter drawn out by one to four more of it; the text itself where the word drawn ends otherwise."""
    words = text.split(" ")
    place = int(random.integers(len(words)))
    if words[place] and words[place][-1].isalpha():
        words[place] += words[place][-1] * int(random.integers(1, 5))
    return " ".join(words)


def joined(text: str, random: Generator) -> str:
    """Two neighbouring words without the space between them; a single word as it is."""
    words = text.split(" ")
    if len(words) < 2:
        return text
    place = int(random.integers(1, len(words)))
    return " ".join([*words[: place - 1], words[place - 1] + words[place], *words[place + 1 :]])
