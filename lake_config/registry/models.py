"""The shape of one registry row, per registry.

Belongs here: fields, their types and what one row can check alone. Every field's description says what is expected, for it becomes the
error sentence. Not here: reading files (yaml_rows.py), rules between rows (cross_checks.py).
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

ID_PATTERN = r"^[a-z0-9]+([-_][a-z0-9]+)*$"
DEMO_CITY = "{demo_city}"
"""Stands in a source's url for the base URL of the running demo city; the reader of the source fills it in."""

Id = Annotated[str, Field(pattern=ID_PATTERN, max_length=100)]
Text = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]
Ids = Annotated[tuple[Id, ...], Field(strict=False)]
Texts = Annotated[tuple[Text, ...], Field(strict=False)]
Fault = tuple[str, str]
"""A field of a row and the sentence that says what is wrong with it and what was expected."""


class Entry(BaseModel):
    """One entry of a registry file, checked strictly: a field nobody declared or of another type is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def faults(self) -> list[Fault]:
        """What is wrong between this entry's own fields; empty when nothing is."""
        return []

    @classmethod
    def wanted(cls, field: str) -> str:
        """What a field expects, as used in error sentences. Raises KeyError for a field the entry does not have."""
        return cls.model_fields[field].description or "a value"


class Row(Entry):
    """What every registry row has. Dates are civil dates in Asia/Ho_Chi_Minh, both ends included; null means no known limit."""

    id: Id = Field(description="an id: lower-case ASCII letters and digits, parts joined by - or _")
    valid_from: date | None = Field(default=None, description="the first day the row holds, as YYYY-MM-DD without quotes, or null")
    valid_to: date | None = Field(
        default=None, description="the last day the row holds, as YYYY-MM-DD without quotes and not before valid_from, or null"
    )
    owner: Text = Field(description="who answers for the row, for example data-team")

    def is_valid_on(self, day: date) -> bool:
        """Whether the row holds on that civil date."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def faults(self) -> list[Fault]:
        """As Entry.faults: the span of validity has its ends in order."""
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            wanted = self.wanted("valid_to")
            return [("valid_to", f"{self.valid_to} lies before valid_from {self.valid_from}; expected {wanted}")]
        return []


class Source(Row):
    """One feed, page or delivery that the lake listens to."""

    name: Text = Field(description="the name people know the source by")
    kind: Literal["newspaper", "aggregator", "social_page", "video", "provider", "upload"] = Field(
        description="one of newspaper, aggregator, social_page, video, provider, upload"
    )
    group: Id = Field(description="the group the source is switched on with, such as demo, upload or vietnam")
    connector: Id = Field(description="the connector that fetches it, such as news_feeds or exports")
    platform: Text = Field(description="the host-like name that makes native ids unique, such as vnexpress.net")
    url: Text | None = Field(
        default=None, description=f"a feed URL beginning with http://, https:// or {DEMO_CITY}/, or null for exports and news_articles"
    )
    publisher: Text = Field(description="who publishes it")
    area: Id | None = Field(default=None, description="the id of a place in the places registry, or null")
    licence_note: Text = Field(description="a sentence on what may be done with the content")
    verified: bool = Field(description="true or false: has a person checked that it answers and may be read")
    enabled: bool = Field(description="true or false: is it collected without being asked for")
    allow_private: bool = Field(default=False, description="true or false: may its address be a private or loopback one")
    expected: bool = Field(default=False, description="true or false: does its silence count against coverage (default: true for feeds)")
    poll_minutes: int | None = Field(default=None, ge=1, description="whole minutes between polls, 1 or more, or null when never polled")

    @model_validator(mode="before")
    @classmethod
    def _feeds_are_expected(cls, data: Any) -> Any:
        if isinstance(data, dict) and "expected" not in data:
            return {**data, "expected": data.get("connector") == "news_feeds"}
        return data

    def faults(self) -> list[Fault]:
        """As Row.faults, and the url fits the connector."""
        found = super().faults()
        if self.url is not None and not self.url.startswith(("http://", "https://", DEMO_CITY + "/")):
            found.append(("url", f"is {self.url!r}; expected {self.wanted('url')}"))
        if self.connector == "news_feeds" and self.url is None:
            found.append(("url", f"is missing; expected {self.wanted('url')}"))
        arrives = {
            "news_articles": "the feeds of its platform say which pages there are",
            "exports": "exports arrive as files",
            "provider_push": "pushed batches come by themselves",
        }.get(self.connector)
        if arrives and self.url is not None:
            found.append(("url", f"is {self.url!r}, but {arrives}; expected null"))
        return found


class Switch(Entry):
    """An operator's decision to listen to a source, or not to, from a local day on. The latest decision up to a day holds on it."""

    source_id: Id = Field(description="the id of a source in the sources registry")
    enabled: bool = Field(description="true or false: is it collected from that day on")
    since: date = Field(description="the first local day it holds, as YYYY-MM-DD")
    reason: Text = Field(description="a sentence on why")


