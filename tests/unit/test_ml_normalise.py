"""The normaliser, its keys and the author hash: properties over any text, and the cases that feeds really bring."""

import hashlib
import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake_config.errors import ConfigError
from ml.author import author_key
from ml.normalise import content_key, fold, normalise, post_key, skeleton

HOSTILE = st.lists(
    st.one_of(
        st.text(alphabet=st.characters(exclude_categories=()), max_size=6),
        st.sampled_from(
            [
                "<",
                ">",
                "&",
                "&lt;",
                "&amp;",
                "&#60;",
                "&#38;",
                "#38;",
                "&nbsp;",
                "&#0;",
                "&#xd800;",
                "script",
                "<script>",
                "</script>",
                "<!--",
                "-->",
                "<b>",
                "</p>",
                "<br/>",
                "<img alt='",
                "onerror=",
                "\u200b",
                "\u0301",
                "\r\n",
                "\x00",
                "\ud83d",
                "\ude00",
                "\u037e",
                "]]>",
                "<![CDATA[",
            ]
        ),
    ),
    max_size=14,
).map("".join)


@given(HOSTILE)
def test_normalise_is_total_idempotent_and_nfc(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(character) in {"Cs", "Cc"} for character in once.replace("\n", ""))
    assert "  " not in once
    assert "\n\n" not in once
    assert once == once.strip()
    once.encode("utf-8")


@given(HOSTILE)
def test_no_script_survives(text: str) -> None:
    assert re.search(r"<script(?:[\s/>]|$)", normalise(f"{text}<script>alert(1)</script>"), re.IGNORECASE) is None


@given(HOSTILE)
def test_fold_and_skeleton_are_total_and_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert skeleton(skeleton(text)) == skeleton(text)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a < b và c > d", "a < b và c > d"),
        ("I <3 HCM", "I <3 HCM"),
        ("<Anh Ba> ơi", "<Anh Ba> ơi"),
        ("gửi <a@b.com> hoặc <https://x.vn>", "gửi <a@b.com> hoặc <https://x.vn>"),
        ("nếu a <b thì c> d", "nếu a <b thì c> d"),
        ("x?a=1&copy=2", "x?a=1&copy=2"),
        ("<p>Xin <b>chào</b></p><p>Sài Gòn</p>", "Xin chào\nSài Gòn"),
        ("trước<script type='x'>alert('<b>')</script>sau", "trước sau"),
        ("<style>p{}</style>kẹt&nbsp;xe<!-- ẩn -->", "kẹt xe"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;ngập", "ngập"),
        ("&amp;amp;lt;b&amp;amp;gt;ngập", "ngập"),
        ("<div title='a > b'>rác</div>", "rác"),
        ("<![CDATA[<p>tin</p>]]>", "tin"),
        ("<o:p>tin</o:p>", "tin"),
        ("ngập\r\n\r\n \tnặng   quá", "ngập\nnặng quá"),
        ("nga\u0323\u0302p", "ngập"),
        ("kẹt\u200b xe\ufeff\u202e \x00", "kẹt xe"),
        ("\ud83d\ude00 vui \ud83d", "😀 vui"),
        ("<scr\u200bipt>x</script>y", "y"),
        ("", ""),
    ],
)
def test_normalise_cases(raw: str, clean: str) -> None:
    assert normalise(raw) == clean


def test_broken_tags_lose_what_makes_them_run() -> None:
    assert "<img" not in normalise('<img alt="a<b" onerror=alert(1)> ảnh')
    assert "<img" not in normalise("<img src=x onerror=alert(1)")


@pytest.mark.parametrize(
    "unit", ["<!--", "<script ", '<a "', "<a '\"<a '\"", "&amp;", "&#38;", "<", "<a ", "<a =<", " \n", "&lt;", "a\u0301"]
)
def test_hostile_texts_are_linear(unit: str) -> None:
    started = time.process_time()
    normalise(unit * (100_000 // len(unit)))
    normalise("&" + unit[1:] * (100_000 // len(unit)))
    assert time.process_time() - started < 2


def test_fold_and_skeleton_cases() -> None:
    assert fold("ĐƯỜNG Nguyễn Hữu Cảnh 𝐊ẹ𝐭 ＸＥ") == "duong nguyen huu canh ket xe"
    assert skeleton("Giá 120.000đ tại https://x.vn/1 @shop nhé!!!") == "gia 0 0d tai nhe"
    assert skeleton("GIÁ 95.500đ tại http://y.vn nhe 😀") == skeleton("Giá 120.000đ tại https://x.vn/1 @shop nhé!!!")


def test_content_key_is_the_digest_of_the_normalised_text() -> None:
    assert content_key(" <b>nga\u0323\u0302p</b> ") == hashlib.sha256("ngập".encode()).hexdigest()
    assert content_key("ngập") != content_key("ngáp")


@given(st.tuples(st.text(max_size=4), st.text(max_size=4)), st.tuples(st.text(max_size=4), st.text(max_size=4)))
def test_post_key_is_injective(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (post_key(*one) == post_key(*other)) == (one == other)


def test_post_key_parts_cannot_move_over() -> None:
    assert post_key("ab", "c") != post_key("a", "bc")
    assert post_key("1:a", "b") != post_key("1", "a:b")
    assert len(post_key("\ud800", "\udfff")) == 64


def test_author_key() -> None:
    key = b"k" * 32
    assert author_key("Nguyễn Văn A", "fb", key) == author_key(" Nguyê\u0303n Văn A", "fb", key)
    assert author_key("A", "fb", key) != author_key("A", "yt", key)
    assert author_key("A", "fb", key) != author_key("A", "fb", b"l" * 32)
    assert author_key(" \u200b", "fb", key) is None
    assert author_key(None, "fb", key) is None
    with pytest.raises(ConfigError, match="at least 16"):
        author_key("A", "fb", b"short")
