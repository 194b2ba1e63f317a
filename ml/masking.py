"""Masking of personal data in text: phone numbers, e-mail addresses, identity papers, bank accounts and number plates.

Belongs here: patterns that can be recognised by their form, and what must never be taken for one (dates, prices, years, the city's
hotlines). Not here: names and addresses (no pattern finds them honestly), author hashes (`ml.author`).
"""

import re
import unicodedata
from collections.abc import Callable

_WIDE = re.compile(r"[\uff01-\uff5e]|(?![0-9])\d")
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_ASCII_OF_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}

# Nothing to mask without "@" in some disguise or six digits close together: this spares most texts the patterns below.
_CANDIDATE = re.compile(r"@|[(\[{]\s?a|\ba c[òo]ng\b|(?:\d[^\d\n]{0,4}){6}", re.IGNORECASE)

# Between the digits of one number people write spaces, dots, dashes, brackets, and the two marks that make a keycap emoji.
_GAP = r"[ .\-\u00a0\u2010-\u2015\u00b7()_\ufe0f\u20e3]{0,4}"
# From the word that introduces a number to the number: any words on the line (a bank's name), never across a mask already set.
_INTRODUCTION = r"(?P<between>(?:(?!\[(?:PHONE|EMAIL|ID|ACCOUNT|PLATE)\])[^\d\n]){0,30}?)"

_AT = r"(?:@| @ |\s?[(\[{]\s?(?:at|a còng|a cong|@)\s?[)\]}]\s?| a còng | a cong )"
_DOT = r"(?:\.|\s?[(\[{]\s?(?:dot|chấm|cham|\.)\s?[)\]}]\s?| chấm | dot )"
_EMAIL = re.compile(
    rf"(?<![\w.+%-])(?P<secret>[\w+%-][\w.+%-]{{0,63}}{_AT}"
    rf"(?:[\w-]{{1,63}}(?:{_DOT}[\w-]{{1,63}}){{1,4}}|(?:gmail|yahoo|hotmail|outlook|icloud)\b))",
    re.IGNORECASE,
)
_ID_INTRODUCED = re.compile(
    r"\b(?:cccd|cmnd|cmt|căn cước|can cuoc|chứng minh|chung minh|định danh|dinh danh)\b"
    rf"{_INTRODUCTION}(?<!\d)(?P<secret>\d(?:{_GAP}\d){{11}}|\d(?:{_GAP}\d){{8}})(?!\d)",
    re.IGNORECASE,
)
_PASSPORT = re.compile(rf"\b(?:hộ chiếu|ho chieu|passport)\b{_INTRODUCTION}(?P<secret>\b[A-Z]\d{{7,8}})(?!\d)", re.IGNORECASE)
_ACCOUNT = re.compile(
    rf"\b(?:stk|số tk|so tk|tài khoản|tai khoan|account|tk)\b{_INTRODUCTION}(?<!\d)(?P<secret>\d(?:{_GAP}\d){{7,18}})(?!\d)", re.IGNORECASE
)
_CARD = re.compile(r"(?<![\d/=])(?P<secret>\d{4}(?:[ .-]\d{4}){3}|\d{16})(?!\d)")
# Mobiles (03, 05, 07, 08, 09 and 8 digits; 01x and 8 digits until 2018), landlines (02x and 9 digits), with 0, 84, +84 or 0084 before.
_PHONE = re.compile(
    rf"(?<!\d)(?<!19\d\d[./-])(?<!20\d\d[./-])(?P<secret>\(?(?:\+{_GAP}84|0084|84|0){_GAP}(?:\(0\){_GAP})?"
    rf"(?:[35789](?:{_GAP}\d){{8}}|2(?:{_GAP}\d){{9}}|1{_GAP}[2689](?:{_GAP}\d){{8}})(?!\d)[\ufe0f\u20e3]*)"
)
_PHONE_WITH_O = re.compile(rf"(?<!\w)(?P<secret>[0o]{_GAP}[35789](?:{_GAP}[\do]){{8}})(?!\w)", re.IGNORECASE)
_ID_ALONE = re.compile(r"(?<!\d)(?<!\d[.,])(?P<secret>0\d{2}(?:[ .-]\d{3}){3}|0\d{3}(?:[ .-]\d{4}){2}|\d{12})(?!\d|[.,]\d)")
_PLATE = re.compile(
    r"(?<!\w)(?P<secret>[1-9]\d[ -]?[A-ZĐ]{1,2}(?:[1-9]?[ .-]\d{3}[. ]?\d{2}|[1-9]?[.-]\d{4}|[1-9]?\d{5}))(?!\w)", re.IGNORECASE
)

