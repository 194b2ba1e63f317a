"""Article pages: their words whatever surrounds them, their encodings, their addresses."""

from hypothesis import given
from hypothesis import strategies as st

from assets.bronze.article_address import Publishers, article_address, clean_address
from assets.bronze.article_document import Article, Fault, Unreadable, page_context, read_article
from assets.bronze.legacy_text import from_tcvn3, from_vni, page_text
from ml.normalise import normalise
from orchestration.demo_city import generate
from orchestration.demo_city.article_pages import ARTICLE_FAULTS, MEDIA_TYPE, UPDATE, amp_html, article_html, spoil_article

CITY = generate(scale=0.05)
SITES = {site.source_id: site for site in CITY.sites}
ARTICLES = [version for version in CITY.versions if version.connector == "news_feeds"]
PLAIN = next(v for v in ARTICLES if SITES[v.source_id].charset == "utf-8" and not v.tags and len(v.text) > 120)


def words(text: str) -> str:
    return " ".join(normalise(text).split())


def test_the_words_of_legacy_fonts() -> None:
    assert from_vni("Thaønh phoá Hoà Chí Minh: ñöôøng ngaäp naëng, yû laïi") == "Thành phố Hồ Chí Minh: đường ngập nặng, ỷ lại"
    assert from_tcvn3("Thµnh phè Hå ChÝ Minh: ®\u00adêng ngËp nÆng, û l¹i") == "Thành phố Hồ Chí Minh: đường ngập nặng, ỷ lại"
    assert page_text("Café très bon marché à Paris pour les gens".encode("cp1252"), "text/html; charset=iso-8859-1").startswith("Café très")


def test_every_page_of_the_city_gives_its_article_and_nothing_around_it() -> None:
    for number, version in enumerate(ARTICLES):
        site = SITES[version.source_id]
        for page in (article_html(site, version, fetch=number, related=ARTICLES[:4]), amp_html(site, version)):
            found = read_article(page, page_context(MEDIA_TYPE))
            assert isinstance(found, Article)
            assert (found.title, words(found.text), found.author) == (version.title, words(version.text), version.author)


def test_each_fault_of_a_page_is_read_or_refused_with_its_reason() -> None:
    refused = {"cut_page": Fault.CUT_OFF, "garbled": Fault.UNDECODABLE, "no_article": Fault.NO_TEXT}
    for kind in ARTICLE_FAULTS:
        body, content_type = spoil_article(article_html(SITES[PLAIN.source_id], PLAIN), kind)
        found = read_article(body, page_context(content_type))
        if kind in refused:
            assert isinstance(found, Unreadable)
            assert found.fault == refused[kind]
        else:
            assert isinstance(found, Article), (kind, found)
            wanted = PLAIN.text + (f" {UPDATE}" if kind == "edited" else "")
            assert words(found.text).casefold() == words(wanted).casefold(), kind


@given(st.binary(max_size=300))
def test_no_bytes_stop_the_reader(payload: bytes) -> None:
    assert isinstance(read_article(b"<html><p>" + payload + b"</html>", page_context("")), Article | Unreadable)


@given(st.text(max_size=60))
def test_cleaning_an_address_again_changes_nothing(tail: str) -> None:
    once = clean_address(f"https://Bao.vn:443/{tail}?a=1&utm_source=x#{tail}")
    assert once is None or clean_address(once) == once


def test_the_address_stays_at_the_publisher() -> None:
    publishers = Publishers(["bao.vn", "khac.vn"])
    own = article_address("https://m.bao.vn/a.amp", "https://m.bao.vn/a.amp", {"canonical": "https://bao.vn/a?utm_medium=x"}, publishers)
    assert (own.url, own.elsewhere) == ("https://bao.vn/a", None)
    copy = article_address("https://bao.vn/a", "https://bao.vn/a", {"canonical": "https://khac.vn/goc"}, publishers)
    assert (copy.url, copy.elsewhere) == ("https://bao.vn/a", "https://khac.vn/goc")
