"""The built-in registries: what is in them, and look-ups by id and date."""

import time
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake_config.errors import BadInputError
from lake_config.registry import Place, Registry, load_registry
from lake_config.registry import loader as loader_module

TOPICS = [
    "traffic",
    "public_transport",
    "flooding",
    "waste",
    "environment",
    "housing_land",
    "urban_order",
    "health",
    "food_safety",
    "education",
    "public_services",
    "digital_government",
    "security",
    "prices",
    "utilities",
    "jobs_welfare",
    "culture_tourism",
    "tet",
    "fire_safety",
]
SLUGS = [
    "saigon-sang",
    "thanh-pho-24h",
    "nhip-song-sai-gon",
    "bao-dan-thi",
    "tin-nhanh-phuong-nam",
    "do-thi-moi",
    "cho-lon-online",
    "thu-duc-ngay-nay",
    "giao-thong-sg",
    "kinh-te-ben-nghe",
    "suc-khoe-pho",
    "tong-hop-tin-tp",
]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def test_loading_is_fast_and_cached() -> None:
    loader_module._load.cache_clear()
    start = time.process_time()
    first = load_registry()
    assert time.process_time() - start < 3.0  # CPU: whatever else the machine does
    assert load_registry() is first


def test_topics_are_the_agreed_ones_and_their_keywords_are_phrases(registry: Registry) -> None:
    assert [topic.id for topic in registry.topics] == TOPICS
    assert all(20 <= len(topic.keywords) <= 65 for topic in registry.topics)
    shared = [word for word, count in Counter(word for topic in registry.topics for word in topic.keywords).items() if count > 1]
    assert shared == []


def test_every_topic_has_an_agency_on_every_day_of_the_city(registry: Registry) -> None:
    for day in (date(2024, 2, 8), date(2025, 3, 15), date(2025, 7, 1)):
        answered = {topic for agency in registry.valid_on(day).agencies if agency.area == "hcm" for topic in agency.topics}
        assert answered == set(TOPICS)


@pytest.mark.parametrize("slug", SLUGS)
def test_demo_news_sites_are_present(registry: Registry, slug: str) -> None:
    source = registry.source(f"demo-{slug}")
    assert source.platform == f"{slug}.demo"
    assert source.url in {f"{{demo_city}}/sites/{slug}/rss.xml", f"{{demo_city}}/sites/{slug}/atom.xml"}
    assert (source.connector, source.group, source.enabled, source.expected, source.allow_private) == (
        "news_feeds",
        "demo",
        False,
        True,
        True,
    )


def test_demo_deliveries_and_the_upload_source_are_present(registry: Registry) -> None:
    wanted = {
        "demo-provider": ("provider", "mangxahoi.demo"),
        "demo-pages": ("social_page", "trang.demo"),
        "demo-video": ("video", "video.demo"),
        "upload": ("upload", "upload"),
    }
    for source_id, (kind, platform) in wanted.items():
        source = registry.source(source_id)
        assert (source.kind, source.platform, source.connector, source.url, source.expected) == (kind, platform, "exports", None, False)
    assert [source.id for source in registry.sources if source.enabled] == ["upload"]


def test_half_of_the_demo_sites_speak_atom(registry: Registry) -> None:
    endings = Counter(str(source.url).rsplit("/", 1)[1] for source in registry.sources if source.group == "demo" and source.url)
    assert endings == {"rss.xml": 6, "atom.xml": 6}


def test_real_feeds_are_off_and_say_that_nobody_checked_them(registry: Registry) -> None:
    real = [source for source in registry.sources if source.group == "vietnam"]
    assert len(real) >= 60
    assert not any(source.enabled or source.verified or source.allow_private for source in real)
    assert all(source.url and source.url.startswith("https://") for source in real)


def test_places_before_and_after_the_merger(registry: Registry) -> None:
    until = registry.valid_on(date(2025, 6, 30)).places
    before = Counter(place.kind for place in until if place.id.startswith("hcm"))
    joined = Counter(place.kind for place in until if not place.id.startswith("hcm"))
    after = Counter(place.kind for place in registry.valid_on(date(2025, 7, 1)).places)
    assert before["district"] == 22
    assert before["ward"] + before["commune"] == 273
    assert joined == {"province": 2, "district": 16, "ward": 77, "commune": 91}
    assert after == {"city": 1, "ward": 113, "commune": 54, "special_zone": 1}


@pytest.mark.parametrize(
    ("place_id", "first", "last"),
    [
        ("hcm", None, None),
        ("hcm-d-quan-1", date(2021, 1, 1), date(2025, 6, 30)),
        ("hcm-d-thu-duc", date(2021, 1, 1), date(2025, 6, 30)),
        ("hcm-w2021-quan-1-ben-nghe", date(2021, 1, 1), date(2025, 6, 30)),
        ("hcm-w2021-quan-3-phuong-10", date(2021, 1, 1), date(2024, 12, 31)),
        ("hcm-w2021-quan-8-phuong-1", date(2021, 1, 1), date(2024, 12, 31)),
        ("hcm-w2021-quan-8-rach-ong", date(2025, 1, 1), date(2025, 6, 30)),
        ("hcm-w2025-sai-gon", date(2025, 7, 1), None),
        ("hcm-w2025-con-dao", date(2025, 7, 1), None),
    ],
)
def test_validity_of_places(registry: Registry, place_id: str, first: date | None, last: date | None) -> None:
    place = registry.place(place_id)
    assert (place.valid_from, place.valid_to) == (first, last)


