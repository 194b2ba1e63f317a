"""Measuring a real model, and its card: what it says is what the files and the figures are."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.corpus.reading import read_challenge, read_posts
from ml.evaluation.card import card
from ml.evaluation.corpus_facts import corpus_facts
from ml.evaluation.measure import measure, sentiment_of
from ml.evaluation.reader import Reader, read_as_the_lake
from ml.evaluation.report import CARD, CARD_DATA, Report, as_json, read_report
from ml.evaluation.reporting import files_of, speed_of, write_card
from ml.labelled.city import challenge_set
from ml.labelled.texts import LABELS, LabelledSet
from ml.language_model import DEFAULT_MODEL, LanguageModel
from ml.model_files import MODELS_FOLDER, ModelError, read_facts
from ml.recipes.recipe import CURVE, TRAINING_NOTES
from ml.sentiment import label_of

CARDS = sorted(path.parent for path in MODELS_FOLDER.glob(f"*/{CARD_DATA}"))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return LanguageModel.load(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def few() -> LabelledSet:
    """Two stories of each kind of the challenge set, and ten minimal pairs."""
    texts = [text for text in challenge_set().dev if int(text.story.rsplit("-", 1)[1]) <= (10 if "pair" in text.story else 2)]
    return replace(challenge_set(), dev=tuple(texts))


@pytest.fixture(scope="module")
def report(reader: Reader, few: LabelledSet) -> Report:
    two = replace(few, name="aivivn", classes=("negative", "positive"), dev=tuple(text for text in few.dev if text.sentiment != "neutral"))
    sets = [measure(reader, few), measure(reader, two)]
    speed = speed_of(reader, few.dev[:40], threads=1)
    facts = corpus_facts()
    return Report(
        reader.model_id, reader.weights_digest, files_of(DEFAULT_MODEL), reader.topic_ids, None, None, facts, sets, [], ["vihsd"], speed
    )


def test_what_is_measured_is_what_the_model_says(reader: Reader, few: LabelledSet, report: Report) -> None:
    measured = report.sets[0]
    reading = read_as_the_lake(reader, few.dev)
    called = [label_of(row) for row in reading.sentiment]
    right = [label == text.sentiment for label, text in zip(called, few.dev, strict=True)]
    assert measured.sentiment is not None
    assert measured.sentiment.accuracy.value == pytest.approx(np.mean(right))
    assert measured.sentiment.predicted_share == pytest.approx({label: called.count(label) / len(called) for label in LABELS})
    assert sum(map(sum, measured.sentiment.confusion)) == len(few.dev)
    sarcasm = [one for one, text in zip(right, few.dev, strict=True) if "sarcasm" in text.phenomena]
    assert measured.phenomena["sarcasm"].right == pytest.approx(np.mean(sarcasm))
    assert measured.pairs == 10
    both = [all(one for one, text in zip(right, few.dev, strict=True) if text.story == f"x-pair-{pair}") for pair in range(1, 11)]
    assert measured.pairs_right == pytest.approx(np.mean(both))
    assert (measured.topics is None) == (not reader.topic_ids)
    assert set(measured.flags) == set(reading.flags)
    bare = sentiment_of(few, few.dev, read_as_the_lake(reader, few.dev, unaccented=True))
    assert measured.unaccented == bare
    assert measured.lost_unaccented == pytest.approx(measured.sentiment.macro_f1.value - bare.macro_f1.value)


def test_two_classes_leave_neutral_out(report: Report) -> None:
    two = report.sets[1].sentiment
    assert two is not None
    assert set(two.predicted_share) == {"negative", "positive"}
    assert sum(two.predicted_share.values()) == pytest.approx(1.0)
    assert 0 < two.called_neutral < 1


def test_the_card_is_made_from_its_data(tmp_path: Path, report: Report) -> None:
    written = write_card(report, tmp_path)
    text = written.read_text(encoding="utf-8")
    assert text == card(read_report(tmp_path / CARD_DATA))
    assert json.loads((tmp_path / CARD_DATA).read_text(encoding="utf-8")) == json.loads(as_json(report))
    plain = report.sets[0].sentiment
    assert plain is not None
    assert f"| challenge | {plain.texts} | {100 * plain.accuracy.value:.1f} (" in text
    assert "| vihsd | not measured: the data was absent |" in text
    assert "Not measured for this model" in text
    for one in report.files.values():
        assert one.sha256 in text
    (tmp_path / CARD_DATA).write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=r"card\.json is not the report of a model .*run \./lake eval"):
        read_report(tmp_path / CARD_DATA)


def test_counts_are_those_of_the_corpus() -> None:
    facts, posts, challenge = corpus_facts(), read_posts(), read_challenge()
    assert sum(facts.counts.total) == len(posts) + len(challenge)
    for counted in (facts.counts.labels, facts.counts.kinds):
        assert [sum(column) for column in zip(*counted.values(), strict=True)] == list(facts.counts.total)
    assert facts.counts.phenomena["sarcasm"][2] == sum("sarcasm" in post.phenomena for post in challenge)
    assert facts.counts.topics["none"][0] == sum(not post.topics for post in posts if post.split == "train")
    assert facts.agreement["all"].posts == len(posts)


@pytest.mark.parametrize("folder", CARDS, ids=lambda folder: folder.name)
def test_the_cards_that_ship_are_current(folder: Path) -> None:
    """The text is made from its data; digests and counts are those of the files as they lie here. Else: ./lake eval --model."""
    shipped = read_report(folder / CARD_DATA)
    assert (folder / CARD).read_text(encoding="utf-8") == card(shipped)
    assert shipped.files == files_of(folder)
    assert shipped.corpus.digests == corpus_facts().digests
    assert json.loads(as_json(replace(shipped, corpus=corpus_facts()))) == json.loads(as_json(shipped))
    assert shipped.weights_digest == read_facts(folder).digest
    for name, said in ((TRAINING_NOTES, shipped.training), (CURVE, shipped.learning_curve)):
        assert said == (json.loads((folder / name).read_text(encoding="utf-8")) if (folder / name).exists() else None)
