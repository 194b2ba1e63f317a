"""sources list, add, enable, disable, import: the operator's side of the registry.

What a command decides is kept in LAKE_HOME/registry: `added.csv` and the imported files hold sources, `switches.csv` who was switched on or
off, when and why, `checks.csv` who answered when asked. Belongs here: reading and changing these files. Not here: asking sources
(sources_check.py), what a right row is (lake_config.registry), options and printing (orchestration.sources_cli).
"""

import fcntl
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from assets.times import local_day
from lake_config.errors import BadInputError, ConfigError
from lake_config.registry import Registry, Source, Switch, load_registry
from lake_config.registry.additions import DEFAULTS, DERIVED, completed, judge
from lake_config.registry.csv_rows import read_csv_rows, write_csv
from lake_config.registry.loader import OVERRIDES, placed_rows
from lake_config.registry.models import Entry
from lake_config.registry.yaml_rows import Problem, RawRow
from lake_config.settings import Settings

ADDED = "added.csv"
"""The file of the sources that `sources add` made."""


def today() -> date:
    """The local day."""
    return local_day(datetime.now(UTC))


@dataclass(frozen=True)
class Listed:
    """One source as `sources list` shows it. `verified` is the day it last answered, 'yes' where its row says so, else ''."""

    id: str
    name: str
    kind: str
    connector: str
    group: str
    area: str
    state: str
    why: str
    verified: str
    url: str


@dataclass(frozen=True)
class Filters:
    """Which sources are meant; None is any. `area` takes in the places that lie in it, `state` is 'on' or 'off'."""

    connector: str | None = None
    kind: str | None = None
    area: str | None = None
    group: str | None = None
    state: str | None = None

    def matches(self, registry: Registry, source: Source, state: str) -> bool:
        """Whether a source, which is in that state, is meant."""
        pairs = ((self.connector, source.connector), (self.kind, source.kind), (self.group, source.group), (self.state, state))
        if any(wanted is not None and wanted != value for wanted, value in pairs):
            return False
        if self.area is None:
            return True
        return source.area is not None and self.area in (source.area, *(place.id for place in registry.ancestors(source.area)))


def local_registry(settings: Settings) -> Registry:
    """The registry as this lake sees it. Raises ConfigError for a fault in its files."""
    return load_registry(settings.registry_folders)


def list_sources(settings: Settings, filters: Filters) -> list[Listed]:
    """The sources that are meant, in registry order. Raises BadInputError for an area that no place has."""
    registry, day = local_registry(settings), today()
    if filters.area is not None:
        registry.place(filters.area)
    found = []
    for source in registry.sources:
        state, why = state_of(registry, source, settings.source_groups, day)
        if filters.matches(registry, source, state):
            check = registry.checks.get(source.id)
            verified = check.verified_on.isoformat() if check else "yes" if source.verified else ""
            found.append(
                Listed(
                    source.id,
                    source.name,
                    source.kind,
                    source.connector,
                    source.group,
                    source.area or "",
                    state,
                    why,
                    verified,
                    source.url or "",
                )
            )
    return found


def state_of(registry: Registry, source: Source, groups: Sequence[str], day: date) -> tuple[str, str]:
    """Whether a source is collected on a local day ('on' or 'off'), and why."""
    state = "on" if registry.is_collected(source, groups, day) else "off"
    decision = registry.switch(source.id, day)
    if not source.is_valid_on(day):
        return state, f"its row holds from {source.valid_from or 'ever'} to {source.valid_to or 'ever'}"
    if decision is not None:
        return state, f"since {decision.since}: {decision.reason}"
    if source.enabled:
        return state, "its row says enabled"
    return state, f"its group {source.group} is {'' if source.group in groups else 'not '}in LAKE_SOURCES"


@contextmanager
def changing(settings: Settings) -> Iterator[Path]:
    """The local registry folder, for one command at a time: two at once would each write the file without the other's rows."""
    folder = settings.local_registry
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def kept_rows(file: Path) -> list[Entry]:
    """The rows of a file of the local registry; none where there is no file. Raises ConfigError for a fault in it."""
    if not file.is_file():
        return []
    placed, problems = placed_rows([file])
    if problems:
        raise ConfigError("\n".join(map(str, problems)))
    return [one.row for one in placed[file.stem if file.stem in OVERRIDES else "sources"]]


