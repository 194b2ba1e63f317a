"""A lake without tables and files, for tests that count what is in it."""

from minio.deleteobjects import DeleteObject

from lake_config.settings import Settings
from lake_config.storage import Lake

BUCKETS = ("landing", "bronze", "silver", "gold")


def empty(settings: Settings) -> None:
    """Remove every object of the four buckets that tables and files lie in."""
    store = Lake(settings, "pipeline").objects
    for bucket in BUCKETS:
        names = [DeleteObject(str(found.object_name)) for found in store.list_objects(bucket_name=bucket, recursive=True)]
        errors = list(store.remove_objects(bucket_name=bucket, delete_object_list=names))
        assert errors == []
