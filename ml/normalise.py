"""One text, one spelling: normalising, folding for comparison, and the keys made from text.

Belongs here: pure functions from a string to a canonical string or digest. Not here: masking of personal data (`ml.masking`), anything that
depends on a language model, a table or the clock. HTML is taken out by `ml.html_text`.
"""

import hashlib
import re
import unicodedata

from ml.html_text import strip_html

# Characters that show nothing: C0/C1 controls, soft hyphen, zero-width and bidi marks, Hangul fillers (used for "empty" names), tags and
# supplementary variation selectors (used to hide data), noncharacters, lone surrogates. U+FE0F stays: it makes an emoji an emoji.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff"
    "\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_LINE_ENDS = "\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
_BLANKS = " \t\x1f\xa0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000"

_DROP = re.compile(f"[{_INVISIBLE}]+")
# Applied after _SPACES: "[blanks]*" before a break would be quadratic on a run of blanks.
_BREAKS = re.compile(f" ?[{_LINE_ENDS}][ {_LINE_ENDS}]*")
_SPACES = re.compile(f"[{_BLANKS}]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Anything that makes the slow path necessary. A clean text is returned after this one search (measured: see docs/decisions.md).
_DIRTY = re.compile(f"[<&{_INVISIBLE}{_LINE_ENDS}{_BLANKS.replace(' ', '')}]|  ")

_COMBINING = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]+")
_D_STROKE = str.maketrans("đĐ", "dD")
_URL_OR_MENTION = re.compile(r"(?:https?://|www\.)\S+|@[\w.]+")
_DIGITS = re.compile(r"\d+")
_NOT_WORD = re.compile(r"[\W_]+")

_MAX_PASSES = 8  # honest feeds escape at most two or three times; more is an attack on the loop below


def _one_pass(text: str) -> str:
    if _SURROGATE.search(text):
        # A pair left apart by a sloppy JSON writer is one emoji; a lone half is nothing.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    text = _DROP.sub("", text)
    if "<" in text or "&" in text:
        text = strip_html(text)
    text = unicodedata.normalize("NFC", text)
    return _BREAKS.sub("\n", _SPACES.sub(" ", text)).strip(" \n")


def normalise(text: str) -> str:
    """The canonical form of a post's text: NFC, no markup, no invisible characters, single spaces, paragraphs parted by one newline.

    Only real tags go ("a < b" and "I <3 HCM" stay); what a browser would not show (comments, the content of script and style) goes too.
    Idempotent, total (raises nothing for any str, lone surrogates included), and linear in the length of the text.
    """
    text = unicodedata.normalize("NFC", text)
    if _DIRTY.search(text) is None:
        return text.strip(" ")
    for _ in range(_MAX_PASSES):
        # A feed that escapes twice yields tags only at the second pass, so the passes go on until nothing changes.
        again = _one_pass(text)
        if again == text:
            return text
        text = again
    text = text.replace("&", " ").replace("<", " ")
    while (again := _one_pass(text)) != text:  # no markup is left to find, so two rounds at most
        text = again
    return text


def fold(text: str) -> str:
    """Lower case without diacritics or styled letters ("Đường" -> "duong", bold or full-width letters -> plain ones). Idempotent."""
    if text.isascii():
        return text.lower()
    bare = _COMBINING.sub("", unicodedata.normalize("NFKD", text)).translate(_D_STROKE).lower()
    if bare.isascii():
        return bare
    # Lower-casing can itself bring forth a combining mark or a compatibility letter: once more, then recompose what is left.
    return unicodedata.normalize("NFKC", _COMBINING.sub("", unicodedata.normalize("NFKD", bare)).lower())


def without_diacritics(text: str) -> str:
    """The text as people type it without diacritics: "Đường phố" -> "Duong pho". Case, signs and emoji stay as they are. Idempotent."""
    bare = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    return unicodedata.normalize("NFC", bare.translate(_D_STROKE))


def skeleton(text: str) -> str:
    """What near duplicates share: folded words parted by single spaces, without URLs and mentions, every number turned into "0".

    Two texts that differ in case, accents, punctuation, emoji, links, names called with @ or the value of a number have one skeleton.
    """
    words = _URL_OR_MENTION.sub(" ", fold(text))
    return _NOT_WORD.sub(" ", _DIGITS.sub("0", words)).strip()


def content_key(text: str) -> str:
    """SHA-256 (64 hex digits) of the normalised text in UTF-8: equal for all posts that say the same thing in the same words."""
    return hashlib.sha256(normalise(text).encode("utf-8")).hexdigest()


def post_key(platform: str, native_id: str) -> str:
    """SHA-256 (64 hex digits) of platform and native id. The platform's byte length goes before it, so two pairs never read alike."""
    first = platform.encode("utf-8", "surrogatepass")
    second = native_id.encode("utf-8", "surrogatepass")
    return hashlib.sha256(b"%d:%b%b" % (len(first), first, second)).hexdigest()
