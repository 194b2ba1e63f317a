"""The rules of the house, checked with every run: lint, form, types, floors, and that the locks fit the project files."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",)],
    ids=" ".join,
)
def test_the_checkers_are_content(command: tuple[str, ...]) -> None:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name]


def test_every_package_says_what_belongs_in_it() -> None:
    packages = [path for path in _tracked() if path.name == "__init__.py" and "tests" not in path.parts]
    assert len(packages) > 10
    for path in packages:
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""'), path
        assert "elongs here" in text or len(text.splitlines()) > 3, path


def test_the_top_level_is_the_house() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in _tracked() if len(path.relative_to(ROOT).parts) > 1}
    assert folders == {".ci", "assets", "docs", "lake_config", "ml", "orchestration", "quality", "superset_dashboards", "tests"}
