"""Sources that are about to join the registry: completed, checked against it and one another, accepted or refused.

Belongs here: the judgement. Not here: reading files (csv_rows.py), keeping them (orchestration.commands.sources).
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from lake_config.registry.cross_checks import near
from lake_config.registry.loader import validate
from lake_config.registry.lookup import Registry
from lake_config.registry.models import DEMO_CITY, Source
from lake_config.registry.yaml_rows import Problem, RawRow

UNREAD_TERMS = "Not read yet: read the publisher's terms before switching it on."
DEFAULTS: Mapping[str, Any] = {
    "owner": "data-team",
    "kind": "aggregator",
    "group": "imported",
    "connector": "news_feeds",
    "licence_note": UNREAD_TERMS,
    "verified": False,
    "enabled": False,
    "poll_minutes": 60,
}
"""What a new source is where nothing else is said."""
DERIVED = ("id", "name", "platform", "publisher")
"""Fields that follow from the url where they are not given."""


@dataclass
class Judged:
    """The sources that may join, and why the others may not."""

    accepted: list[Source] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)


def completed(raw: RawRow, defaults: Mapping[str, Any]) -> RawRow:
    """The row with the defaults, and with name, platform, publisher and id from the host of its url where it does not give them."""
    values = {**defaults, **raw.values}
    url = values.get("url")
    host = _host(url) if isinstance(url, str) else ""
    if host:
        values.setdefault("platform", host)
        for name in ("name", "publisher"):
            values.setdefault(name, values["platform"])
        slug = "-".join(part for part in "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in host).split())
        values.setdefault("id", f"{slug[:60]}-{hashlib.sha256(str(url).encode()).hexdigest()[:8]}")
    return replace(raw, values=values)


def _host(url: str) -> str:
    try:
        return (urlsplit(url.replace(DEMO_CITY, "http://demo.city")).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def judge(rows: Iterable[RawRow], registry: Registry, *, leaving: Collection[str] = ()) -> Judged:
    """Accept or refuse each row, in order. `leaving` are ids of registry sources that the new ones replace."""
    out = Judged()
    staying = [source for source in registry.sources if source.id not in leaving]
    taken = {
        "id": {source.id: "in the registry" for source in staying},
        "url": {source.url: f"by {source.id}" for source in staying if source.url is not None},
    }
    places = {place.id for place in registry.places}
    hint = cache(lambda area: near(area, places))  # one slip can stand in every row of a long file
    for raw in rows:
        row, problems = validate(raw)
        if not isinstance(row, Source) or problems:
            out.refused += problems
            continue
        for name, value in (("id", row.id), ("url", row.url)):
            if value in taken[name]:
                problems.append(raw.problem(name, f"{value!r} is already used {taken[name][value]}; expected each {name} once"))
        if row.area is not None and row.area not in places:
            sentence = f"{row.area!r} is no id of the places registry{hint(row.area)}; expected {row.wanted('area')}"
            problems.append(raw.problem("area", sentence))
        if problems:
            out.refused += problems
            continue
        taken["id"][row.id] = f"at line {raw.line}"
        if row.url is not None:
            taken["url"][row.url] = f"at line {raw.line}"
        out.accepted.append(row)
    return out
