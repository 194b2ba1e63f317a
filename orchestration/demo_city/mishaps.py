"""Which mishap befalls which planned mention: style, contact data, markup, copies, edits, lateness, odd dates.

Belongs here: the rates and their assignment. Not here: the texts (writing.py) and malformed lines (exports.py), feeds (feeds.py).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from orchestration.demo_city import plan
from orchestration.demo_city.corpus import Site, Stream

MIN_SCALE = 0.05
TWICE_DELIVERED = "demo-pages"
"""The stream whose last file of round 1 comes again in round 3, under another name."""
UNDATED = ("missing", "1970", "2099", "words")
STYLE_RATES = {"teencode": 0.07, "unaccented": 0.06, "mixed_english": 0.04}
EXTRA_RATES = {"emoji": 0.12, "phone": 0.012, "email": 0.006, "html": 0.01, "script": 0.005}
FORM_RATES = {"repost": 0.04, "near_duplicate": 0.025, "spam": 0.02}
DELIVERY_RATES = {"edit": 0.015, "edit_date": 0.002, "late_arrival": 0.02}
STAMP_RATES = {"iso_utc": 0.06, "epoch": 0.06, "local": 0.06}
LAST_MINUTE_RATE = 0.004
VERY_LATE_RATE = 0.004


@dataclass
class Slot:
    """A planned mention. form: own, repost, near_duplicate, spam; delivery: first, edit, edit_date, late_arrival.

    stamp: see city.Version.
    """

    moment: datetime
    sentiment: str
    source: Site | Stream
    kind: str
    form: str = "own"
    style: str = "plain"
    extras: set[str] = field(default_factory=set)
    delivery: str = "first"
    release_round: int = 1
    stamp: str = "iso"

    @property
    def is_feed(self) -> bool:
        """Whether it is an article of a site."""
        return isinstance(self.source, Site)

    @property
    def is_undated(self) -> bool:
        """Whether the source's date is missing or absurd."""
        return self.stamp in UNDATED

    @property
    def is_quiet(self) -> bool:
        """Whether its site has nothing new after round 1."""
        return isinstance(self.source, Site) and self.source.quiet


def assign(slots: list[Slot], rng: random.Random) -> None:
    """Give every mishap its exact share of the slots, at least two of each, in place."""
    total = len(slots)

    def take(rate: float, fits: Callable[[Slot], bool]) -> list[Slot]:
        return rng.sample([slot for slot in slots if fits(slot)], max(2, round(total * rate)))

    for form, rate in FORM_RATES.items():
        for slot in take(rate, partial(_fits_form, form)):
            slot.form = form
    for delivery, rate in DELIVERY_RATES.items():
        for slot in take(rate, partial(_fits_delivery, delivery)):
            slot.delivery, slot.release_round = delivery, 2
    for slot in rng.sample([slot for slot in slots if slot.delivery == "late_arrival"], max(1, round(total * VERY_LATE_RATE))):
        slot.release_round = 3
    for slot in take(LAST_MINUTE_RATE, _fits_last_minute):
        slot.release_round = 3
    _assign_looks(take)


def _assign_looks(take: Callable[[float, Callable[[Slot], bool]], list[Slot]]) -> None:
    """Styles, extras and the ways a date is written: what a post looks like, not how it travels."""
    for style, rate in STYLE_RATES.items():
        for slot in take(rate, _fits_style):
            slot.style = style
    for extra, rate in EXTRA_RATES.items():
        for slot in take(rate, partial(_fits_extra, extra)):
            slot.extras.add(extra)
    for stamp, rate in STAMP_RATES.items():
        for slot in take(rate, _fits_stamp):
            slot.stamp = stamp


def _is_usual(slot: Slot) -> bool:
    return slot.form == "own" and slot.delivery == "first" and slot.release_round == 1 and not slot.is_undated


def _fits_form(form: str, slot: Slot) -> bool:
    # A copy needs something to copy: not in the first three days. Advertisements say nothing of the city: neutral.
    return _is_usual(slot) and not slot.is_feed and slot.moment.date() >= plan.days()[3] and (form != "spam" or slot.sentiment == "neutral")


def _fits_delivery(delivery: str, slot: Slot) -> bool:
    day = slot.moment.date()
    if delivery == "late_arrival":
        fits = day <= plan.TET_WEEK[1]
    else:
        # The file that comes twice holds its stream's last days. An edited post in it would fall back to its old words in round 3.
        fits = day > plan.FIRST_DAY and (slot.source.source_id != TWICE_DELIVERED or day < plan.TET_WEEK[1])
    return _is_usual(slot) and not slot.is_quiet and fits


def _fits_last_minute(slot: Slot) -> bool:
    return _is_usual(slot) and not slot.is_quiet and slot.moment.date() == plan.LAST_DAY


def _fits_style(slot: Slot) -> bool:
    return not slot.is_feed and slot.form == "own" and slot.style == "plain"


def _fits_stamp(slot: Slot) -> bool:
    return not slot.is_feed and slot.stamp == "iso"


def _fits_extra(extra: str, slot: Slot) -> bool:
    return slot.form == "own" and (not slot.is_feed or extra in {"html", "script", "email"})
