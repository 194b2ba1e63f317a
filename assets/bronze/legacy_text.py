"""Bytes of a web page as text: what it declares, what its bytes show, and the encodings of Vietnam before Unicode. Pure.

Belongs here: decoding and the tables of VNI and TCVN3 (ABC), whose fonts show Vietnamese letters in the places of Western ones. Not here:
what a page says (article_document.py). A page is never guessed at where two readings are possible: it is refused with the reason.
"""

import codecs
import re
import unicodedata
from contextlib import suppress
from html import unescape

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9._-]+)|<\?xml[^>]{0,200}encoding\s*=\s*["']([\w.-]+)""", re.I
)
_HEADER_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.IGNORECASE)
_HEAD_BYTES = 8192
_VNI_NAMES = frozenset({"vni", "x-vni", "x-viet-vni", "vni-windows"})
_TCVN3_NAMES = frozenset({"tcvn3", "tcvn", "tcvn-5712", "tcvn5712", "x-viet-tcvn", "x-viet-tcvn3", "tcvn5712-1", "x-viet-abc"})
_WESTERN = frozenset({"", "cp1252", "iso8859-1", "iso8859-15", "ascii", "latin-1"})
"""What pages of those fonts declare, if anything: it says nothing."""
_WIDE = re.compile(r"(?:utf|ucs)[-_]?(?:16|32|2|4)", re.IGNORECASE)
_NOT_OF_PAGES = frozenset({"idna", "punycode", "raw_unicode_escape", "raw-unicode-escape", "undefined", "unicode_escape", "unicode-escape"})
_FONT = re.compile(r"""(?:font-family\s*:|face\s*=)\s*["'&;a-z]{0,8}\s*(?:(?P<vni>VNI-)|(?P<tcvn3>\.Vn[A-Z]))""")
_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#\d{3,4}|#x[0-9a-f]{2,3}|[A-Za-z]{3,8});", re.IGNORECASE)
_MARKUP = frozenset("<>&\"'")
_DAMAGE_SHARE = 0.005
_SURE_SHARE, _RIVAL_SHARE, _ENOUGH_WORDS = 0.9, 0.6, 3
_WESTERN_LETTER_SHARE = 0.12
"""French and German write at most this share of their letters with marks; Vietnamese in a Western disguise shows more than twice that."""
_COMMON_SIGNS = frozenset("–—“”‘’…•°«»©®™§·×²³€£½¼ \u200b\u200c\u200d\ufeff\u00ad")
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_NUCLEI = (
    "iêu yêu oai oao oay oeo uây uêu uôi uya uyê uyu ươi ươu ai ao au ay âu ây eo êu ia iê iu oa oă oe oi oo ôi ơi ua uâ uê ui uô uơ "
    "uy ưa ưi ươ ưu yê a ă â e ê i o ô ơ u ư y"
)
_SYLLABLE = re.compile(
    f"(?:ngh|ng|nh|ch|gh|gi|kh|ph|qu|th|tr|[bcdđghklmnprstvx])?(?:{_NUCLEI.replace(' ', '|')})(?:ng|nh|ch|[cmnpt])?", re.IGNORECASE
)

