"""The real model: the same bits whatever the company, digests that are checked, lines scored in order."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from lake_config.errors import BadInputError, LakeError
from ml.masking import mask_pii
from ml.normalise import normalise
from ml.scoring import score_lines
from ml.sentiment import DEFAULT_MODEL, LABELS, SentimentModel, label_of

TEXTS = [
    "Đường Nguyễn Hữu Cảnh lại ngập, chính quyền làm ăn kiểu gì vậy?",
    "Metro số 1 chạy êm, sạch sẽ, nhân viên nhiệt tình, quá tuyệt 👍",
    "Từ ngày 1/7, phường làm việc tại trụ sở mới.",
    "",
    "hết nước sạch 3 ngày r mà gọi 1022 hoài k ai xử lý",
    "ok",
    "kẹt xe " * 200,
    "Cảm ơn các chú công an đã giúp đỡ",
]


@pytest.fixture(scope="module")
def model() -> SentimentModel:
    return SentimentModel.load()


def test_what_is_loaded(model: SentimentModel) -> None:
    assert model.model_id == "sentiment-v0"
    assert model.weights_digest == "decc24445436570fe861ca456f0cfa06c3c435468b6ee5ac86bcd6d59e0c8d86"
    assert model.labels == LABELS == ("negative", "neutral", "positive")


def test_probabilities(model: SentimentModel) -> None:
    scores = model.score(TEXTS)
    assert scores.shape == (len(TEXTS), 3)
    assert scores.dtype == np.float64
    assert np.allclose(scores.sum(axis=1), 1.0, atol=1e-12)
    assert (scores > 0).all()
    assert [label_of(row) for row in scores[[0, 1, 4, 7]]] == ["negative", "positive", "negative", "positive"]
    assert model.score([]).shape == (0, 3)


def test_a_text_scores_the_same_bits_in_any_company(model: SentimentModel) -> None:
    alone = np.concatenate([model.score([text]) for text in TEXTS])
    many = [f"{text} {number}" for number in range(40) for text in TEXTS]
    rng = np.random.default_rng(7)
    for _ in range(3):
        order = rng.permutation(len(TEXTS) + len(many))
        together = model.score([(TEXTS + many)[index] for index in order])
        assert (together[np.argsort(order)][: len(TEXTS)] == alone).all()
    assert (model.score(TEXTS * 20).reshape(20, len(TEXTS), 3) == alone).all()
    assert (SentimentModel.load(threads=1).score(TEXTS) == alone).all()


def test_any_text_is_scored_and_long_ones_are_cut(model: SentimentModel) -> None:
    long = model.score(["rất tốt " * 14_000, "rất tốt " * 12_000, "a" * 100_000, "\ud800", "\x00"])
    assert np.isfinite(long).all()
    assert (long[0] == long[1]).all()


def test_label_of_breaks_ties_in_a_fixed_order() -> None:
    assert label_of([0.4, 0.2, 0.4]) == "negative"
    assert label_of([0.4, 0.4, 0.2]) == "neutral"
    assert label_of([1 / 3, 1 / 3, 1 / 3]) == "neutral"
    assert label_of([0.1, 0.2, 0.7]) == "positive"
    with pytest.raises(ValueError, match="three probabilities"):
        label_of([0.5, 0.5])
    with pytest.raises(ValueError, match="three probabilities"):
        label_of([float("nan"), 0.5, 0.5])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_MODEL, tmp_path / "model"))


@pytest.mark.parametrize("name", ["model.int8.onnx", "tokenizer.json", "config.json"])
def test_an_altered_file_is_refused(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.seek(100)
        file.write(b"\x00\x01")
    with pytest.raises(LakeError, match=rf"{name} is not the one that model\.yaml names"):
        SentimentModel.load(copy)


@pytest.mark.parametrize("name", ["model.int8.onnx", "model.yaml"])
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(LakeError, match=rf"{name} cannot be read"):
        SentimentModel.load(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["positive", "neutral", "negative"]}, "labels: expected negative, neutral, positive"),
        ({"max_length": 100_000}, "max_length"),
        ({"weights": "other.onnx"}, r"no digest for other\.onnx"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_description_is_refused(copy: Path, change: dict[str, object], message: str) -> None:
    described = copy / "model.yaml"
    described.write_text(yaml.safe_dump(yaml.safe_load(described.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(LakeError, match=message):
        SentimentModel.load(copy)


def test_importing_is_cheap_and_loading_is_silent() -> None:
    code = (
        "import sys, ml.sentiment, ml.matching, ml.scoring\n"
        "assert not {'transformers', 'onnxruntime', 'spacy', 'torch'} & set(sys.modules)\n"
        "ml.sentiment.SentimentModel.load()\n"
        "assert 'torch' not in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_score_lines_keeps_order_and_fields(model: SentimentModel) -> None:
    lines = [json.dumps({"id": number, "text": f"{TEXTS[number % 5]} {number}"}) + "\n" for number in range(600)] + ["\n"]
    scored = list(score_lines(iter(lines), model))
    assert [row["id"] for row in scored] == list(range(600))
    first = scored[0]
    assert first["label"] == "negative"
    assert list(first["probabilities"]) == list(LABELS)
    assert (first["model_id"], first["weights_digest"]) == (model.model_id, model.weights_digest)
    json.dumps(first)


def test_score_lines_scores_what_the_lake_would(model: SentimentModel) -> None:
    raw = "<p>Gọi 0909 123 456 hoài kh\u00f4ng ai nghe</p>"
    (row,) = score_lines([json.dumps({"text": raw})], model)
    assert row["text"] == raw
    assert list(row["probabilities"].values()) == model.score([mask_pii(normalise(raw))])[0].tolist()


def test_score_lines_streams(model: SentimentModel) -> None:
    read = []

    def lines() -> Iterator[str]:
        for number in range(10_000):
            read.append(number)
            yield '{"text": "ok"}'

    next(iter(score_lines(lines(), model)))
    assert len(read) < 1_000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Line 3 is not valid JSON"),
        ("[1]", "Line 3 is a JSON list"),
        ('{"txt": "a"}', "Line 3: the field text is missing"),
        ('{"text": 5}', "Line 3: the field text is a int"),
    ],
)
def test_a_bad_line_is_named_after_the_good_ones(model: SentimentModel, line: str, message: str) -> None:
    rows = score_lines(['{"text": "tốt"}', "", line, '{"text": "tốt"}'], model)
    assert next(rows)["label"] == "positive"
    with pytest.raises(BadInputError, match=message):
        next(rows)
