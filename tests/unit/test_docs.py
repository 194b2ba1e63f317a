"""The documents say what the program does: commands, options, settings, columns, reasons, links."""

import re
from pathlib import Path

import pytest
import typer

from assets.bronze.export_files import ALIASES
from lake_config import settings as settings_module
from lake_config.registry import load_registry
from lake_config.settings import IDENTITIES
from orchestration.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
COMMANDS = {command.name: command for command in typer.main.get_command(app).commands.values()}  # type: ignore[attr-defined]


def _text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)


def test_every_command_is_in_the_table_and_every_named_command_exists() -> None:
    table = re.findall(r"^\| `\./lake (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(COMMANDS)
    assert set(re.findall(r"\./lake (\w+)", _text())) <= set(COMMANDS)


def test_every_option_named_beside_a_command_exists() -> None:
    for command, rest in re.findall(r"`\./lake (\w+)([^`]*)`", _text()):
        found = COMMANDS[command]
        under = getattr(found, "commands", {})
        words = re.findall(r"^ (\w+)(?![\w\\|])", rest) if under else []
        assert set(words) <= set(under), rest
        known = {option for parameter in (under[words[0]] if words else found).params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, command


def test_the_commands_of_the_sources_are_all_told() -> None:
    told = re.search(r"`\./lake sources ([\w\\|]+)`", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert told is not None
    assert sorted(told[1].split("\\|")) == sorted(COMMANDS["sources"].commands)


def test_the_two_commands_of_the_start_are_there_alone() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks[0] == "./lake demo\n./lake test\n"


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    sources = [path for folder in ("lake_config", "orchestration", "superset_dashboards") for path in (ROOT / folder).glob("**/*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources if ".venv" not in path.parts)
    said = set(re.findall(r"\bLAKE_[A-Z0-9_]*[A-Z0-9]\b", _text()))
    read = set(re.findall(r"\bLAKE_[A-Z0-9_]*[A-Z0-9]\b", code))
    by_pattern = {f"LAKE_S3_{identity.upper()}_{part}" for identity in IDENTITIES for part in ("KEY", "SECRET")}
    by_pattern |= {f"LAKE_{name}_PORT" for name in ("S3", "DAGSTER", "SUPERSET", "DEMO_CITY", "PUSH")}
    assert said <= read | by_pattern
    told = set(re.findall(r"LAKE_[A-Z0-9_]*[A-Z0-9]", settings_module.load_settings.__doc__ or ""))
    assert told <= said


def test_the_columns_of_export_files_are_those_understood() -> None:
    rows = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8").split("<!-- columns -->\n\n", 1)[1].split("\n\n", 1)[0].splitlines()
    said = {}
    for row in rows[2:]:
        name, _, aliases = (cell.strip() for cell in row.strip("|").split(" | "))
        said[name.strip("`")] = tuple(re.findall(r"`([^`]+)`", aliases))
    assert said == dict(ALIASES)


def test_the_number_of_built_in_feeds_is_right() -> None:
    feeds = [source for source in load_registry().sources if source.group == "vietnam"]
    assert f"holds {len(feeds)} feeds" in (ROOT / "README.md").read_text(encoding="utf-8").replace("\n", " ")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (document.parent / target).exists(), target
