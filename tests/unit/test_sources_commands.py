"""The commands of the sources: what they print and keep, refuse and leave alone; the check asks a served demo city."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lake_config.errors import BadInputError, LakeError
from lake_config.registry import load_registry, loader
from lake_config.settings import Settings, load_settings
from orchestration.cli import app
from orchestration.commands.sources import import_sources, local_registry, today
from orchestration.commands.sources_check import document_of
from orchestration.demo_city import generate
from orchestration.demo_city.server import DemoCityServer

FEED = "https://bao.example/rss/home.rss"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKE_HOME", str(tmp_path / "lake"))
    for name in ("LAKE_REGISTRY", "LAKE_SOURCES", "LAKE_DEMO_CITY_URL"):
        monkeypatch.delenv(name, raising=False)
    loader._load.cache_clear()
    return tmp_path / "lake"


def run(*arguments: object, code: int = 0) -> str:
    """What `./lake sources ...` prints, in a process that has not read the registry before."""
    loader._load.cache_clear()
    found = CliRunner().invoke(app, ["sources", *map(str, arguments)])
    if isinstance(found.exception, LakeError):
        raise found.exception
    assert found.exit_code == code, found.output
    return found.stdout


def rows(*arguments: object, code: int = 0) -> list[dict[str, Any]]:
    return list(json.loads(run(*arguments, "--json", code=code)))


def settings() -> Settings:
    loader._load.cache_clear()
    return load_settings()


def test_the_list_is_filtered() -> None:
    every = rows("list")
    assert len(every) == len(load_registry().sources)
    assert {row["id"] for row in rows("list", "--state", "on")} == {"upload"}
    demo = rows("list", "--group", "demo", "--kind", "newspaper", "--connector", "news_feeds")
    assert {row["kind"] for row in demo} == {"newspaper"}
    assert len(demo) == 10
    assert {row["area"] for row in rows("list", "--area", "hcm-d-quan-5")} == {"hcm-d-quan-5"}
    assert {"hcm", "hcm-d-quan-5"} < {row["area"] for row in rows("list", "--area", "hcm")}
    assert rows("list", "--group", "nobody") == []
    with pytest.raises(BadInputError, match="Unknown place id 'hcmm'"):
        run("list", "--area", "hcmm")


def test_the_list_for_people_says_what_it_leaves_out() -> None:
    text = run("list", "--group", "vietnam", "--limit", "5")
    assert "its group vietnam is not in LAKE_SOURCES" in text
    assert text.count("https://") == 5
    assert "more: --limit 0 prints all" in text


def test_a_source_is_added_once_and_off(home: Path) -> None:
    shown = run("add", FEED, "--name", "Báo Mẫu", "--set", "kind=newspaper", "--set", "area=hcm", "--dry-run")
    assert "Báo Mẫu" in shown
    assert "nothing was" in shown
    assert not (home / "registry" / "added.csv").exists()
    added = json.loads(run("add", FEED, "--name", "Báo Mẫu", "--set", "kind=newspaper", "--set", "area=hcm", "--json"))["source"]
    assert (added["enabled"], added["verified"], added["group"], added["platform"]) == (False, False, "local", "bao.example")
    run("add", "https://hai.example/feed", "--id", "bao-hai", "--set", "poll_minutes=5")
    listed = {row["id"]: row for row in rows("list", "--group", "local")}
    assert set(listed) == {added["id"], "bao-hai"}
    assert {row["state"] for row in listed.values()} == {"off"}
    with pytest.raises(BadInputError, match=f"already used by {added['id']}"):
        run("add", FEED, "--id", "again")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "ftp://bao.example"), "field url: is 'ftp://bao.example'; expected a feed URL beginning with http://"),
        (("add", FEED, "--set", "poll_minutes=often"), "field poll_minutes: is 'often'; expected whole minutes"),
        (("add", FEED, "--set", "colour=red"), "--set colour=red: expected FIELD=VALUE with one of the fields id,"),
        (("add", FEED, "--set", "kind"), "--set kind: expected FIELD=VALUE"),
        (("disable", "vn-vov", "--reason", "x"), "Unknown source id 'vn-vov'"),
        (("disable", "upload", "--reason", "  "), "A reason is expected"),
        (("check",), "Name the sources to check by id, or by --connector"),
        (("check", "upload"), "None of the sources meant has an address"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(home: Path, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInputError) as caught:
        run(*arguments)
    assert said in str(caught.value)
    assert list((home / "registry").glob("*.csv")) == []


def test_a_shipped_source_is_switched_without_touching_its_row(home: Path) -> None:
    source = "vn-vov-trang-chu"
    assert f"{source}: on since {today()}" in run("enable", source)
    assert "was on already" in run("enable", source)
    assert rows("list", "--state", "on", "--group", "vietnam")[0]["why"] == f"since {today()}: Enabled."
    run("disable", source, "--reason", "It asks for a login,\nsince May.", "--since", "2026-01-31")
    run("disable", "upload", source, "--reason", "The terms forbid it.")
    assert {row["id"] for row in rows("list", "--state", "on")} == set()
    kept = (home / "registry" / "switches.csv").read_text(encoding="utf-8").splitlines()
    assert kept == [
        "source_id,enabled,since,reason",
        f"{source},true,{today()},Enabled.",
        f"upload,false,{today()},The terms forbid it.",
        f"{source},false,{today()},The terms forbid it.",
    ]


def csv(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_an_import_keeps_what_is_right_and_names_the_rest(home: Path, tmp_path: Path) -> None:
    file = csv(
        tmp_path / "Mê Kông.csv",
        "url,name,area,poll_minutes",
        "https://a.example/rss,Báo A,hcm,30",
        "https://b.example/rss,Báo B,atlantis,30",
        "https://c.example/rss,Báo C,,never",
        "https://a.example/rss,Báo A lần nữa,,30",
        "https://d.example/rss,Báo D,,",
        "https://e.example/rss",
    )
    text = run("import", file, "--set", "group=mekong", "--set", "kind=newspaper", code=1)
    assert "2 sources accepted, 4 lines refused" in text
    for line, field in ((3, "field area"), (4, "field poll_minutes"), (5, "field url"), (7, "the row has 1 cells")):
        assert any(f"{file}:{line}: " in row and field in row for row in text.splitlines())
    listed = rows("list", "--group", "mekong")
    assert [(row["name"], row["kind"], row["state"]) for row in listed] == [("Báo A", "newspaper", "off"), ("Báo D", "newspaper", "off")]
    assert [path.name for path in (home / "registry").iterdir() if path.suffix == ".csv"] == ["m_k_ng.csv"]


def test_a_strict_import_keeps_all_or_nothing(home: Path, tmp_path: Path) -> None:
    file = csv(tmp_path / "a.csv", "url", "https://a.example/rss", "no address")
    assert "0 sources accepted, 1 lines refused; nothing was kept" in run("import", file, "--strict", code=1)
    assert list((home / "registry").glob("*.csv")) == []


def test_an_import_takes_the_place_of_an_earlier_one_only_when_told(tmp_path: Path) -> None:
    file = csv(tmp_path / "a.csv", "id,url", "one,https://a.example/rss", "two,https://b.example/rss")
    run("import", file)
    with pytest.raises(BadInputError, match="give --replace"):
        run("import", file)
    csv(file, "id,url", "one,https://a.example/moved.rss", "three,https://b.example/rss")
    run("import", file, "--replace")
    assert {row["id"]: row["url"] for row in rows("list", "--group", "imported")} == {
        "one": "https://a.example/moved.rss",
        "three": "https://b.example/rss",
    }
    run("enable", "three")
    csv(file, "id,url", "one,https://a.example/rss")
    with pytest.raises(BadInputError, match=r"leaves out 1 sources that were switched or checked \(three\)"):
        run("import", file, "--replace")
    assert len(rows("list", "--group", "imported")) == 2


@pytest.mark.parametrize("name", ["switches.csv", "Checks.csv", "added.csv"])
def test_an_import_may_not_take_a_name_with_a_meaning(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInputError, match="another meaning"):
        run("import", csv(tmp_path / name, "url", "https://a.example/rss"))


def test_an_import_of_many_sources_is_listed_and_loaded(tmp_path: Path) -> None:
    count = 5_000
    file = csv(tmp_path / "many.csv", "url,name", *(f"https://site{n}.example/rss,Trang {n}" for n in range(count)))
    report = import_sources(settings(), file, {})
    assert (report.accepted, report.problems) == (count, [])
    assert sum(source.group == "imported" for source in local_registry(settings()).sources) == count


@pytest.fixture(scope="module")
def city_server() -> Iterator[DemoCityServer]:
    with DemoCityServer(generate(scale=0.05)) as running:
        yield running


def test_the_check_asks_the_city_and_marks_who_answered(home: Path, city_server: DemoCityServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_DEMO_CITY_URL", city_server.base_url)
    private = ("--set", "allow_private=true")
    run("add", f"{city_server.base_url}/exports/index.json", "--id", "no-feed", *private)
    run("add", f"{city_server.base_url}/nowhere.xml", "--id", "gone", *private)
    run("add", f"{city_server.base_url}/sites/saigon-sang/atom.xml", "--id", "not-allowed")
    found = {row["id"]: row for row in rows("check", "demo-saigon-sang", "demo-do-thi-moi", "no-feed", "gone", "not-allowed", code=1)}
    assert [found[name]["document"] for name in ("demo-saigon-sang", "demo-do-thi-moi", "no-feed", "gone", "not-allowed")] == [
        "RSS",
        "Atom",
        None,
        None,
        None,
    ]
    assert found["demo-saigon-sang"]["entries"] > 0
    assert (found["gone"]["outcome"], found["gone"]["http_status"]) == ("http_error", 404)
    assert found["not-allowed"]["outcome"] == "refused"
    assert found["no-feed"]["said"].startswith("neither feed nor news sitemap, but application/json")
    assert {row["id"]: row["verified"] for row in rows("list") if row["verified"] not in {"", "yes"}} == {
        "demo-saigon-sang": today().isoformat(),
        "demo-do-thi-moi": today().isoformat(),
    }
    assert "1 of 1 answered" in run("check", "demo-saigon-sang")
    kept = (home / "registry" / "checks.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in kept] == ["source_id", "demo-saigon-sang", "demo-do-thi-moi"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"<?xml version='1.0'?><rss version='2.0'><channel><item><title>a</title></item><item/></channel></rss>", ("RSS", 1)),
        (b"<rdf:RDF xmlns='http://purl.org/rss/1.0/'><item><title>a</title></item></rdf:RDF>", ("RSS 1.0", 1)),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'></feed>", ("Atom", 0)),
        (
            b"\xef\xbb\xbf<urlset xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'><url><loc>x</loc><news:news><news:title>Tin</news:title></news:news></url></urlset>",
            ("news sitemap", 1),
        ),
        (b"<urlset><url><loc>x</loc></url></urlset>", None),
        (b"<sitemapindex><sitemap><loc>https://a.example/news.xml</loc></sitemap></sitemapindex>", ("sitemap index", 1)),
        (b' {"version": "https://jsonfeed.org/version/1.1", "items": [{"id": 1}]}', ("JSON Feed", 1)),
        (b'{"version": 1, "items": []}', None),
        (b'{"version"', None),
        (b"<!doctype html><html><body><article>news</article></body></html>", None),
        (b"", None),
    ],
)
def test_a_document_is_known_by_its_form(body: bytes, wanted: tuple[str, int] | None) -> None:
    assert document_of(body) == wanted
