"""Language and spam: what the heuristics promise, no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.language import detect_language
from ml.spam import spam_score


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Đường Nguyễn Hữu Cảnh lại ngập rồi", "vi"),
        ("Kẹt xe quá", "vi"),
        ("duong nay ngap hoai ma khong ai lo", "vi"),
        ("ket xe qua", "vi"),
        ("ko bít khi nao moi het ket xe nua", "vi"),
        ("The metro line is great, thank you", "en"),
        ("C'est très bon, merci à tous pour cette belle journée à la plage", "und"),
        ("今天天气很好", "zh"),
        ("今日はとても暑いです", "ja"),
        ("오늘 날씨가 좋아요", "ko"),
        ("Сегодня хорошая погода", "ru"),
        ("👍👍 2024", "und"),
        ("https://example.com [PHONE] @ban", "und"),
        ("", "und"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert detect_language(text) == language


@given(st.text())
def test_both_are_total(text: str) -> None:
    assert detect_language(text)
    assert 0.0 <= spam_score(text) < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "Vay tiền nhanh, giải ngân trong ngày, lãi suất 0%! Gọi ngay [PHONE]",
        "SALE OFF 50% free ship!!!!!! inbox ngay https://bit.ly/x",
        "Tuyển CTV việc nhẹ lương cao, ib zalo",
    ],
)
def test_spam_is_seen(text: str) -> None:
    assert spam_score(text) > 0.6


@pytest.mark.parametrize(
    "text",
    [
        "Đường Nguyễn Hữu Cảnh lại ngập, chính quyền làm gì vậy?",
        "Giá xăng giảm rồi, mừng quá!",
        "Metro chạy êm, sạch sẽ 👍",
        "Gọi 1022 hoài không ai xử lý",
    ],
)
def test_opinions_are_not_spam(text: str) -> None:
    assert spam_score(text) < 0.3


def test_a_mask_counts_like_the_number_it_hides() -> None:
    assert spam_score("gọi 0909123456") == spam_score("gọi [PHONE]")
