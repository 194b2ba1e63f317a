"""Wrong registry files: every error names file, line, field and what was expected."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake_config.errors import ConfigError
from lake_config.registry import load_registry
from lake_config.registry.models import Source
from lake_config.registry.yaml_rows import read_rows

GOOD = """\
sources:
  - id: good-feed
    owner: data-team
    name: Một tờ báo
    kind: newspaper
    group: test
    connector: news_feeds
    platform: example.vn
    url: https://example.vn/rss
    publisher: Tòa soạn
    area: hcm
    licence_note: For the test.
    verified: false
    enabled: false
    poll_minutes: 15
topics:
  - id: parks
    owner: data-team
    name_vi: Công viên
    name_en: Parks
    definition_vi: Công viên.
    definition_en: Parks.
    keywords: [công viên văn hóa]
agencies:
  - id: park-office
    owner: data-team
    name_vi: Ban Công viên
    name_en: Park office
    kind: department
    topics: [parks]
    area: hcm
    aliases: [Ban CV]
places:
  - id: hcm-park
    owner: data-team
    name_vi: Phường Công Viên
    kind: ward
    parent_id: hcm
    aliases: [P.Công Viên]
    lat: 10.5
    lon: 106.5
"""


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def message(folder: Path, text: str, *, name: str = "rows.yaml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_registry((folder,))
    return str(caught.value)


def test_an_extra_folder_extends_the_built_in_registry(tmp_path: Path) -> None:
    (tmp_path / "rows.yaml").write_text(GOOD, encoding="utf-8")
    registry = load_registry((tmp_path,))
    assert registry.source("good-feed").expected is True
    assert registry.agency("park-office").topics == ("parks",)
    assert len(registry.topics) == len(load_registry().topics) + 1


WRONG = [
    # what is written, what replaces it, the field named, what the sentence must say
    ("poll_minutes: 15", "poll_minuts: 15", "poll_minuts", "is unknown (did you mean poll_minutes?); expected one of id, valid_from"),
    ("name: Một tờ báo", "name: 24", "name", "is 24; expected the name"),
    ("name: Một tờ báo", "name: ' '", "name", "expected the name"),
    ("id: good-feed", "id: Good Feed", "id", "lower-case"),
    ("kind: newspaper", "kind: blog", "kind", "expected one of newspaper, aggregator"),
    ("verified: false", "verified: 'no'", "verified", "is 'no'; expected true or false"),
    ("enabled: false", "enabled: 0", "enabled", "expected true or false"),
    ("poll_minutes: 15", "poll_minutes: 0", "poll_minutes", "1 or more"),
    ("poll_minutes: 15", "poll_minutes: soon", "poll_minutes", "whole minutes"),
    ("url: https://example.vn/rss", "url: example.vn/rss", "url", "beginning with http://"),
    ("url: https://example.vn/rss", "url: null", "url", "is missing; expected a feed URL"),
    ("connector: news_feeds", "connector: exports", "url", "exports arrive as files; expected null"),
    ("area: hcm\n    licence", "area: hcm-d-quan-99\n    licence", "area", "is no id of the places registry (did you mean hcm-d-quan-"),
    ("url: https://example.vn/rss", "url: https://vnexpress.net/rss/thoi-su.rss", "url", "is already used at"),
    ("id: good-feed", "id: upload", "id", "sources_upload.yaml:3"),
    ("keywords: [công viên văn hóa]", "keywords: []", "keywords", "expected a list of Vietnamese phrases"),
    ("keywords: [công viên văn hóa]", "keywords: công viên", "keywords", "expected a list of Vietnamese phrases"),
    ("keywords: [công viên văn hóa]", "keywords: [công viên, 3]", "keywords", "entry 2 is 3"),
    ("keywords: [công viên văn hóa]", "keywords: [công viên, Công Viên]", "keywords", "holds 'Công Viên' twice"),
    ("topics: [parks]", "topics: [parks, trafic]", "topics", "'trafic' is no id of the topics registry (did you mean traffic?)"),
    ("topics: [parks]", "topics: [parks, parks]", "topics", "twice"),
    ("kind: department", "kind: office", "kind", "expected one of department"),
    ("parent_id: hcm", "parent_id: hmc", "parent_id", "did you mean hcm"),
    ("parent_id: hcm", "parent_id: null", "parent_id", "expected the id of the place it lies in"),
    ("parent_id: hcm", "parent_id: hcm-park", "parent_id", "leads back to the place itself"),
    ("lat: 10.5", "lat: 106.5", "lat", "between 8 and 24"),
    ("lat: 10.5", "lat: null", "lat", "while the other coordinate is given"),
    ("lat: 10.5", "lat: 10.5\n    successor_ids: [hcm-w2025-nowhere]", "successor_ids", "is no id of the places registry"),
    ("lat: 10.5", "lat: 10.5\n    valid_from: 2021", "valid_from", "YYYY-MM-DD"),
    ("lat: 10.5", "lat: 10.5\n    valid_from: '2021-01-01'", "valid_from", "without quotes"),
    ("lat: 10.5", "lat: 10.5\n    valid_from: 2021-02-30", "valid_from", "cannot be read"),
    ("lat: 10.5", "lat: 10.5\n    valid_from: 2025-07-01\n    valid_to: 2025-06-30", "valid_to", "lies before valid_from 2025-07-01"),
    ("lat: 10.5", "lat: 10.5\n    lat: 10.6", "lat", "twice (first at line"),
]


@pytest.mark.parametrize(("written", "instead", "field", "said"), WRONG, ids=[f"{case[2]}-{number}" for number, case in enumerate(WRONG)])
def test_one_wrong_field_gives_one_sentence_with_file_line_and_field(
    tmp_path: Path, written: str, instead: str, field: str, said: str
) -> None:
    assert GOOD.count(written) == 1
    text = GOOD.replace(written, instead)
    lines = message(tmp_path, text).splitlines()
    assert len(lines) == 2, lines
    start = text.index(instead)
    block = text[start:].splitlines()
    offset = max(
        (number for number, line in enumerate(block[: instead.count("\n") + 1]) if line.strip().startswith(f"{field}:")), default=None
    )
    at = text[:start].count("\n") + 1 + offset if offset is not None else line_of(text, f"{field}:")
    assert lines[1].startswith(f"{tmp_path / 'rows.yaml'}:{at}: "), (lines[1], at)
    assert field in lines[1]
    assert said in lines[1]


@pytest.mark.parametrize("field", sorted(name for name, info in Source.model_fields.items() if info.is_required() and name != "id"))
def test_a_missing_field_is_named_at_the_line_of_its_row(tmp_path: Path, field: str) -> None:
    source, rest = GOOD.split("topics:\n")
    text = "\n".join(line for line in source.splitlines() if not line.strip().startswith(f"{field}:")) + "\ntopics:\n" + rest
    lines = message(tmp_path, text).splitlines()
    assert lines[1] == f"{tmp_path / 'rows.yaml'}:2: sources row 'good-feed', field {field}: is missing; expected {Source.wanted(field)}"


def test_a_row_without_an_id_is_still_found(tmp_path: Path) -> None:
    assert "rows.yaml:2: sources row without an id, field id: is missing" in message(
        tmp_path, GOOD.replace("- id: good-feed\n    owner", "- owner")
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: [", ":1: is not valid YAML"),
        ("sources:\n  - id: a\n   name: b\n", ":3: is not valid YAML"),
        ("- id: a\n", ":1: the file is not a mapping; expected a mapping with one or more of sources"),
        ("source:\n  - id: a\n", ":1: unknown section 'source'"),
        ("sources:\n  id: a\n", ":2: section sources is not a list"),
        ("sources:\n  - just text\n", ":2: a row of sources is not a mapping"),
        ("sources:\n  - id: &x a\n    name: !!python/object:os.system x\n", ":3: a row of sources, field name: cannot be read"),
        ("defaults:\n  source: {owner: x}\n", ":2: unknown section 'source' in defaults"),
        ("topics:\n  - ? [a, b]\n    : c\n", ":2: a row of topics has a name that is not plain text"),
        ("topics: []\ntopics: []\n", ":2: the file has topics twice (first at line 1)"),
        ("topics: \x01\n", ": is not valid YAML"),
        ("a: 1\n---\nb: 2\n", ":2: is not valid YAML"),
    ],
)
def test_a_file_of_the_wrong_form(tmp_path: Path, text: str, said: str) -> None:
    assert f"{tmp_path / 'rows.yaml'}{said}" in message(tmp_path, text)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "rows.yaml").write_bytes("topics: Phường".encode("cp1258", errors="replace") + b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8; save the file as UTF-8"):
        load_registry((tmp_path,))


def test_a_registry_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "rows.yaml").symlink_to(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match=r"rows\.yaml: cannot be read"):
        load_registry((tmp_path,))


def test_folders_without_registry_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        load_registry((tmp_path / "nowhere",))
    with pytest.raises(ConfigError, match=r"holds no \*\.yaml or \*\.csv file"):
        load_registry((tmp_path,))
    (tmp_path / "rows.yml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"rows\.yml would be overlooked; rename"):
        load_registry((tmp_path,))


def test_all_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        GOOD.replace("verified: false", "verified: maybe").replace("lat: 10.5", "lat: north"), encoding="utf-8"
    )
    text = message(tmp_path, "topics:\n  - id: x\n", name="b.yaml")
    assert "The registry has 8 faults" in text
    assert text.count("a.yaml:") == 2
    assert text.count("b.yaml:2:") == 6


def test_a_fault_in_the_defaults_is_found_where_it_is_written(tmp_path: Path) -> None:
    text = "defaults:\n  topics:\n    owner: 7\n" + GOOD[GOOD.index("topics:") :].replace("    owner: data-team\n", "", 1)
    assert f"{tmp_path / 'rows.yaml'}:3: topics row 'parks', field owner: is 7" in message(tmp_path, text)


def test_a_corrected_file_loads_in_the_same_process(tmp_path: Path) -> None:
    message(tmp_path, GOOD.replace("enabled: false", "enabled: maybe"))
    (tmp_path / "rows.yaml").write_text(GOOD, encoding="utf-8")
    assert load_registry((tmp_path,)).source("good-feed").enabled is False


@given(st.text(max_size=200) | st.text(alphabet="-:[]{}&*!|>'\"# \nabid12sources", max_size=200))
def test_no_text_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    content = read_rows(file, ("sources", "topics"))
    assert all(str(problem).startswith(f"{file}:") for problem in content.problems)
    assert all(row.section in {"sources", "topics"} for row in content.rows)
