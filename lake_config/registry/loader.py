"""Registry files -> one checked Registry.

Belongs here: which files, in which order, and turning every fault into one sentence. Not here: YAML (yaml_rows.py), CSV (csv_rows.py),
fields (models.py), rules between rows (cross_checks.py), which groups of sources are switched on (settings).
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from lake_config.errors import ConfigError
from lake_config.registry.cross_checks import Placed, check, near
from lake_config.registry.csv_rows import read_csv_rows
from lake_config.registry.lookup import Registry
from lake_config.registry.models import Agency, Entry, Place, Source, Switch, Topic, Verification
from lake_config.registry.yaml_rows import Problem, RawFile, RawRow, read_rows

BUILT_IN = Path(__file__).parent / "data"
SECTIONS: dict[str, type[Entry]] = {"sources": Source, "topics": Topic, "agencies": Agency, "places": Place}
"""Every registry: the name of its section in the files and the shape of its rows."""
OVERRIDES: dict[str, type[Entry]] = {"switches": Switch, "checks": Verification}
"""What an operator says of sources without editing their rows: the name of its CSV file in an extra folder and the shape of its rows."""
_MODELS = SECTIONS | OVERRIDES
_FAULTS_SHOWN = 100


def load_registry(extra: tuple[Path, ...] = (), *, folder: Path = BUILT_IN) -> Registry:
    """The registry of all files in `folder` (the built-in one), extended by those in the `extra` folders.

    Files (`*.yaml`, and `*.csv` with sources) are read in name order, folder by folder; an extra folder adds rows and cannot replace one,
    but its `switches.csv` and `checks.csv` speak of any source. Loaded once per process for the same folders: a changed file is seen by the
    next process. Raises ConfigError with one line per fault, naming file, line, field and what was expected.
    """
    return _load((folder.resolve(), *(path.resolve() for path in extra)))


@cache
def _load(folders: tuple[Path, ...]) -> Registry:
    placed, problems = placed_rows([file for folder in folders for file in _files(folder)])
    if not problems:
        # A row that could not be read would make every reference to it look unknown: those are judged once all rows can be read.
        problems = check(placed)
    if problems:
        raise ConfigError("\n".join(_complaint(problems)))
    return _registry(placed)


def placed_rows(files: Sequence[Path]) -> tuple[dict[str, list[Placed[Entry]]], list[Problem]]:
    """The valid rows of registry files by section, and what is wrong with the others; nothing is checked between rows."""
    problems: list[Problem] = []
    rows: dict[str, list[Placed[Entry]]] = {section: [] for section in _MODELS}
    for file in files:
        content = read_file(file)
        problems += content.problems
        for raw in content.rows:
            row, faults = validate(raw)
            problems += faults
            if row is not None:
                rows[raw.section].append(Placed(row, raw))
    return rows, problems


def read_file(file: Path) -> RawFile:
    """The rows of one registry file as written. Never raises for its content."""
    if file.suffix == ".yaml":
        return read_rows(file, SECTIONS)
    section = file.stem if file.stem in OVERRIDES else "sources"
    return read_csv_rows(file, section, _MODELS[section])


def _registry(placed: dict[str, list[Placed[Entry]]]) -> Registry:
    rows = {section: tuple(one.row for one in found) for section, found in placed.items()}
    checks = {one.source_id: one for one in cast("tuple[Verification, ...]", rows["checks"])}
    switches: dict[str, list[Switch]] = {}
    # Two decisions of one day: the later one in the file holds.
    for switch in sorted(cast("tuple[Switch, ...]", rows["switches"]), key=lambda one: one.since):
        switches.setdefault(switch.source_id, []).append(switch)
    sources = cast("tuple[Source, ...]", rows["sources"])
    if checks:
        sources = tuple(one.model_copy(update={"verified": True}) if one.id in checks and not one.verified else one for one in sources)
    rest = cast("dict[str, Any]", {section: rows[section] for section in SECTIONS if section != "sources"})
    return Registry(sources=sources, **rest, switches={key: tuple(found) for key, found in switches.items()}, checks=checks)


def _complaint(problems: Sequence[Problem]) -> list[str]:
    count = f"{len(problems):,} fault{'s' if len(problems) > 1 else ''}"
    left = len(problems) - _FAULTS_SHOWN
    return [
        f"The registry has {count}; correct the lines named and run again:",
        *map(str, problems[:_FAULTS_SHOWN]),
        *([f"... and {left:,} more"] if left > 0 else []),
    ]


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigError(f"The registry folder {folder} is not a folder; expected a folder with registry files (*.yaml, *.csv).")
    stray = sorted(folder.glob("*.yml"))
    if stray:
        raise ConfigError(f"The registry file {stray[0]} would be overlooked; rename it to end in .yaml.")
    files = registry_files(folder)
    if not files:
        raise ConfigError(f"The registry folder {folder} holds no *.yaml or *.csv file; expected at least one registry file.")
    return files


def registry_files(folder: Path) -> list[Path]:
    """The registry files of a folder, in the order they are read; none where it is no folder."""
    return sorted(path for path in folder.glob("*") if path.suffix in {".yaml", ".csv"} and not path.name.startswith("."))


def validate(raw: RawRow) -> tuple[Entry | None, list[Problem]]:
    """The typed row, or None and its problems."""
    model = _MODELS[raw.section]
    try:
        row = model.model_validate(raw.values)
    except ValidationError as error:
        found = {_sentence(model, item["loc"], item["type"], item["input"]): None for item in error.errors(include_url=False)}
        return None, [raw.problem(field, sentence) for field, sentence in found]
    return row, [raw.problem(field, sentence) for field, sentence in row.faults()]


def _sentence(model: type[Entry], loc: tuple[int | str, ...], error_type: str, value: object) -> tuple[str, str]:
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