def switch_sources(settings: Settings, source_ids: Sequence[str], *, enabled: bool, reason: str, since: date) -> list[str]:
    """Switch sources on or off from a local day on, and keep who, when and why; returns the ids whose state that changes.

    Raises BadInputError for an unknown id or an empty reason; then nothing is changed.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise BadInputError("A reason is expected, for the colleague who finds the source off: --reason 'It moved to another address.'")
    with changing(settings) as folder:
        registry = local_registry(settings)
        sources = [registry.source(source_id) for source_id in dict.fromkeys(source_ids)]
        changed = [one for one in sources if registry.is_collected(one, settings.source_groups, since) != enabled]
        rows = [Switch(source_id=one.id, enabled=enabled, since=since, reason=reason) for one in changed]
        if rows:
            file = folder / "switches.csv"
            write_csv(file, Switch, [*kept_rows(file), *rows])
    return [one.id for one in changed]


def add_source(settings: Settings, fields: Mapping[str, Any], *, is_dry_run: bool) -> Source:
    """Add one source to the local registry; with `is_dry_run` only say what it would be.

    `fields` as in a registry row; what is missing is completed as for an import. Raises BadInputError naming field and what was expected.
    """
    with changing(settings) as folder:
        file = folder / ADDED
        raw = completed(RawRow("sources", file, 0, dict(fields), {}), {**DEFAULTS, "group": "local"})
        judged = judge([raw], local_registry(settings))
        if judged.refused:
            raise BadInputError("\n".join(f"The source is not added. {_plainly(problem)}" for problem in judged.refused))
        if not is_dry_run:
            write_csv(file, Source, [*kept_rows(file), *judged.accepted])
    return judged.accepted[0]


def _plainly(problem: Problem) -> str:
    return problem.sentence[0].upper() + problem.sentence[1:]


@dataclass(frozen=True)
class ImportReport:
    """What became of the rows of an imported file. `target` is None where nothing was kept."""

    accepted: int
    refused_rows: int
    problems: list[Problem]
    target: Path | None


def import_sources(
    settings: Settings,
    path: Path,
    defaults: Mapping[str, Any],
    *,
    is_strict: bool = False,
    is_replacing: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> ImportReport:
    """Take the sources of a CSV file into a file of the same name in the local registry, in one step.

    Rows that are right are kept and the others reported; with `is_strict` one wrong row means that none is kept. `defaults` complete the
    rows, before the built-in ones. `is_replacing` lets the file take the place of the one imported under its name before. Raises
    BadInputError where the name is taken, or where a source that somebody switched or checked would vanish.
    """
    name = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_") or "sources"
    if name in OVERRIDES or name == Path(ADDED).stem:
        raise BadInputError(f"{path}: a file of the name {name} has another meaning in the registry; rename it, for example to mekong.csv.")
    with changing(settings) as folder:
        target = folder / f"{name}.csv"
        if target.exists() and not is_replacing:
            raise BadInputError(f"{path}: {target} is there already; give --replace to put the new file in its place, or rename the file.")
        progress(f"Reading {path.name}")
        content = read_csv_rows(path, "sources", Source, completed={*DEFAULTS, *DERIVED})
        registry = local_registry(settings)
        leaving = {row.id for row in kept_rows(target) if isinstance(row, Source)}
        progress(f"Checking {len(content.rows):,} rows")
        judged = judge((completed(raw, {**DEFAULTS, **defaults}) for raw in content.rows), registry, leaving=leaving)
        problems = sorted([*content.problems, *judged.refused], key=lambda one: one.line)
        refused = len({problem.line for problem in problems})
        if not judged.accepted or (is_strict and problems):
            return ImportReport(0, refused, problems, None)
        _keep_what_is_spoken_of(registry, leaving - {source.id for source in judged.accepted})
        progress(f"Writing {target}")
        write_csv(target, Source, judged.accepted)
    return ImportReport(len(judged.accepted), refused, problems, target)


def _keep_what_is_spoken_of(registry: Registry, lost: set[str]) -> None:
    spoken_of = sorted(lost & {*registry.switches, *registry.checks})
    if spoken_of:
        shown = ", ".join(spoken_of[:5])
        raise BadInputError(
            f"The new file leaves out {len(spoken_of)} sources that were switched or checked ({shown}): keep their rows, with valid_to set,"
            " so that their past stays explained."
        )