_PHONE_WORD = re.compile(r"\b(?:gọi|goi|sđt|sdt|đt|điện thoại|dien thoai|phone|hotline|zalo|alo)\b", re.IGNORECASE)
_UNIT = r"(?:đồng|dong|vnd|vnđ|usd|\$|₫|tỷ|tỉ|ty|triệu|trieu|nghìn|ngàn|nghin|ngan)(?!\w)"
_UNIT_AFTER = re.compile(rf"\s?{_UNIT}|đ(?!\w)", re.IGNORECASE)
_SHORT_UNIT_AFTER = re.compile(rf"\s?(?:{_UNIT}|(?:đ|d|k|tr|€|%|lượt|người|m2|m3|km)(?!\w))", re.IGNORECASE)
_MONEY_BEFORE = re.compile(r"(?:\$|₫|€|\b(?:vnd|vnđ|usd|giá|tiền|phí|vốn))\s?:?\s?$", re.IGNORECASE)
_GROUPED = re.compile(r"[1-9]\d{0,2}([. ])\d{3}(?:\1\d{3})*")
_NUMBERS = re.compile(r"\d+")


def _shadow(text: str) -> str:
    """`text` with every digit and full-width sign as ASCII, character for character, so that positions found in it hold in `text`."""
    if text.isascii() or _WIDE.search(text) is None:
        return text
    return _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text.translate(_ASCII_OF_WIDE))


def _is_date(number: str) -> bool:
    """Whether digits parted by dots, dashes or spaces begin with a date (day month year, or the year first) or are all years."""
    groups = _NUMBERS.findall(number)
    years = [len(group) == 4 and group[:2] in {"19", "20"} for group in groups]
    if all(years):
        return True
    if len(groups) < 3 or number[0] in "(+":
        return False
    day, month = (groups[0], groups[1]) if years[2] else (groups[2], groups[1])
    return (years[2] or years[0]) and len(day) <= 2 and len(month) <= 2 and int(day) <= 31 and 1 <= int(month) <= 12


def _is_money(text: str, start: int, end: int) -> bool:
    """Whether the number at [start:end] is an amount: a unit follows it, or its thousands are grouped and a word for money precedes."""
    if text[start] in "0(+":
        return False
    if _GROUPED.fullmatch(text, start, end) is None:
        return _UNIT_AFTER.match(text, end) is not None
    return _SHORT_UNIT_AFTER.match(text, end) is not None or _MONEY_BEFORE.search(text[max(0, start - 12) : start]) is not None


def _refuse_number(match: re.Match[str]) -> bool:
    start, end = match.span("secret")
    return _is_date(match["secret"]) or _is_money(match.string, start, end)


def _refuse_phone(match: re.Match[str]) -> bool:
    start, end = match.span("secret")
    grouped = _GROUPED.fullmatch(match.string, start, end) is not None
    return _is_date(match["secret"]) or (grouped and _is_money(match.string, start, end))


def _refuse_account(match: re.Match[str]) -> bool:
    round_sum = match["secret"].endswith(".000") and _GROUPED.fullmatch(match["secret"]) is not None
    return round_sum or _PHONE_WORD.search(match["between"]) is not None or _refuse_number(match)


def _refuse_letters(match: re.Match[str]) -> bool:
    digits = len(re.findall(r"\d", match["secret"]))
    return digits < 6 or digits == 10  # ten digits and no letter o: `_PHONE` has already judged it


def _never(_match: re.Match[str]) -> bool:
    return False


# In this order: what is introduced by a word before what is recognised by its form alone.
_RULES: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    ("[EMAIL]", _EMAIL, _never),
    ("[ID]", _ID_INTRODUCED, _refuse_number),
    ("[ID]", _PASSPORT, _never),
    ("[ACCOUNT]", _ACCOUNT, _refuse_account),
    ("[ACCOUNT]", _CARD, _refuse_number),
    ("[PHONE]", _PHONE, _refuse_phone),
    ("[PHONE]", _PHONE_WITH_O, _refuse_letters),
    ("[ID]", _ID_ALONE, _refuse_number),
    ("[PLATE]", _PLATE, _never),
)


def _mask_once(text: str) -> str:
    shadow = _shadow(text)
    if _CANDIDATE.search(shadow) is None:
        return text
    for token, pattern, refuse in _RULES:
        pieces, shadows, last = [], [], 0
        for match in pattern.finditer(shadow):
            if refuse(match):
                continue
            start, end = match.span("secret")
            pieces += [text[last:start], token]
            shadows += [shadow[last:start], token]
            last = end
        if last:
            text = "".join(pieces) + text[last:]
            shadow = "".join(shadows) + shadow[last:]
    return text


def mask_pii(text: str) -> str:
    """`text` with [PHONE], [EMAIL], [ID], [ACCOUNT] and [PLATE] in place of such data; everything else unchanged, character for character.

    Full-width and other Unicode digits count as digits, so do keycap emoji and the letter o inside a phone number; "(at)" and "a còng"
    count as @. Dates, years, prices and short numbers (1022, 113, 1900 xxxx) stay. Idempotent. Expects the output of `ml.normalise`:
    invisible characters between digits hide a number from these patterns.
    """
    while (masked := _mask_once(text)) != text:  # every pass that changes something removes digits or an "@", so this ends
        text = masked
    return text
