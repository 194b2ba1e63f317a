"""Which language a text is in, by letters and frequent words. Belongs here: this heuristic. Not here: translation, spelling.

Order of the rules: the script (Han, Kana, Hangul, Cyrillic, Thai, Khmer, Lao, Arabic); then letters that among Latin alphabets only
Vietnamese uses; then, for text without them, frequent unaccented Vietnamese and English words, and whether words are possible Vietnamese
syllables. What these do not decide is "und": a guess would be worse than no answer.
"""

import re

from ml.normalise import fold

_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("lo", re.compile("[\u0e80-\u0eff]")),
    ("km", re.compile("[\u1780-\u17ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
)
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
_NOT_WORDS = re.compile(r"(?:https?://|www\.)\S+|[@#]\S+|\[(?:PHONE|EMAIL|ID|ACCOUNT|PLATE)\]")
# Letters with a Vietnamese tone or hook; plain â, ê, ô, é, à ... are left out because French and Portuguese have them too.
_VIETNAMESE_LETTER = re.compile("[đĐơƠưƯăĂ\u1ea0-\u1ef9]")
_SHARED_LETTER = re.compile("[àáâãèéêìíòóôõùúýĩũ]", re.IGNORECASE)

_VIETNAMESE_WORDS = frozenset(
    re.findall(
        r"\w+",
        "khong ko khg kg hok dc duoc nguoi ng cua nhung trong mot va voi vs nay roi qua cung ma cho thi la co gi vay sao nhu "
        "khi bi tai vi de den tu ve ra vao len nhieu minh toi anh chi em ban duong nha nuoc xe pho quan phuong mn mng bao "
        "gio hay chua dang se lam biet di noi thay nao deu rat oi nhe a",
    )
)
_ENGLISH_WORDS = frozenset(
    re.findall(
        r"\w+",
        "the and of is are was were in it this that for with you your not have has had be been on at by from they we he she "
        "his her their our will would should what when who how why very so too just but if or as my me about there all more "
        "some good great bad please thank thanks city people no yes",
    )
)
_SYLLABLE = re.compile(
    r"(?:ngh|ng|nh|kh|gh|gi|ch|ph|th|tr|qu|[bcdghklmnpqrstvx])?"
    r"(?:ieu|iu|ie|ia|i|oai|oao|oay|oeo|oa|oe|oi|oo|o|uay|uya|uye|uyu|uoi|uou|uo|ua|ue|ui|uu|uy|u|ao|ai|au|ay|a|eo|eu|e|yeu|ye|y)"
    r"(?:ng|nh|ch|[cmnpt])?"
)


def _latin(text: str) -> str:
    words = _WORD.findall(fold(text))
    if len(words) == 0:
        return "und"
    vietnamese = sum(word in _VIETNAMESE_WORDS for word in words)
    english = sum(word in _ENGLISH_WORDS for word in words)
    syllables = sum(_SYLLABLE.fullmatch(word) is not None for word in words) / len(words)
    if vietnamese > english and syllables >= 0.6:
        return "vi"
    if english > vietnamese and english / len(words) >= 0.1:
        return "en"
    return "vi" if len(words) >= 3 and syllables >= 0.9 and english == 0 else "und"


def detect_language(text: str) -> str:
    """ISO 639-1 code of the language most of `text` is in ("vi", "en", "zh" ...), or "und" where it cannot be told.

    Links, mentions, hashtags and masks do not count. Vietnamese is recognised with and without diacritics. Expects normalised (NFC) text.
    """
    text = _NOT_WORDS.sub(" ", text)
    letters = len(_LETTER.findall(text))
    if letters == 0:
        return "und"
    if not text.isascii():
        for code, pattern in _SCRIPTS:
            found = len(pattern.findall(text))
            # Japanese mixes Kana with Han, so a fifth of Kana is enough; the others need half of the letters.
            if found and found / letters >= (0.2 if code == "ja" else 0.5):
                return code
        marked = len(_VIETNAMESE_LETTER.findall(text))
        if marked / letters >= 0.04:
            return "vi"
        if _SHARED_LETTER.search(text) and marked == 0 and letters > 40 and _latin(text) != "vi":
            return "und"
    return _latin(text)
