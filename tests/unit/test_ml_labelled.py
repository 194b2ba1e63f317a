"""Labelled texts: the city's sets, the forms of the data sets of others (by files written here), and a city's own CSV with its errors."""

from pathlib import Path

import pytest
from openpyxl import Workbook

from lake_config.errors import BadInputError
from ml.corpus.reading import read_posts
from ml.labelled.city import challenge_set, city_corpus
from ml.labelled.own_csv import own_set
from ml.labelled.shared import SHARED_SETS, shared_sets
from ml.labelled.texts import FLAGS

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
TOPICS = ("traffic", "waste")


def test_the_city_corpus_keeps_every_label() -> None:
    city, posts = city_corpus(), read_posts()
    assert len(city.train) + len(city.dev) == len(posts)
    by_text = {text.text: text for text in (*city.train, *city.dev)}
    for post in posts:
        text = by_text[post.text]
        assert (text.context, text.sentiment, text.topics) == (post.parent, post.sentiment, frozenset(post.topics))
        assert text.flags == {"constructive": post.constructive, "toxic": post.toxic, "spam": post.spam}
    assert any(text.disputed for text in city.train)
    assert not {text.story for text in city.train} & {text.story for text in city.dev}
    assert challenge_set().train == ()


def _write(folder: Path) -> None:
    """One small set of every form, in the words of this test."""
    for half in ("train", "dev"):
        home = folder / "uit-vsfc" / half
        home.mkdir(parents=True)
        (home / "sents.txt").write_text("thầy dạy hay colonsmile\nbình thường\nchán\n", encoding="utf-8")
        (home / "sentiments.txt").write_text("2\n1\n0\n", encoding="utf-8")
    files = {
        "vlsp2016/SA-2016.train": "máy tốt\tPOS\nmáy dở\tNEG\n",
        "vlsp2016/SA-2016.dev": "\ufeffmáy thường\tNEU\nkhông có nhãn\n",
        "aivivn/train.crash": "\n".join(f'train_{number:06}\n"hàng số {number}"\n{number % 2}\n' for number in range(20)),
        "uit-visfd/Train.csv": 'index,comment,n_star,label\n0,"pin tốt, màn đẹp",5,{BATTERY#Positive};{SCREEN#Positive};\n',
        "uit-visfd/Dev.csv": "index,comment,n_star,label\n0,pin tốt màn xấu,3,{BATTERY#Positive};{SCREEN#Negative};\n",
        "vihsd/train.csv": "free_text,label_id\nchào bạn,0\nđồ ngu,2\n",
        "vihsd/dev.csv": "free_text,label_id\nchào,0\n,1\n",
        "victsd/ViCTSD_train.csv": "Comment,Constructiveness,Toxicity,Title,Topic\nNên làm cầu,1,0,Kẹt xe,ThoiSu\n",
        "victsd/ViCTSD_valid.csv": "Comment,Constructiveness,Toxicity,Title,Topic\nhay,0,0,Kẹt xe,ThoiSu\n",
        "vispam/train.csv": "Rating,Comment,Label,SpamLabel\n5,mua shop này nhé,1,2\n",
        "vispam/dev.csv": "Rating,Comment,Label,SpamLabel\n5,hàng tốt,0,0\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "uit-vsmec").mkdir()
    for half in ("train", "valid"):
        book = Workbook()
        assert book.active is not None
        for row in (("Emotion", "Sentence"), ("Enjoyment", "vui quá"), ("Surprise", "ủa"), ("Other", "đang ăn")):
            book.active.append(row)
        book.save(folder / "uit-vsmec" / f"{half}_nor_811.xlsx")


def test_every_form_is_read(tmp_path: Path) -> None:
    _write(tmp_path)
    found, absent = shared_sets(tmp_path)
    sets = {one.name: one for one in found}
    assert absent == []
    assert list(sets) == [one.name for one in SHARED_SETS]
    assert [(text.text, text.sentiment) for text in sets["uit-vsfc"].train] == [
        ("thầy dạy hay :)", "positive"), ("bình thường", "neutral"), ("chán", "negative"),
    ]  # fmt: skip
    assert [(text.text, text.sentiment) for text in sets["vlsp2016"].dev] == [("máy thường", "neutral")]
    assert (len(sets["aivivn"].train), len(sets["aivivn"].dev)) == (18, 2)
    assert {text.text: text.sentiment for text in sets["aivivn"].train + sets["aivivn"].dev}["hàng số 7"] == "negative"
    assert not {text.text for text in sets["aivivn"].train} & {text.text for text in sets["aivivn"].dev}
    assert [(text.text, text.sentiment) for text in sets["uit-visfd"].train] == [("pin tốt, màn đẹp", "positive")]
    assert sets["uit-visfd"].dev == ()  # its aspects differ
    assert [(text.text, text.sentiment) for text in sets["uit-vsmec"].dev] == [("vui quá", "positive"), ("đang ăn", "neutral")]
    assert [dict(text.flags) for text in sets["vihsd"].train] == [{"toxic": False}, {"toxic": True}]
    assert len(sets["vihsd"].dev) == 1
    assert [(text.context, dict(text.flags)) for text in sets["victsd"].train] == [("Kẹt xe", {"constructive": True, "toxic": False})]
    assert [dict(text.flags) for text in sets["vispam"].train] == [{"spam": True}]


def test_absent_sets_are_named_and_broken_ones_refused(tmp_path: Path) -> None:
    assert shared_sets(tmp_path / "nowhere") == ([], [one.name for one in SHARED_SETS])
    _write(tmp_path)
    (tmp_path / "vihsd" / "dev.csv").write_text("text,label_id\na,0\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"dev\.csv, line 2: the column free_text is missing; found text, label_id"):
        shared_sets(tmp_path)
    (tmp_path / "uit-vsfc" / "dev" / "sentiments.txt").write_text("2\n7\n0\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"sentiments\.txt, line 2: the label '7' is none of 0, 1, 2"):
        shared_sets(tmp_path)
    (tmp_path / "uit-vsfc" / "dev" / "sents.txt").unlink()
    with pytest.raises(BadInputError, match=r"sents\.txt cannot be read"):
        shared_sets(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets of others are not at ../shared/data")
def test_the_real_sets_are_whole() -> None:
    found, absent = shared_sets(SHARED)
    assert absent == []
    for one in found:
        assert len(one.train) > 3 * len(one.dev) >= 300
        assert {text.sentiment for text in one.train} <= {*one.classes, None}
        assert {flag for text in one.train for flag in text.flags} <= set(FLAGS)
    sizes = {one.name: len(one.dev) for one in found}
    assert sizes["uit-vsfc"] == 1583  # the official dev split


def _own(folder: Path, rows: list[str], header: str = "text,label,context,topics") -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_citys_own_file(tmp_path: Path) -> None:
    rows = [f'"Đường số {number}, kẹt quá",Tiêu cực,"Bài {number // 2}",traffic; waste' for number in range(80)]
    one = own_set(_own(tmp_path, rows), TOPICS)
    assert len(one.train) + len(one.dev) == 80
    assert 0 < len(one.dev) < 30
    assert not {text.context for text in one.train} & {text.context for text in one.dev}
    first = one.train[0]
    assert (first.sentiment, first.topics) == ("negative", {"traffic", "waste"})
    plain = own_set(_own(tmp_path, [f"bài {number},positive" for number in range(80)], "text,label"), TOPICS)
    assert (plain.train[0].context, plain.train[0].topics, dict(plain.train[0].flags)) == (None, None, {})
    empty = own_set(_own(tmp_path, [f"bài {number},positive,," for number in range(80)]), TOPICS)
    assert (empty.train[0].context, empty.train[0].topics) == (None, frozenset())


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        (["a,b"], "text,sentiment", r"line 1: the column label is missing"),
        (["a,b"], "text,label,author", r"line 1: the column 'author' is not known"),
        (["tốt,positive,,", ",negative,,"], None, r"line 3, text: it is empty"),
        (["tốt,good,,"], None, r"line 2, label: 'good' is none of negative"),
        (["tốt,positive,,traffic;road"], None, r"line 2, topics: 'road' is no topic of the registry; they are traffic, waste"),
        (["tốt,positive"], None, r"line 2: the row has not as many fields"),
        (["tốt, quá,positive,,"], None, r"line 2: the row has not as many fields"),
        (["tốt,positive,,"], None, r"has 1 labelled texts: at least 50"),
        (['"tốt,positive,,'], None, r"cannot be read as CSV"),
    ],
)
def test_errors_of_a_citys_own_file(tmp_path: Path, rows: list[str], header: str | None, said: str) -> None:
    path = _own(tmp_path, rows, header) if header else _own(tmp_path, rows)
    with pytest.raises(BadInputError, match=rf"labels\.csv.*{said}"):
        own_set(path, TOPICS)
    with pytest.raises(BadInputError, match="cannot be read as CSV"):
        own_set(tmp_path / "absent.csv", TOPICS)
