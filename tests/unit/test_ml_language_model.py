"""The real model: the same bits whatever the company, digests that are checked, lines scored in order."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from lake_config.errors import BadInputError, LakeError
from lake_config.registry import load_registry
from ml.corpus.reading import read_posts
from ml.language_model import DEFAULT_MODEL, LanguageModel, Readings
from ml.masking import mask_pii
from ml.model_files import CURRENT
from ml.normalise import normalise
from ml.scoring import score_lines
from ml.sentiment import LABELS, label_of

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
def model() -> LanguageModel:
    return LanguageModel.load()


def test_what_is_loaded(model: LanguageModel) -> None:
    assert model.model_id == DEFAULT_MODEL.name == CURRENT.read_text("utf-8").strip()
    assert re.fullmatch("[0-9a-f]{64}", model.weights_digest)
    assert model.weights_digest == LanguageModel.load().weights_digest
    assert model.labels == LABELS == ("negative", "neutral", "positive")


def test_probabilities(model: LanguageModel) -> None:
    scores = model.score(TEXTS)
    assert scores.shape == (len(TEXTS), 3)
    assert scores.dtype == np.float64
    assert np.allclose(scores.sum(axis=1), 1.0, atol=1e-12)
    assert (scores > 0).all()
    assert [label_of(row) for row in scores[[0, 1, 4, 7]]] == ["negative", "positive", "negative", "positive"]
    assert model.score([]).shape == (0, 3)


def test_a_text_scores_the_same_bits_in_any_company(model: LanguageModel) -> None:
    alone = np.concatenate([model.score([text]) for text in TEXTS])
    many = [f"{text} {number}" for number in range(40) for text in TEXTS]
    rng = np.random.default_rng(7)
    for _ in range(3):
        order = rng.permutation(len(TEXTS) + len(many))
        together = model.score([(TEXTS + many)[index] for index in order])
        assert (together[np.argsort(order)][: len(TEXTS)] == alone).all()
    assert (model.score(TEXTS * 20).reshape(20, len(TEXTS), 3) == alone).all()
    assert (LanguageModel.load(threads=1).score(TEXTS) == alone).all()


def _same(one: Readings, other: Readings) -> bool:
    pairs = [(one.sentiment, other.sentiment), (one.topics, other.topics), (one.deep, other.deep)]
    return all((left == right).all() for left, right in [*pairs, *((one.flags[name], other.flags[name]) for name in one.flags)])


def _rows(whole: Readings, rows: list[int]) -> Readings:
    flags = {name: values[rows] for name, values in whole.flags.items()}
    return Readings(whole.sentiment[rows], whole.topics[rows], flags, whole.deep[rows])


def test_everything_read_has_the_same_bits_in_any_company(model: LanguageModel) -> None:
    posts = read_posts()[:120]
    texts = [post.text for post in posts] + TEXTS
    contexts = [post.parent for post in posts] + [TEXTS[0]] * len(TEXTS)
    whole = model.read(texts, contexts)
    assert 0 < whole.deep.mean() < 1
    single = LanguageModel.load(threads=1)
    for row in [*range(0, len(posts), 8), *range(len(posts), len(texts))]:
        assert _same(single.read([texts[row]], [contexts[row]]), _rows(whole, [row])), texts[row]
    rng = np.random.default_rng(3)
    for count in (2, 5, 17, 64):
        rows = rng.choice(len(texts), count, replace=False).tolist()
        assert _same(model.read([texts[row] for row in rows], [contexts[row] for row in rows]), _rows(whole, rows))


def test_topics_and_flags_have_a_probability_and_a_threshold_each(model: LanguageModel) -> None:
    readings = model.read(TEXTS)
    assert model.topic_ids == tuple(sorted(topic.id for topic in load_registry().topics))
    assert readings.topics.shape == (len(TEXTS), len(model.topic_ids)) == (len(TEXTS), len(model.topic_thresholds))
    assert set(readings.flags) == set(model.flag_thresholds) == {"constructive", "toxic", "spam"}
    assert ((readings.topics > 0) & (readings.topics < 1)).all()
    for topics, row in zip(model.topics_of(readings.topics), readings.topics, strict=True):
        assert topics == tuple(
            topic
            for topic, value in zip(model.topic_ids, row, strict=True)
            if value >= model.topic_thresholds[model.topic_ids.index(topic)]
        )


def test_a_context_counts(model: LanguageModel) -> None:
    alone, answering = model.read(["Tốt quá rồi"]), model.read(["Tốt quá rồi"], ["Thêm 20 xe buýt điện chạy tuyến metro số 1"])
    assert (alone.topics != answering.topics).any()
    assert _same(model.read(["Tốt quá rồi"], [""]), alone)
    assert _same(model.read(["Tốt quá rồi"], ["  "]), alone)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "😡",
        "https://vnexpress.net/kinh-doanh/gia-dien-4761234.html",
        "The new metro line is great, but the buses are late",
        "公共汽车又晚点了",
        "مرور سيئ جدا",
        "\u202eđường ngập quá\u202c",
        "👨\u200d👩\u200d👧 đi \u200dmetro\u200b vui quá\ufeff",
        "ngập\x00 nặng",
        "\ud800\udc00 ngập \udfff",
        "a" * 100_000,
        "Ngập nữa rồi. " * 8_000,
        "\n" * 100_000,
        "</s>" * 500,
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_any_text_is_read(model: LanguageModel, text: str) -> None:
    alone = model.read([text])
    together = model.read(["Kẹt xe quá", text, "Cảm ơn các chú"], ["Tin", None, ""])
    assert np.isfinite(alone.sentiment).all()
    assert (together.sentiment[1] == alone.sentiment[0]).all()
    assert (together.topics[1] == alone.topics[0]).all()
    assert (model.score([text + "\ud800"]) == alone.sentiment).all()


def test_a_long_text_is_read_to_its_end(model: LanguageModel) -> None:
    praise, blame = "Con đường mới rất đẹp, tôi rất hài lòng. ", "Đường ngập nặng, làm ăn quá tệ, bức xúc vô cùng. "
    scores = model.score([praise * 100, praise * 60 + blame * 100, praise])
    assert label_of(scores[0]) == label_of(scores[2]) == "positive"
    assert label_of(scores[1]) == "negative"


def test_contexts_and_texts_go_in_pairs(model: LanguageModel) -> None:
    with pytest.raises(ValueError, match="argument"):
        model.read(["a", "b"], ["c"])


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


@pytest.mark.parametrize("name", ["lower.int8.onnx", "upper.int8.onnx", "tokenizer.json"])
def test_an_altered_file_is_refused(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.seek(100)
        file.write(b"\x00\x01")
    with pytest.raises(LakeError, match=rf"{name} is not the one that model\.yaml names"):
        LanguageModel.load(copy)


@pytest.mark.parametrize("name", ["upper.int8.onnx", "model.yaml"])
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(LakeError, match=rf"{name} cannot be read"):
        LanguageModel.load(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["positive", "neutral", "negative"]}, "labels: expected negative, neutral, positive"),
        ({"max_length": 100_000}, "max_length"),
        ({"stages": ["other.onnx"]}, r"no digest for other\.onnx"),
        ({"stages": ["lower.int8.onnx"]}, "deep_below is given with two stages, and only then"),
        ({"topics": ["traffic", "traffic"]}, "a topic is named twice"),
        ({"topics": ["traffic", "waste"], "topic_thresholds": {"traffic": 0.5}}, "topic_thresholds must name the topics, each once: waste"),
        ({"flags": ["spam"], "flag_thresholds": {"spam": 1.5}}, "flag_thresholds"),
        ({"flags": ["spam"], "flag_thresholds": {"spam": 0.5}}, "gives 25 logits"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_description_is_refused(copy: Path, change: dict[str, object], message: str) -> None:
    described = copy / "model.yaml"
    described.write_text(yaml.safe_dump(yaml.safe_load(described.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(LakeError, match=message):
        LanguageModel.load(copy)


def test_importing_is_cheap_and_loading_is_silent() -> None:
    code = (
        "import sys, ml.language_model, ml.matching, ml.scoring\n"
        "assert not {'transformers', 'onnxruntime', 'spacy', 'torch'} & set(sys.modules)\n"
        "ml.language_model.LanguageModel.load().read(['kẹt xe'], ['tin'])\n"
        "assert 'torch' not in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_score_lines_keeps_order_and_fields(model: LanguageModel) -> None:
    lines = [json.dumps({"id": number, "text": f"{TEXTS[number % 5]} {number}"}) + "\n" for number in range(600)] + ["\n"]
    scored = list(score_lines(iter(lines), model))
    assert [row["id"] for row in scored] == list(range(600))
    first = scored[0]
    assert first["label"] == "negative"
    assert list(first["probabilities"]) == list(LABELS)
    assert (first["model_id"], first["weights_digest"]) == (model.model_id, model.weights_digest)
    json.dumps(first)


def test_score_lines_scores_what_the_lake_would(model: LanguageModel) -> None:
    raw = "<p>Gọi 0909 123 456 hoài kh\u00f4ng ai nghe</p>"
    (row,) = score_lines([json.dumps({"text": raw})], model)
    assert row["text"] == raw
    assert list(row["probabilities"].values()) == model.score([mask_pii(normalise(raw))])[0].tolist()


def test_score_lines_streams(model: LanguageModel) -> None:
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
        ('{"text": "a", "context": 5}', "Line 3: the field context is a int"),
    ],
)
def test_a_bad_line_is_named_after_the_good_ones(model: LanguageModel, line: str, message: str) -> None:
    rows = score_lines(['{"text": "tốt"}', "", line, '{"text": "tốt"}'], model)
    assert next(rows)["label"] == "positive"
    with pytest.raises(BadInputError, match=message):
        next(rows)