def test_old_places_lead_to_new_ones(registry: Registry) -> None:
    for place in registry.places:
        if place.id.startswith(("hcm-d-", "hcm-w2021-")):
            assert place.successor_ids
            until_2024 = place.valid_to == date(2024, 12, 31)
            assert all(successor.startswith("hcm-w2021-" if until_2024 else "hcm-w2025-") for successor in place.successor_ids)
    assert registry.place("hcm-w2021-quan-1-ben-nghe").successor_ids[0] == "hcm-w2025-sai-gon"


def test_the_wards_that_were_merged_on_1_january_2025(registry: Registry) -> None:
    """Resolution 1278/NQ-UBTVQH15: 312 units of the lowest level became 273, in ten districts."""
    before = [place for place in registry.valid_on(date(2024, 12, 31)).places if place.id.startswith("hcm-w2021-")]
    assert len(before) == 312
    merged = [place for place in before if place.valid_to == date(2024, 12, 31)]
    assert Counter(str(place.parent_id).removeprefix("hcm-d-") for place in merged) == {
        "quan-3": 2, "quan-4": 3, "quan-5": 4, "quan-6": 4, "quan-8": 9, "quan-10": 3, "quan-11": 6, "binh-thanh": 5, "go-vap": 4,
        "phu-nhuan": 2,
    }  # fmt: skip
    for place in merged:
        (after,) = (registry.place(successor) for successor in place.successor_ids)
        assert after.parent_id == place.parent_id
        assert after.is_valid_on(date(2025, 1, 1))


def test_numbered_wards_need_their_district(registry: Registry) -> None:
    numbered = [place for place in registry.places if place.name_vi.removeprefix("Phường ").isdigit()]
    assert len(numbered) > 100
    assert not any(place.match_alone for place in numbered)
    assert registry.place("hcm-d-quan-1").match_alone


def test_no_two_places_share_a_name_that_counts_alone(registry: Registry) -> None:
    for day in (date(2024, 2, 10), date(2025, 9, 2)):
        alone = [place for place in registry.valid_on(day).places if place.match_alone]
        names = Counter((_root(registry, place), name.casefold()) for place in alone for name in _names(place))
        assert [name for name, count in names.items() if count > 1] == []


def _root(registry: Registry, place: Place) -> str:
    """The city or, until the merger, the province that a place lies in: names are unique inside one."""
    return registry.ancestors(place.id)[-1].id if place.parent_id else place.id


def _names(place: Place) -> set[str]:
    return {place.name_vi, *place.aliases}


def test_everyday_names_of_wards_do_not_stand_alone(registry: Registry) -> None:
    aliases = {alias for place in registry.places if place.id.startswith("hcm-w") for alias in place.aliases}
    assert aliases.isdisjoint({"Sài Gòn", "Hòa Bình", "Bình Dương", "Phạm Ngũ Lão", "Vũng Tàu", "Thủ Đức", "Phú Mỹ Hưng"})


def test_common_ways_to_write_a_district(registry: Registry) -> None:
    assert {"Q.1", "Q1"} <= set(registry.place("hcm-d-quan-1").aliases)
    assert {"TP Thủ Đức", "Thủ Đức", "quận 9"} <= set(registry.place("hcm-d-thu-duc").aliases)


def test_ancestors_end_at_the_city(registry: Registry) -> None:
    assert [place.id for place in registry.ancestors("hcm-w2021-quan-1-ben-nghe")] == ["hcm-d-quan-1", "hcm"]
    assert registry.ancestors("hcm") == ()


def test_merged_departments(registry: Registry) -> None:
    def valid(day: date) -> set[str]:
        return {agency.id for agency in registry.valid_on(day).agencies}

    assert {"so-gtvt", "so-xay-dung", "ubnd-d-quan-1"} <= valid(date(2024, 2, 10))
    assert {"so-gtcc", "so-xay-dung"} <= valid(date(2025, 4, 30))
    assert valid(date(2025, 7, 1)).isdisjoint({"so-gtvt", "so-gtcc", "so-xay-dung", "ubnd-d-quan-1"})
    assert {"so-xay-dung-2025", "so-nnmt", "ubnd-w2025-sai-gon"} <= valid(date(2025, 7, 1))


@pytest.mark.parametrize(
    ("lookup", "unknown", "hint"),
    [
        ("source", "demo-saigon-san", "demo-saigon-sang"),
        ("topic", "trafic", "traffic"),
        ("agency", "so-y-t", "so-y-te"),
        ("place", "hcm-d-quan-13", "hcm-d-quan-1"),
    ],
)
def test_unknown_ids_are_named_with_a_hint(registry: Registry, lookup: str, unknown: str, hint: str) -> None:
    with pytest.raises(BadInputError) as caught:
        getattr(registry, lookup)(unknown)
    assert repr(unknown) in str(caught.value)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


DAYS = st.dates(date(2000, 1, 1), date(2040, 1, 1))


@given(first=st.none() | DAYS, length=st.none() | st.integers(0, 4000), day=DAYS)
def test_validity_includes_both_ends(first: date | None, length: int | None, day: date) -> None:
    last = None if length is None else date.fromordinal((first or date(2020, 1, 1)).toordinal() + length)
    place = Place(id="hcm", owner="test", name_vi="Thành phố", kind="city", valid_from=first, valid_to=last)
    assert place.is_valid_on(day) == ((first or date.min) <= day <= (last or date.max))
    assert place.is_valid_on(last or first or day)


def test_every_newspaper_with_feeds_has_a_row_for_its_article_pages() -> None:
    sources = load_registry().sources
    feeds = {source.platform for source in sources if source.group == "vietnam"}
    pages = [source for source in sources if source.group == "vietnam-articles"]
    assert {source.platform for source in pages} == feeds
    assert len(pages) == len(feeds)
    assert not any(source.verified or source.enabled for source in pages)
