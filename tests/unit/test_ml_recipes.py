"""Recipes and what they become: targets, shares, augmentation, batches. Nothing here needs torch."""

from pathlib import Path

import numpy as np
import pytest

from lake_config.errors import BadInputError
from lake_config.registry import load_registry
from ml.corpus.reading import FOLDER as CORPUS
from ml.corpus.reading import second_labels
from ml.labelled.city import city_corpus
from ml.labelled.texts import LabelledText
from ml.language_model import DEFAULT_MODEL
from ml.normalise import without_diacritics
from ml.recipes.recipe import Augment, Job, read_recipe, recipe_names
from ml.training.augment import augmented, elongated, joined, with_teencode
from ml.training.batches import Feed, Stream, hidden_tokens, padded, reader
from ml.training.examples import UNKNOWN, example, gather, shares

TOPICS = tuple(sorted(topic.id for topic in load_registry().topics))
TEXT = "Đường này không kẹt, người ta đi được rồi."


def job(tmp_path: Path, recipe: str = "city-free", **more: object) -> Job:
    made = {"recipe_name": recipe, "recipe": read_recipe(recipe), "model_id": "x", "topics": TOPICS, "corpus": CORPUS}
    folders = {"shared": tmp_path / "data", "encoders": tmp_path / "models", "out": tmp_path / "out"}
    return Job.model_validate(made | folders | more)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_valid_and_says_what_it_is(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.minutes <= 60
    assert recipe.exits[-1] == recipe.layers
    free = set(recipe.shares) == {"city"}
    assert free == ("MIT" in recipe.encoder_terms and "fine-tuned" not in recipe.encoder_terms)


def test_wrong_recipes_are_refused() -> None:
    assert {"city", "city-free", "learning-curve"} <= set(recipe_names())
    with pytest.raises(BadInputError, match=r"There is no recipe 'town'; there are city, city-free"):
        read_recipe("town")
    with pytest.raises(BadInputError, match=r"The recipe city, minutes: Input should be greater than 0"):
        read_recipe("city", minutes=0)
    with pytest.raises(BadInputError, match=r"exits must rise and end with the last layer, 12"):
        read_recipe("city", exits=[6])
    with pytest.raises(BadInputError, match=r"shares must sum to 1"):
        read_recipe("city", shares={"city": 0.5})
    with pytest.raises(BadInputError, match=r"learning_rates: Extra inputs are not permitted"):
        read_recipe("city", learning_rates=1)


def test_targets_keep_what_is_not_labelled_apart() -> None:
    full = LabelledText("tốt", "Bài", "positive", frozenset({"traffic", "waste"}), frozenset({"waste", "tet"}), {"toxic": True})
    made = example(full, ("negative", "positive"), TOPICS)
    assert (made.sentiment, made.chosen, made.context) == (2, (True, False, True), "Bài")
    by_topic = dict(zip(TOPICS, zip(made.topics.tolist(), made.topic_weights.tolist(), strict=True), strict=True))
    assert by_topic["traffic"] == (1.0, 1.0)
    assert by_topic["waste"] == (0.5, 0.5)  # disputed
    assert by_topic["tet"] == (pytest.approx(0.35), 0.5)
    assert by_topic["flooding"] == (0.0, 1.0)
    assert made.flags.tolist() == [0, 1, 0]
    assert made.flag_weights.tolist() == [0, 1, 0]
    bare = example(LabelledText("gọi 0912345678"), ("negative",), TOPICS)
    assert (bare.sentiment, bare.topic_weights.sum(), bare.flag_weights.sum()) == (UNKNOWN, 0, 0)
    assert "0912345678" not in bare.text  # masked, as the model will see it


def test_gathering(tmp_path: Path) -> None:
    gathered = gather(job(tmp_path, "city"))
    city = city_corpus()
    assert gathered.sets == {"city": len(city.train)}
    assert "uit-vsfc" in gathered.absent
    assert shares({"city": 0.4, "shared": 0.6}, gathered.groups) == {"city": 1.0}
    second = second_labels()
    assert sum((one.topic_weights == 0.5).any() for one in gathered.groups["city"]) > 0.02 * len(second)
    few, more = gather(job(tmp_path, posts=50)), gather(job(tmp_path, posts=80))
    assert {one.text for one in few.groups["city"]} < {one.text for one in more.groups["city"]}
    with pytest.raises(BadInputError, match=r"posts to train on, 1000000 were asked for"):
        gather(job(tmp_path, posts=1_000_000))
    rows = [f'"Bài số {number} rất tốt",positive' for number in range(90)] + [f'"{city.dev[0].text}",negative']
    own = tmp_path / "own.csv"
    own.write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with_own = gather(job(tmp_path, own_csv=own))
    assert 60 < with_own.sets["own"] <= 90
    assert city.dev[0].text not in {one.text for one in with_own.groups["city"]}  # measured on, so never trained on


def test_augmenting_keeps_the_words_in_order() -> None:
    random = np.random.default_rng(3)
    assert augmented(TEXT, Augment(), random) == TEXT
    assert augmented(TEXT, Augment(unaccented=1), random) == without_diacritics(TEXT) == "Duong nay khong ket, nguoi ta di duoc roi."
    assert augmented(TEXT, Augment(upper=1), random) == TEXT.upper()
    assert augmented(TEXT, Augment(bare_end=1), random) == TEXT[:-1]
    assert augmented("...", Augment(bare_end=1), random) == "..."
    short = {with_teencode("tôi không biết", random) for _ in range(50)}
    assert "tôi không biết" in short
    assert any(" ko " in text or " k " in text for text in short)
    assert all(len(text.split()) == 3 for text in short)
    assert {joined("a b c", random) for _ in range(50)} == {"ab c", "a bc"}
    assert joined("a", random) == "a"
    assert {elongated("quá", random) for _ in range(50)} == {"quáá", "quááá", "quáááá", "quááááá"}
    assert elongated("ok!", random) == "ok!"


def test_batches_hold_what_was_drawn(tmp_path: Path) -> None:
    recipe = read_recipe("city-free", batch_tokens=512, augment={"context": 1.0})
    tokens = reader(DEFAULT_MODEL)
    texts = [
        LabelledText(f"Bài {number} " + "rất hay " * (number % 9), "Tiêu đề" if number % 2 else None, "positive") for number in range(300)
    ]
    examples = [example(text, ("positive",), TOPICS) for text in texts]
    stream = Stream(examples, np.random.default_rng(1))
    feed = iter(Feed(recipe, tokens, {"city": stream}, {"city": 1.0}, np.random.default_rng(2)))
    seen = []
    while len(seen) < 1600:
        batch = next(feed)
        seen += list(batch.examples)
        rows, length = batch.ids.shape
        assert rows * length <= 512 or rows == 1
        assert (batch.mask.sum(axis=1) >= batch.own.sum(axis=1)).all()
        for row, one in enumerate(batch.examples):
            with_context = batch.mask[row].sum() > batch.own[row].sum()
            assert with_context == (one.context is not None)
            first = tokens.passes([one.text], [one.context or ""])[0][0]
            assert batch.ids[row, : len(first.ids)].tolist() == first.ids
    assert len(seen) == 1600
    assert stream.passes == 6  # five whole passes and a part of the sixth
    counts = np.unique([id(one) for one in seen], return_counts=True)[1]
    assert (len(counts), counts.min(), counts.max()) == (300, 5, 6)
    with pytest.raises(BadInputError, match=r"There is no tokenizer at"):
        reader(tmp_path)


def test_hidden_tokens_and_padding() -> None:
    ids = [0, *range(100, 1100), 2]
    made = hidden_tokens(ids, 0.1, np.random.default_rng(1))
    assert (made[0], made[-1]) == (0, 2)
    assert 60 < sum(one == 3 for one in made) < 140
    assert all(new in {old, 3} for new, old in zip(made, ids, strict=True))
    long, short = reader(DEFAULT_MODEL).passes(["một hai ba bốn năm", "một"], ["", "hai"])
    ids_, mask, own = padded([long[0], short[0]])
    assert ids_.shape == mask.shape == own.shape
    assert own[1].sum() == short[0].own < mask[1].sum()
    assert (ids_[mask == 0] == 1).all()
