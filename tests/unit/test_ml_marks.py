"""Marks put back where a text was typed without them: how often rightly, and what is left alone."""

import hashlib
import shutil
from pathlib import Path

import pytest
import yaml

from ml.corpus.reading import CorpusPost, read_posts
from ml.language_model import DEFAULT_MODEL, LanguageModel
from ml.marks import MarkRestorer, has_marks
from ml.model_files import ModelError
from ml.normalise import without_diacritics


@pytest.fixture(scope="module")
def posts() -> list[CorpusPost]:
    return read_posts()


@pytest.fixture(scope="module")
def restorer(posts: list[CorpusPost]) -> MarkRestorer:
    return MarkRestorer.from_texts(text for post in posts if post.split == "train" for text in (post.text, post.parent) if text)


def test_most_syllables_of_unseen_posts_come_back(posts: list[CorpusPost], restorer: MarkRestorer) -> None:
    unseen = [post.text for post in posts if post.split == "dev" and has_marks(post.text)][::4]
    pairs = [
        (true, found)
        for text in unseen
        for true, found in zip(text.lower().split(), restorer.restore(without_diacritics(text)).lower().split(), strict=True)
    ]
    lost = sum(true != without_diacritics(true) for true, _ in pairs) / len(pairs)
    right = sum(true == found for true, found in pairs) / len(pairs)
    assert lost > 0.6
    assert right > 0.85


def test_only_marks_change(restorer: MarkRestorer) -> None:
    text = "KET XE qua troi!! Duong Cong Hoa 50k/luot, met moi 😭 https://a.vn/b"
    found = restorer.restore(text)
    assert has_marks(found)
    assert without_diacritics(found) == text
    assert found.startswith("KẸT XE")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hay",
        "😭",
        "kẹt xe qua troi",
        "The city is building a new metro line and nobody knows when it opens",
        "İİ ﬁ \u0301\u0301 ß",
        "12 34 %",
    ],
)
def test_what_is_left_alone(restorer: MarkRestorer, text: str) -> None:
    assert restorer.restore(text) == text


def test_a_stored_table_reads_the_same(restorer: MarkRestorer) -> None:
    content = restorer.to_bytes()
    again = MarkRestorer.from_bytes(content)
    assert again.to_bytes() == content
    assert again.restore("truong hoc gan nha khong thu phi") == restorer.restore("truong hoc gan nha khong thu phi")
    for wrong in (b"", b"no archive", content[:1000]):
        with pytest.raises(ValueError, match="not a table of syllables"):
            MarkRestorer.from_bytes(wrong)


def test_texts_without_marks_teach_nothing() -> None:
    with pytest.raises(ValueError, match="no text with Vietnamese marks"):
        MarkRestorer.from_texts(["khong dau", "hello"])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))


def _change(folder: Path, marks: str | None, files: dict[str, str]) -> None:
    described = folder / "model.yaml"
    facts = yaml.safe_load(described.read_text("utf-8"))
    described.write_text(yaml.safe_dump(facts | {"marks": marks, "files": facts["files"] | files}), "utf-8")


def test_the_model_reads_what_was_meant(copy: Path) -> None:
    bare = "duong ngap toi dau goi ma khong ai lo"
    _change(copy, None, {})
    helped, plain = LanguageModel.load(), LanguageModel.load(copy)
    restored = MarkRestorer.from_bytes((DEFAULT_MODEL / "marks.npz").read_bytes()).restore(bare)
    assert has_marks(restored)
    assert (helped.score([bare, "Đường ngập"]) == plain.score([restored, "Đường ngập"])).all()
    assert (helped.score([bare]) != plain.score([bare])).any()
    assert plain.weights_digest != helped.weights_digest


def test_a_table_that_is_none_is_refused(copy: Path) -> None:
    (copy / "marks.npz").write_bytes(b"nothing")
    _change(copy, "marks.npz", {"marks.npz": hashlib.sha256(b"nothing").hexdigest()})
    with pytest.raises(ModelError, match=r"marks\.npz: not a table of syllables"):
        LanguageModel.load(copy)
