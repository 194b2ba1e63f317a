"""What must hold between registry rows: ids are unique, references lead somewhere, nothing is polled twice.

Belongs here: rules that need more than one row. Not here: rules of one row (models.py), reading files (yaml_rows.py).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, TypeVar

from lake_config.registry.models import Agency, Place, Row, Source
from lake_config.registry.yaml_rows import Problem, RawRow

R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Placed(Generic[R]):
    """A valid row together with where it was written."""

    row: R
    raw: RawRow


Rows = Mapping[str, list[Placed[Row]]]


def check(rows: Rows) -> list[Problem]:
    """All problems between rows. `rows` maps each section to its valid rows, in file order."""
    problems = [problem for section in rows.values() for problem in _unique(section, "id", lambda row: row.id)]
    problems += _unique(rows["sources"], "url", lambda row: row.url if isinstance(row, Source) else None)
    ids = {section: {placed.row.id for placed in placed_rows} for section, placed_rows in rows.items()}
    for placed in (item for section in rows.values() for item in section):
        for field, section, wanted in _references(placed.row):
            if wanted not in ids[section]:
                sentence = f"{wanted!r} is no id of the {section} registry{near(wanted, ids[section])}; expected {placed.row.wanted(field)}"
                problems.append(placed.raw.problem(field, sentence))
    return problems + _rings(rows["places"])


def near(wanted: str, known: Iterable[str]) -> str:
    """A hint naming up to three ids that resemble the wanted one, or the empty string."""
    close = get_close_matches(wanted, sorted(known), n=3, cutoff=0.6)
    return f" (did you mean {', '.join(close)}?)" if close else ""


def _unique(rows: list[Placed[Row]], field: str, key: Callable[[Row], str | None]) -> list[Problem]:
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


def _references(row: Row) -> list[tuple[str, str, str]]:
    """The ids a row points at: (its field, the section pointed into, the id)."""
    match row:
        case Source(area=str(area)):
            return [("area", "places", area)]
        case Agency():
            return [("area", "places", row.area)] + [("topics", "topics", topic) for topic in row.topics]
        case Place():
            parents = [("parent_id", "places", row.parent_id)] if row.parent_id else []
            return parents + [("successor_ids", "places", place) for place in row.successor_ids]
        case _:
            return []


def _rings(places: list[Placed[Row]]) -> list[Problem]:
    """A place that lies, through its parents, in itself: a reader walking up would never arrive."""
    parents = {placed.row.id: placed.row.parent_id for placed in places if isinstance(placed.row, Place)}
    problems = []
    for placed in places:
        seen = {placed.row.id}
        above = parents.get(placed.row.id)
        while above is not None and above not in seen:
            seen.add(above)
            above = parents.get(above)
        if above == placed.row.id:
            problems.append(placed.raw.problem("parent_id", "leads back to the place itself; expected parents that end at the city"))
    return problems
