"""The operator's own registry: CSV files, decisions about sources by day, and what of a file may join."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lake_config.errors import ConfigError
from lake_config.registry import Registry, Source, Switch, load_registry
from lake_config.registry.additions import DEFAULTS, completed, judge
from lake_config.registry.csv_rows import read_csv_rows, write_csv
from lake_config.registry.loader import validate
from lake_config.registry.yaml_rows import RawRow

HEAD = "id,owner,name,kind,group,connector,platform,url,publisher,area,licence_note,verified,enabled,poll_minutes"
GOOD = "feed-1,data-team,Báo Một,newspaper,mine,news_feeds,bao1.vn,https://bao1.vn/rss,Tòa soạn,hcm,For the test.,false,false,15"
DAY = date(2026, 3, 1)


def loaded(folder: Path, **files: str) -> Registry:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return load_registry((folder,))


def complaint(folder: Path, **files: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, **files)
    return str(caught.value)


def test_a_csv_file_is_a_registry_file(tmp_path: Path) -> None:
    source = loaded(tmp_path, mekong=f"{HEAD}\n{GOOD}\n").source("feed-1")
    assert (source.name, source.poll_minutes, source.enabled, source.expected, source.area) == ("Báo Một", 15, False, True, "hcm")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{HEAD}\n{GOOD}\n{GOOD.replace('feed-1', 'feed-2').replace('15', 'soon')}\n",
            ":3: sources row 'feed-2', field poll_minutes: is 'soon'; expected whole minutes",
        ),
        (
            f"{HEAD}\n\n{GOOD.replace('https://', 'ftp://')}\n",
            ":3: sources row 'feed-1', field url: is 'ftp://bao1.vn/rss'; expected a feed URL",
        ),
        (
            f"{HEAD}\n{GOOD.replace(',false,', ',maybe,', 1)}\n",
            ":2: sources row 'feed-1', field verified: is 'maybe'; expected true or false",
        ),
        (f"{HEAD}\n{GOOD.replace('Báo Một', '')}\n", ":2: sources row 'feed-1', field name: is missing; expected the name"),
        (
            f"{HEAD}\n{GOOD.replace('hcm', 'hcmm')}\n",
            ":2: sources row 'feed-1', field area: 'hcmm' is no id of the places registry (did you mean",
        ),
        (f"{HEAD}\n{GOOD},more\n", ":2: the row has 15 cells, the first line names 14 columns; expected as many"),
        (f"{HEAD.replace('publisher', 'publsher')}\n", ":1: column 'publsher' is unknown (did you mean publisher?); expected some of id"),
        (f"{HEAD},id\n", ":1: column id comes twice"),
        (f"{HEAD.replace(',url', '').replace(',platform', '')}\n", ":1: column platform is missing; expected the host-like name"),
        ("\n", ":1: the first line names no columns"),
        ("", ":1: the first line names no columns"),
        (f'{HEAD}\n"feed"-1,a\n', ":2: is not valid CSV"),
        (f"{HEAD}\n{GOOD}\n{GOOD}\n", ":3: sources row 'feed-1', field id: 'feed-1' is already used at"),
    ],
)
def test_a_fault_is_named_by_file_line_and_field(tmp_path: Path, text: str, said: str) -> None:
    assert f"{tmp_path / 'mekong.csv'}{said}" in complaint(tmp_path, mekong=text)


def test_the_line_of_a_row_is_that_where_it_begins(tmp_path: Path) -> None:
    two_lines = GOOD.replace("For the test.", '"For\nthe test."')
    text = complaint(tmp_path, mekong=f"{HEAD}\n{two_lines}\n{GOOD.replace('feed-1', 'B')}\n")
    assert "mekong.csv:2: sources row 'feed-1', field licence_note" in text
    assert "mekong.csv:4: sources row 'B', field id" in text


def test_a_file_that_is_not_utf8_and_a_file_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(f"{HEAD}\n{GOOD}\n".encode("cp1258", errors="replace") + b"\xff")
    (tmp_path / "b.csv").symlink_to(tmp_path / "gone.csv")
    text = complaint(tmp_path)
    assert "a.csv: byte" in text
    assert "b.csv: cannot be read" in text


def test_a_flood_of_faults_is_counted_and_cut(tmp_path: Path) -> None:
    text = complaint(tmp_path, mekong="\n".join([HEAD, *[GOOD.replace("hcm", "nowhere").replace("1", str(n)) for n in range(1000)]]))
    assert text.splitlines()[0] == "The registry has 1,000 faults; correct the lines named and run again:"
    assert text.splitlines()[-1] == "... and 900 more"


def test_decisions_hold_from_their_day_and_the_latest_wins(tmp_path: Path) -> None:
    switches = (
        "source_id,enabled,since,reason\nfeed-1,true,2026-03-01,Terms read.\nfeed-1,false,2026-03-10,Moved.\nfeed-1,true,2026-03-12,Back.\n"
    )
    registry = loaded(tmp_path, mekong=f"{HEAD}\n{GOOD}\n", switches=switches)
    source = registry.source("feed-1")
    on = {(DAY + timedelta(days=n)).day for n in range(-1, 14) if registry.is_collected(source, (), DAY + timedelta(days=n))}
    assert on == {*range(1, 10), 12, 13, 14}
    decision = registry.switch("feed-1", date(2026, 3, 11))
    assert decision is not None
    assert decision.reason == "Moved."


def test_off_beats_the_group_and_the_row_and_validity_beats_on(tmp_path: Path) -> None:
    on, ended = GOOD.replace(",false,false,", ",false,true,"), GOOD.replace("feed-1", "feed-2").replace("bao1", "bao2")
    rows = f"{HEAD},valid_to\n{on},\n{ended},2026-02-01\n"
    switches = (
        "source_id,enabled,since,reason\nfeed-1,false,2026-03-01,Off.\nfeed-2,true,2026-01-01,On.\nvn-vov-trang-chu,false,2026-03-01,Off.\n"
    )
    registry = loaded(tmp_path, mekong=rows, switches=switches)
    assert set(registry.collected(("mine", "vietnam"), date(2026, 2, 28))) > {"feed-1", "vn-vov-trang-chu"}
    found = registry.collected(("mine", "vietnam"), DAY)
    assert found.keys().isdisjoint({"feed-1", "feed-2", "vn-vov-trang-chu"})
    assert "vn-vov-xa-hoi" in found
    assert "feed-2" in registry.collected((), date(2026, 2, 1))


def test_a_source_that_answered_is_verified(tmp_path: Path) -> None:
    registry = loaded(tmp_path, checks="source_id,verified_on,document,entries\nvn-vov-trang-chu,2026-03-01,RSS,25\n")
    assert registry.source("vn-vov-trang-chu").verified
    assert registry.checks["vn-vov-trang-chu"].verified_on == DAY
    assert not registry.source("vn-vov-xa-hoi").verified


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "switches",
            "source_id,enabled,since,reason\nvn-vov,false,2026-03-01,Off.\n",
            "switches.csv:2: switches row 'vn-vov', field source_id: 'vn-vov' is no id of the sources",
        ),
        (
            "switches",
            "source_id,enabled,since,reason\nvn-vov-xa-hoi,false,1.3.2026,Off.\n",
            "field since: is '1.3.2026'; expected the first local day",
        ),
        (
            "switches",
            "source_id,enabled,since,reason\nvn-vov-xa-hoi,false,2026-03-01,\n",
            "field reason: is missing; expected a sentence on why",
        ),
        (
            "checks",
            "source_id,verified_on,document,entries\nvn-vov-xa-hoi,2026-03-01,RSS,1\nvn-vov-xa-hoi,2026-03-02,RSS,1\n",
            "checks.csv:3: checks row 'vn-vov-xa-hoi', field source_id: 'vn-vov-xa-hoi' is already used",
        ),
    ],
)
def test_overrides_are_checked_like_rows(tmp_path: Path, name: str, text: str, said: str) -> None:
    assert said in complaint(tmp_path, **{name: text})


TEXT = st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs")) | st.sampled_from(' ,;"'), min_size=1, max_size=30)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": TEXT,
                "poll_minutes": st.none() | st.integers(1, 10**6),
                "enabled": st.booleans(),
                "valid_from": st.none() | st.dates(),
            }
        ),
        max_size=8,
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    base = completed(RawRow("sources", Path("x"), 0, {"url": "https://bao.vn/rss"}, {}), DEFAULTS).values
    made = []
    for number, row in enumerate(rows):
        try:
            made.append(Source.model_validate(base | row | {"id": f"s-{number}", "url": f"https://bao.vn/{number}"}))
        except ValidationError:
            continue  # a name of white space only, say
    file = tmp_path_factory.getbasetemp() / "written.csv"
    write_csv(file, Source, made)
    back = read_csv_rows(file, "sources", Source)
    assert back.problems == []
    assert [validate(raw) for raw in back.rows] == [(source, []) for source in made]


def raw(line: int, values: Mapping[str, object]) -> RawRow:
    return completed(RawRow("sources", Path("new.csv"), line, dict(values), {}), DEFAULTS)


def test_a_row_is_completed_from_its_address() -> None:
    values = raw(2, {"url": "https://www.Bao-Moi.com.vn:8443/rss/home.rss?x=1"}).values
    assert (values["platform"], values["name"], values["publisher"]) == ("bao-moi.com.vn",) * 3
    assert values["id"].startswith("bao-moi-com-vn-")
    assert values["id"] != raw(2, {"url": "https://bao-moi.com.vn/other.rss"}).values["id"]
    assert raw(3, {"url": "https://[half", "name": "Báo"}).values["name"] == "Báo"


def test_rows_join_unless_the_registry_or_an_earlier_row_has_them() -> None:
    judged = judge(
        [
            raw(2, {"url": "https://a.example/rss"}),
            raw(3, {"url": "https://a.example/rss"}),
            raw(4, {"url": "https://vov.vn/rss/home.rss"}),
            raw(5, {"url": "https://b.example/rss", "id": "vn-vov-trang-chu"}),
            raw(6, {"url": "https://c.example/rss", "area": "hcm-d-quan-99"}),
            raw(7, {"name": "No address"}),
            raw(8, {"url": "https://d.example/rss", "area": "hcm"}),
        ],
        load_registry(),
    )
    assert [source.url for source in judged.accepted] == ["https://a.example/rss", "https://d.example/rss"]
    said = [(problem.line, problem.sentence.split(", field ")[1].split("; expected")[0]) for problem in judged.refused]
    assert said[0][0] == 3
    assert said[0][1].endswith("is already used at line 2")
    assert said[2] == (4, "url: 'https://vov.vn/rss/home.rss' is already used by vn-vov-trang-chu")
    assert said[3] == (5, "id: 'vn-vov-trang-chu' is already used in the registry")
    assert said[4][0] == 6
    assert "did you mean hcm-d-quan-" in said[4][1]
    assert {line for line, _ in said[5:]} == {7}


def test_a_row_may_take_the_place_of_one_that_leaves() -> None:
    row = raw(2, {"url": "https://vov.vn/rss/home.rss", "id": "vn-vov-trang-chu"})
    assert judge([row], load_registry()).accepted == []
    assert [source.id for source in judge([row], load_registry(), leaving={"vn-vov-trang-chu"}).accepted] == ["vn-vov-trang-chu"]


def test_semicolons_of_spreadsheets(tmp_path: Path) -> None:
    write_csv(tmp_path / "switches.csv", Switch, [])
    (tmp_path / "mekong.csv").write_text(f"{HEAD}\n{GOOD}\n".replace(",", ";"), encoding="utf-8-sig")
    assert load_registry((tmp_path,)).source("feed-1").publisher == "Tòa soạn"