_TCVN3_BYTES = (
    "A1Ă A2Â A3Ê A4Ô A5Ơ A6Ư A7Đ A8ă A9â AAê ABô ACơ ADư AEđ B5à B6ả B7ã B8á B9ạ BBằ BCẳ BDẵ BEắ C6ặ C7ầ C8ẩ C9ẫ CAấ CBậ CCè CEẻ CFẽ D0é "
    "D1ẹ D2ề D3ể D4ễ D5ế D6ệ D7ì D8ỉ DCĩ DDí DEị DFò E1ỏ E2õ E3ó E4ọ E5ồ E6ổ E7ỗ E8ố E9ộ EAờ EBở ECỡ EDớ EEợ EFù F1ủ F2ũ F3ú F4ụ F5ừ F6ử "
    "F7ữ F8ứ F9ự FAỳ FBỷ FCỹ FDý FEỵ"
)
TCVN3 = {chr(int(pair[:2], 16)): pair[2:] for pair in _TCVN3_BYTES.split()}
"""TCVN 5712:1993 VN3, as the ABC fonts (.VnTime and others) use it: the Western character in a letter's place -> the letter.

Capitals with a tone exist only as small letters in capital fonts (.VnTimeH) and come out small.
"""
_VNI_MARKS = {
    "a": "ùá øà ûả õã ïạ ââ áấ àầ åẩ ãẫ äậ êă éắ èằ úẳ üẵ ëặ",
    "e": "ùé øè ûẻ õẽ ïẹ âê áế àề åể ãễ äệ",
    "o": "ùó øò ûỏ õõ ïọ âô áố àồ åổ ãỗ äộ",
    "u": "ùú øù ûủ õũ ïụ",
    "y": "ùý øỳ ûỷ õỹ",
    "ô": "ùớ øờ ûở õỡ ïợ",
    "ö": "ùứ øừ ûử õữ ïự",
}
_VNI_ALONE = {"ô": "ơ", "ö": "ư", "í": "í", "ì": "ì", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ", "ñ": "đ"}


_FONT_LETTERS = frozenset("ñÑ®§")
"""How VNI and ABC fonts write đ and Đ: hardly a text of Vietnamese goes without one."""


class UndecodableError(ValueError):
    """Bytes that are neither what their document declares nor plausible Vietnamese in a legacy encoding."""


def _vni_table() -> dict[str, str]:
    table = {base + mark[0]: mark[1] for base, marks in _VNI_MARKS.items() for mark in marks.split()} | _VNI_ALONE
    # Capitals, and a capital with a small mark after it, which the keyboards of the time gave at the start of a sentence.
    upper = {key.upper(): value.upper() for key, value in table.items()}
    mixed = {key[0].upper() + key[1]: value.upper() for key, value in table.items() if len(key) == 2}
    return table | mixed | upper


VNI = _vni_table()
"""VNI for Windows: a letter with the Western character written after it, or one in a letter's place -> the Vietnamese letter."""
_VNI_PATTERN = re.compile("|".join(sorted(map(re.escape, VNI), key=len, reverse=True)))
_TCVN3_TRANSLATION = str.maketrans(TCVN3)


def from_vni(shown: str) -> str:
    """Text whose characters are those of a VNI font (as windows-1252 shows them), in Unicode (NFC)."""
    return _VNI_PATTERN.sub(lambda found: VNI[found[0]], shown)


def from_tcvn3(shown: str) -> str:
    """Text whose characters are those of an ABC font (as Latin-1 shows them), in Unicode (NFC)."""
    return shown.translate(_TCVN3_TRANSLATION)


def vietnamese_share(text: str) -> tuple[float, int]:
    """Of the words with other than ASCII characters the share that could be a Vietnamese syllable, and how many such words there are.

    A sign that no Vietnamese text has counts as such a word that is none. (0.0, 0) where there is nothing to judge.
    """
    shown = unicodedata.normalize("NFC", _TAGS.sub(" ", text))
    words = [word for word in re.findall(r"[^\W\d_]+", shown) if not word.isascii()]
    signs = sum(not (c.isalnum() or c.isspace() or c in _COMMON_SIGNS) for c in shown if ord(c) > 127 and unicodedata.category(c) != "So")
    total = len(words) + signs
    return (sum(map(_is_syllable, words)) / total, total) if total else (0.0, 0)


def _is_syllable(word: str) -> bool:
    parts = unicodedata.normalize("NFD", word)
    tones = sum(parts.count(tone) for tone in _TONES)
    bare = unicodedata.normalize("NFC", "".join(c for c in parts if c not in _TONES))
    return tones <= 1 and _SYLLABLE.fullmatch(bare) is not None


def page_text(payload: bytes, content_type: str = "") -> str:
    """The text of a page's bytes. `content_type` is the header's value, which may lie.

    A byte order mark decides; then UTF-8 wherever the bytes are UTF-8 (no other encoding passes for it by chance), a few broken ones shown
    as U+FFFD; then what header or page declare; then windows-1258, VNI or TCVN3 where exactly one of them gives Vietnamese. A page that
    declares a VNI or ABC font is read as such, if that gives Vietnamese. Raises UndecodableError with the reason.
    """
    for mark, encoding in _BOMS:
        if payload.startswith(mark):
            return payload[len(mark) :].decode(encoding, "replace")
    if (wide := _wide_without_mark(payload)) is not None:
        return payload.decode(wide, "replace")
    declared = declared_charset(payload, content_type)
    return _unfonted(_decoded(payload, declared))


def declared_charset(payload: bytes, content_type: str) -> str:
    """The charset that the header names, else the page; lower case, empty where neither does."""
    if header := _HEADER_CHARSET.search(content_type):
        return header[1].lower()
    found = _META_CHARSET.search(payload[:_HEAD_BYTES])
    return (found[1] or found[2]).decode("ascii").lower() if found else ""


def _wide_without_mark(payload: bytes) -> str | None:
    """UTF-16 without its mark: markup is ASCII, so every second byte of its beginning is zero."""
    head = payload[:64]
    if len(head) < 16 or b"\0" not in head:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 3 * len(head) / 8 and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even > 3 * len(head) / 8 and odd == 0 else None


def _decoded(payload: bytes, declared: str) -> str:
    damaged = payload.decode("utf-8", "replace")
    broken = damaged.count("\ufffd")
    if broken == 0 or (broken <= max(1, len(damaged) * _DAMAGE_SHARE) and not damaged.isascii() and _has_utf8_letters(damaged)):
        return damaged
    if declared in _VNI_NAMES | _TCVN3_NAMES:
        return _checked(from_vni(_western(payload)) if declared in _VNI_NAMES else from_tcvn3(payload.decode("latin-1")), declared)
    try:
        codec = codecs.lookup(declared).name if declared and not _WIDE.match(declared) else ""
    except LookupError:
        codec = ""
    if codec and codec not in _WESTERN | _NOT_OF_PAGES | {"utf-8", "cp1258"}:
        try:
            return payload.decode(codec)
        except UnicodeDecodeError as error:
            raise UndecodableError(f"not {declared}: byte {error.start} is 0x{payload[error.start]:02x}") from error
    return _guessed(payload, declared, codec)


def _has_utf8_letters(text: str) -> bool:
    """Whether letters came of sequences of several bytes: a Western page with two marked letters is no damaged UTF-8."""
    return any(c != "\ufffd" and c.isalpha() for c in text if ord(c) > 127)


def _western(payload: bytes) -> str:
    return "".join(_one_western(byte) for byte in payload)


def _one_western(byte: int) -> str:
    raw = bytes([byte])
    return raw.decode("cp1252", "ignore") or raw.decode("latin-1")


def _guessed(payload: bytes, declared: str, codec: str) -> str:
    """The one reading of Vietnam's old encodings that gives Vietnamese; a Western page as it is."""
    readings = {"VNI": from_vni(_western(payload)), "TCVN3": from_tcvn3(payload.decode("latin-1"))}
    with suppress(UnicodeDecodeError):
        readings["windows-1258"] = unicodedata.normalize("NFC", payload.decode("cp1258"))
    ranked = sorted(((vietnamese_share(unescape_letters(text)), name) for name, text in readings.items()), reverse=True)
    ((best, words), name), ((second, _), rival) = ranked[0], ranked[1]
    if words >= _ENOUGH_WORDS and best >= _SURE_SHARE and second <= _RIVAL_SHARE:
        return readings[name]
    shown = _western(payload)
    letters = [c for c in _TAGS.sub(" ", shown) if c.isalpha()]
    if codec in _WESTERN and sum(ord(c) > 127 for c in letters) <= _WESTERN_LETTER_SHARE * len(letters) and best < _SURE_SHARE:
        return shown
    first = next(index for index, byte in enumerate(payload) if byte > 127)
    why = f"{name} or {rival}, and nothing tells which" if best >= _SURE_SHARE else "nor Vietnamese in windows-1258, VNI or TCVN3"
    raise UndecodableError(f"neither UTF-8 (byte {first} is 0x{payload[first]:02x}; declared: {declared or 'nothing'}) {why}")


def unescape_letters(text: str) -> str:
    """References to letters resolved, those to characters of markup left: old editors wrote every other letter as one."""

    def resolved(found: re.Match[str]) -> str:
        character = unescape(found[0])
        return found[0] if character in _MARKUP else character

    return _REFERENCE.sub(resolved, text)


def _unfonted(text: str) -> str:
    """Text of a page that declares a VNI or ABC font, in Unicode; any other as it is."""
    font = _FONT.search(text)
    if font is None:
        return text
    plain = unescape_letters(text)
    if vietnamese_share(plain)[0] >= _SURE_SHARE:
        return text  # the font is declared, the letters are Unicode after all
    convert, name = (from_vni, "VNI") if font["vni"] else (from_tcvn3, "TCVN3")
    return _checked(convert(plain), f"the font of {name}")


def without_font(text: str) -> str:
    """Text that was written in a VNI or ABC font and sent as Unicode all the same, in real Unicode; any other as it is.

    For what declares no font, as feeds do: only where one of the two readings gives Vietnamese and the text as it stands does not.
    """
    if not _FONT_LETTERS & set(text):
        return text
    plain = unescape_letters(text)
    if vietnamese_share(plain)[0] >= _SURE_SHARE:
        return text
    ranked = sorted(((vietnamese_share(convert(plain)), convert) for convert in (from_vni, from_tcvn3)), key=lambda one: one[0])
    (rival, _), ((best, words), convert) = ranked[0][0], ranked[1]
    return convert(plain) if words >= _ENOUGH_WORDS and best >= _SURE_SHARE and rival <= _RIVAL_SHARE else text


def _checked(text: str, declared: str) -> str:
    share, words = vietnamese_share(text)
    if words and share < _SURE_SHARE:
        raise UndecodableError(f"declares {declared}, but read so only {share:.0%} of its marked words are Vietnamese")
    return text
