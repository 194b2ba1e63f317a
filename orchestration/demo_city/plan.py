"""How much is said on which day, in which mood, about what. Numbers only; the words are writing.py's."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate

from orchestration.demo_city.corpus import SENTIMENTS, TOPICS

FIRST_DAY = date(2024, 1, 20)
LAST_DAY = date(2024, 2, 25)
TET_WEEK = (date(2024, 2, 8), date(2024, 2, 14))
MENTIONS_AT_FULL_SCALE = 12_000
ARTICLE_SHARE = 1 / 6
FLOOD_PLACE = "hcm-d-binh-thanh"

# Shares of negative, neutral, positive. The Tet week is the mix the city reported before the Tet of 2024; the others are invented.
TET_MIX = (0.10, 0.25, 0.65)
USUAL_MIX = (0.30, 0.35, 0.35)
FLOOD_MIX = {date(2024, 1, 27): (0.38, 0.34, 0.28), date(2024, 1, 28): (0.48, 0.30, 0.22), date(2024, 1, 29): (0.54, 0.28, 0.18)}
FLOOD_VOLUME = {date(2024, 1, 27): 1.3, date(2024, 1, 28): 1.7, date(2024, 1, 29): 2.1}
FLOOD_WEIGHT = {date(2024, 1, 27): 14.0, date(2024, 1, 28): 30.0, date(2024, 1, 29): 45.0}
TET_TOPICS = {"tet": 14.0, "culture_tourism": 3.5, "prices": 2.0, "traffic": 1.8, "security": 1.3, "jobs_welfare": 1.5}
BEFORE_TET_TOPICS = {"tet": 5.0, "prices": 2.5, "jobs_welfare": 2.5, "traffic": 2.2, "security": 1.5}
USUAL_TOPICS = {"traffic": 2.2, "tet": 0.3, "health": 1.4, "public_services": 1.3, "housing_land": 1.3, "fire_safety": 0.7}


def days() -> list[date]:
    """Every event day, first to last."""
    return [FIRST_DAY + timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers that add up to total, each as near to its weight's part as rounding allows (largest remainder)."""
    exact = [total * weight / sum(weights) for weight in weights]
    parts = [int(part) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


def mix_of(day: date) -> tuple[float, float, float]:
    """Shares of negative, neutral and positive on a day."""
    if TET_WEEK[0] <= day <= TET_WEEK[1]:
        return TET_MIX
    return FLOOD_MIX.get(day, USUAL_MIX)


def volumes(total: int) -> dict[date, int]:
    """Mentions per day; weekends a little quieter, the flood louder."""
    weights = [FLOOD_VOLUME.get(day, 0.9 if day.weekday() >= 5 else 1.0) for day in days()]
    return dict(zip(days(), apportion(total, weights), strict=True))


def moods(day: date, count: int) -> list[str]:
    """The sentiments of a day's mentions, in the exact mix of the day, unshuffled."""
    return [label for label, part in zip(SENTIMENTS, apportion(count, mix_of(day)), strict=True) for _ in range(part)]


def pick_topic(rng: random.Random, day: date, sentiment: str) -> str:
    """What a mention of that day and mood is about."""
    if TET_WEEK[0] <= day <= TET_WEEK[1]:
        season = TET_TOPICS
    elif date(2024, 1, 30) <= day < TET_WEEK[0]:
        season = BEFORE_TET_TOPICS
    else:
        season = USUAL_TOPICS
    weights = [season.get(topic, 1.0) for topic in TOPICS]
    flood = FLOOD_WEIGHT.get(day)
    if flood:
        weights[TOPICS.index("flooding")] = flood if sentiment != "positive" else flood / 4
    return rng.choices(TOPICS, cum_weights=list(accumulate(weights)))[0]
