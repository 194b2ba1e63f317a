"""How much a text looks like advertising or a scam. Belongs here: this score from the text alone. Not here: who posted it, how often.

Each sign has a weight, the probability that a text with this sign alone is spam, set by hand; signs are taken as independent, so the
score is 1 - product(1 - weight). A sign that repeats counts at most three times. No text is dropped because of its score.
"""

import re

from ml.normalise import fold

_LINK = re.compile(r"https?://|www\.|\b[\w-]+\.(?:com|net|shop|store|xyz|top|club|vip|info)\b", re.IGNORECASE)
_SHORT_LINK = re.compile(r"\b(?:bit\.ly|s\.shopee|shorten|tinyurl|t\.me|zalo\.me|cutt\.ly|goo\.gl|m\.me)\b", re.IGNORECASE)
_CONTACT = re.compile(r"\[(?:PHONE|EMAIL|ACCOUNT)\]|(?<!\d)0[35789]\d{2}[ .-]?\d{3}[ .-]?\d{3}(?!\d)")
_CALL_TO_ACT = re.compile(
    r"\b(?:inbox|ib|zalo|telegram|lien he ngay|goi ngay|dang ky ngay|nhan tin ngay|link (?:o |duoi )?(?:bio|binh luan|comment)|cmt de)\b"
)
_SALES = re.compile(
    r"\b(?:khuyen mai|giam gia soc|sale off|flash sale|free ?ship|mien phi van chuyen|gia re nhat|thanh ly|xa kho|cam ket hoan tien|"
    r"hang chinh hang|ban si|tuyen ctv|cong tac vien|viec nhe luong cao|thu nhap thu dong|kiem tien online|vay tien|vay nhanh|giai ngan|"
    r"no xau|lai suat 0|soi keo|nha cai|ca cuoc|casino|no hu|danh de|tang like|tang follow|giam can|tri dut diem|dau tu sinh loi|"
    r"can ban gap|chinh chu)\b"
)
_REPEATED_SIGN = re.compile(r"([^\w\s.])\1{4,}|(\w)\2{5,}")
_HASHTAG = re.compile(r"#\w")
_PICTOGRAM = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_WORD = re.compile(r"\w+")


def _shouts(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return len(letters) >= 20 and sum(character.isupper() for character in letters) > 0.6 * len(letters)


def _repeats(folded: str) -> bool:
    words = _WORD.findall(folded)
    return len(words) >= 12 and len(set(words)) < 0.4 * len(words)


def spam_score(text: str) -> float:
    """A number from 0 (no sign of spam) up to, never reaching, 1. Masked and plain phone numbers count alike; 0.5 is about two signs."""
    folded = fold(text)
    signs = (
        (0.20, len(_LINK.findall(text))),
        (0.30, len(_SHORT_LINK.findall(text))),
        (0.30, len(_CONTACT.findall(text))),
        (0.30, len(_CALL_TO_ACT.findall(folded))),
        (0.35, len(_SALES.findall(folded))),
        (0.15, len(_REPEATED_SIGN.findall(text))),
        (0.15, int(_shouts(text))),
        (0.30, int(_repeats(folded))),
        (0.25, int(len(_HASHTAG.findall(text)) > 5)),
        (0.15, int(len(_PICTOGRAM.findall(text)) > 8)),
    )
    innocent = 1.0
    for weight, count in signs:
        innocent *= (1.0 - weight) ** min(count, 3)
    return 1.0 - innocent
