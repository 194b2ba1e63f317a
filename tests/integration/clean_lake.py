"""A lake without tables and files, how files come into it, what lies in it, and ends that come at a bad moment."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl
from minio.deleteobjects import DeleteObject

from lake_config.settings import Settings
from lake_config.storage import Lake
from orchestration.demo_city import City

BUCKETS = ("landing", "bronze", "silver", "gold")


def empty(settings: Settings) -> None:
    """Remove every object of the four buckets that tables and files lie in."""
    store = Lake(settings, "pipeline").objects
    for bucket in BUCKETS:
        names = [DeleteObject(str(found.object_name)) for found in store.list_objects(bucket_name=bucket, recursive=True)]
        errors = list(store.remove_objects(bucket_name=bucket, delete_object_list=names))
        assert errors == []


def lake_at(settings: Settings, demo_city_url: str, identity: str = "pipeline") -> Lake:
    """The lake as it sees a demo city at another address."""
    return Lake(replace(settings, demo_city_url=demo_city_url), identity)


def put(lake: Lake, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
    """Drop a file into the landing bucket."""
    lake.objects.put_object(
        bucket_name="landing", object_name=key, data=io.BytesIO(content), length=len(content), metadata=dict(metadata) if metadata else None
    )


def deliver(lake: Lake, city: City, round_: int) -> None:
    for file in city.files:
        if file.release_round == round_:
            put(lake, f"exports/{file.source_id}/{file.name}.jsonl", file.content)


def landed(lake: Lake, connector: str) -> pl.DataFrame:
    name = f"bronze.{connector}"
    return lake.read(name, lake.open(name).file_uris()).sort("fetched_at", "batch_id", "row_number")


def log(lake: Lake) -> pl.DataFrame:
    return lake.read("bronze.fetch_log", lake.open("bronze.fetch_log").file_uris()).sort("fetched_at", "source_id")


class Interrupted(Lake):
    """A lake on which something happens at the n-th append to a bronze table."""

    def __init__(self, settings: Settings, happening: Callable[[], object], *, at_append: int = 1):
        super().__init__(settings)
        self.happening, self.left = happening, at_append

    def append(self, at: Any, name: str, *rest: Any) -> int:
        if name != "bronze.fetch_log":
            self.left -= 1
            if self.left == 0:
                self.happening()
        return super().append(at, name, *rest)


class KilledError(BaseException):
    """Stands for the end of the process: nothing in the code under test catches it."""


def kill() -> None:
    raise KilledError
