"""Registry files -> one checked Registry.

Belongs here: which files, in which order, and turning every fault into one sentence. Not here: YAML (yaml_rows.py), fields (models.py),
rules between rows (cross_checks.py), which sources are switched on (settings).
"""

from functools import cache
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from lake_config.errors import ConfigError
from lake_config.registry.cross_checks import Placed, check, near
from lake_config.registry.lookup import Registry
from lake_config.registry.models import Agency, Place, Row, Source, Topic
from lake_config.registry.yaml_rows import Problem, RawRow, read_rows

BUILT_IN = Path(__file__).parent / "data"
SECTIONS: dict[str, type[Row]] = {"sources": Source, "topics": Topic, "agencies": Agency, "places": Place}
"""Every registry: the name of its section in the files and the shape of its rows."""


def load_registry(extra: tuple[Path, ...] = (), *, folder: Path = BUILT_IN) -> Registry:
    """The registry of all `*.yaml` files in `folder` (the built-in one), extended by those in the `extra` folders.

    Files are read in name order, folder by folder; an extra folder adds rows and cannot replace one. Loaded once per process for
    the same folders: a changed file is seen by the next process. Raises ConfigError with one line per fault, naming file, line,
    field and what was expected.
    """
    return _load((folder.resolve(), *(path.resolve() for path in extra)))


@cache
def _load(folders: tuple[Path, ...]) -> Registry:
    problems: list[Problem] = []
    rows: dict[str, list[Placed[Row]]] = {section: [] for section in SECTIONS}
    for file in (file for folder in folders for file in _files(folder)):
        content = read_rows(file, SECTIONS)
        problems += content.problems
        for raw in content.rows:
            row, faults = _validate(raw)
            problems += faults
            if row is not None:
                rows[raw.section].append(Placed(row, raw))
    if not problems:
        # A row that could not be read would make every reference to it look unknown: those are judged once all rows can be read.
        problems = check(rows)
    if problems:
        count = f"{len(problems)} fault{'s' if len(problems) > 1 else ''}"
        raise ConfigError("\n".join([f"The registry has {count}; correct the lines named and run again:", *map(str, problems)]))
    return Registry(**cast("dict[str, Any]", {section: tuple(placed.row for placed in found) for section, found in rows.items()}))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"The registry folder {folder} is not a folder; expected a folder with registry files (*.yaml).")
    files = sorted(folder.glob("*.yaml"))
    stray = sorted(folder.glob("*.yml"))
    if stray:
        raise ConfigError(f"The registry file {stray[0]} would be overlooked; rename it to end in .yaml.")
    if not files:
        raise ConfigError(f"The registry folder {folder} holds no *.yaml file; expected at least one registry file.")
    return files


def _validate(raw: RawRow) -> tuple[Row | None, list[Problem]]:
    """The typed row, or None and its problems."""
    model = SECTIONS[raw.section]
    try:
        row = model.model_validate(raw.values)
    except ValidationError as error:
        found = {_sentence(model, item["loc"], item["type"], item["input"]): None for item in error.errors(include_url=False)}
        return None, [raw.problem(field, sentence) for field, sentence in found]
    return row, [raw.problem(field, sentence) for field, sentence in row.faults()]


def _sentence(model: type[Row], loc: tuple[int | str, ...], error_type: str, value: object) -> tuple[str, str]:
    """A pydantic error as (field, sentence)."""
    field = str(loc[0])
    if error_type == "extra_forbidden":
        known = list(model.model_fields)
        return field, f"is unknown{near(field, known)}; expected one of {', '.join(known)}"
    if error_type == "missing":
        return field, f"is missing; expected {model.wanted(field)}"
    position = next((part for part in loc[1:] if isinstance(part, int)), None)
    entry = f"entry {position + 1} " if position is not None else ""
    return field, f"{entry}is {_shown(value)}; expected {model.wanted(field)}"


def _shown(value: object) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
