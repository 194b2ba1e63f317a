"""What must hold between registry rows: ids are unique, references lead somewhere, nothing is polled twice.

Belongs here: rules that need more than one row. Not here: rules of one row (models.py), reading files (yaml_rows.py).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, TypeVar

from lake_config.registry.models import Agency, Entry, Place, Row, Source, Switch, Verification
from lake_config.registry.yaml_rows import Problem, RawRow

E = TypeVar("E", bound=Entry)


@dataclass(frozen=True)
class Placed(Generic[E]):
    """A valid row together with where it was written."""

    row: E
    raw: RawRow


Rows = Mapping[str, list[Placed[Entry]]]


def check(rows: Rows) -> list[Problem]:
    """All problems between rows. `rows` maps each section to its valid rows, in file order."""
    problems = [problem for section in rows.values() for problem in _unique(section, "id", _id)]
    problems += _unique(rows["sources"], "url", lambda row: row.url if isinstance(row, Source) else None)
    problems += _unique(rows["checks"], "source_id", lambda row: row.source_id if isinstance(row, Verification) else None)
    ids = {section: {placed.row.id for placed in found if isinstance(placed.row, Row)} for section, found in rows.items()}
    hints: dict[tuple[str, str], str] = {}  # one slip can stand in every row of a long file
    for placed in (item for section in rows.values() for item in section):
        for field, section, wanted in _references(placed.row):
            if wanted not in ids[section]:
                if (section, wanted) not in hints:
                    hints[section, wanted] = near(wanted, ids[section])
                sentence = f"{wanted!r} is no id of the {section} registry{hints[section, wanted]}; expected {placed.row.wanted(field)}"
                problems.append(placed.raw.problem(field, sentence))
    return problems + _rings(rows["places"])


def _id(row: Entry) -> str | None:
    return row.id if isinstance(row, Row) else None


def near(wanted: str, known: Iterable[str]) -> str:
    """A hint naming up to three ids that resemble the wanted one, or the empty string."""
    close = get_close_matches(wanted, sorted(known), n=3, cutoff=0.6)
    return f" (did you mean {', '.join(close)}?)" if close else ""


def _unique(rows: list[Placed[Entry]], field: str, key: Callable[[Entry], str | None]) -> list[Problem]:
    problems = []
    first: dict[str, RawRow] = {}
    for placed in rows:
        value = key(placed.row)
        if value is None:
            continue
        earlier = first.setdefault(value, placed.raw)
        if earlier is not placed.raw:
            where = f"{earlier.file}:{earlier.lines.get(field, earlier.line)}"
            problems.append(placed.raw.problem(field, f"{value!r} is already used at {where}; expected each {field} once"))
    return problems


def _references(row: Entry) -> list[tuple[str, str, str]]:
    """The ids a row points at: (its field, the section pointed into, the id)."""
    match row:
        case Source(area=str(area)):
            return [("area", "places", area)]
        case Switch() | Verification():
            return [("source_id", "sources", row.source_id)]
        case Agency():
            return [("area", "places", row.area)] + [("topics", "topics", topic) for topic in row.topics]
        case Place():
            parents = [("parent_id", "places", row.parent_id)] if row.parent_id else []
            return parents + [("successor_ids", "places", place) for place in row.successor_ids]
        case _:
            return []


def _rings(places: list[Placed[Entry]]) -> list[Problem]:
    """A place that lies, through its parents, in itself: a reader walking up would never arrive."""
    known = [(placed, placed.row) for placed in places if isinstance(placed.row, Place)]
    parents = {row.id: row.parent_id for _, row in known}
    problems = []
    for placed, row in known:
        seen = {row.id}
        above = parents.get(row.id)
        while above is not None and above not in seen:
            seen.add(above)
            above = parents.get(above)
        if above == row.id:
            problems.append(placed.raw.problem("parent_id", "leads back to the place itself; expected parents that end at the city"))
    return problems