class Verification(Entry):
    """That a source was fetched once and answered with a document that the lake can read."""

    source_id: Id = Field(description="the id of a source in the sources registry")
    verified_on: date = Field(description="the local day it answered, as YYYY-MM-DD")
    document: Text = Field(description="the kind of document it answered with, such as RSS")
    entries: int = Field(ge=0, description="how many entries the document listed, 0 or more")


class Topic(Row):
    """One policy area, with the phrases that speak of it."""

    name_vi: Text = Field(description="the Vietnamese name")
    name_en: Text = Field(description="the English name")
    definition_vi: Text = Field(description="a Vietnamese sentence on what belongs to the topic")
    definition_en: Text = Field(description="an English sentence on what belongs to the topic")
    keywords: Annotated[Texts, Field(min_length=1)] = Field(description="a list of Vietnamese phrases with full diacritics, each one once")

    def faults(self) -> list[Fault]:
        """As Row.faults, and no keyword twice."""
        return super().faults() + _repeated(self, "keywords", self.keywords)


class Agency(Row):
    """One body of the city that posts are routed to."""

    name_vi: Text = Field(description="the Vietnamese name")
    name_en: Text = Field(description="the English name")
    kind: Literal["department", "police", "centre", "utility", "committee", "union"] = Field(
        description="one of department, police, centre, utility, committee, union"
    )
    topics: Ids = Field(description="a list of ids of the topics registry, each one once")
    area: Id = Field(description="the id of a place in the places registry")
    aliases: Texts = Field(default=(), description="a list of other names in use, each one once")

    def faults(self) -> list[Fault]:
        """As Row.faults, and no topic or alias twice."""
        return super().faults() + _repeated(self, "topics", self.topics) + _repeated(self, "aliases", self.aliases)


class Place(Row):
    """One administrative unit as it stood in a span of time. A text may name it by name_vi or by an alias, in any letter case.

    match_alone false: its name is too common to count by itself (a numbered ward, two wards of one name), so an alias counts only in a
    text that also names the parent. successor_ids: the units that took the area over, the main one first. Degrees are WGS 84.
    """

    name_vi: Text = Field(description="the full Vietnamese name")
    kind: Literal["city", "province", "district", "ward", "commune", "special_zone"] = Field(
        description="one of city, province, district, ward, commune, special_zone"
    )
    parent_id: Id | None = Field(default=None, description="the id of the place it lies in, or null for the city or a province")
    code: Annotated[str, Field(pattern=r"^[0-9]{2,5}$")] | None = Field(
        default=None, description="the quoted digits of the General Statistics Office code, or null"
    )
    aliases: Texts = Field(default=(), description="a list of names in use that mean this place, each one once")
    match_alone: bool = Field(default=True, description="true or false: does an alias count in a text that does not name the parent")
    lat: float | None = Field(default=None, ge=8, le=24, description="degrees north between 8 and 24, or null")
    lon: float | None = Field(default=None, ge=102, le=118, description="degrees east between 102 and 118, or null")
    successor_ids: Ids = Field(default=(), description="a list of ids of the places registry, each one once")

    def faults(self) -> list[Fault]:
        """As Row.faults, and parent and coordinates are complete and no name comes twice."""
        found = super().faults() + _repeated(self, "aliases", self.aliases) + _repeated(self, "successor_ids", self.successor_ids)
        if (self.parent_id is None) != (self.kind in {"city", "province"}):
            found.append(("parent_id", f"is {self.parent_id or 'null'} in a row of kind {self.kind}; expected {self.wanted('parent_id')}"))
        if not self.match_alone and self.parent_id is None:
            found.append(("match_alone", "is false without a parent_id; expected true, or a parent that the text must name"))
        if (self.lat is None) != (self.lon is None):
            field = "lat" if self.lat is None else "lon"
            found.append((field, f"is null while the other coordinate is given; expected {self.wanted(field)}"))
        return found


def _repeated(row: Row, field: str, values: tuple[str, ...]) -> list[Fault]:
    """A fault for the first value that comes again in a list, letter case apart."""
    seen: set[str] = set()
    for value in values:
        if value.casefold() in seen:
            return [(field, f"holds {value!r} twice; expected {row.wanted(field)}")]
        seen.add(value.casefold())
    return []
