"""The cursor of a polling connector: the position it reached, committed with the data.

The state (what each source last sent) is written first as an object of its own under a number never used before; the Delta commit of the
batch then names that number as its transaction position. A crash before the commit leaves an object nobody names; a crash after it leaves
nothing undone. Of two collectors that start from the same snapshot only one can commit: the table refuses the other's commit.

A connector with very many sources cuts its state into shards, each with a position of its own, all committed with the rows they speak of.
"""

import gzip
import io
import json
import time
from dataclasses import dataclass, replace
from typing import Any

from deltalake import DeltaTable
from minio.error import S3Error

from lake_config.errors import StoreError
from lake_config.storage import Lake

APP_ID = "cursor"
_BUCKET = "landing"
_LEVEL = 3
"""Of gzip: a third of the default's time for a tenth more bytes."""


@dataclass(frozen=True)
class Cursor:
    """The committed state of a connector, or of one of its shards; `number` is 0 before the first commit."""

    connector: str
    number: int
    state: dict[str, Any]
    shard: str = ""

    @property
    def app_id(self) -> str:
        """The name of its position in the table's commits."""
        return app_id(self.shard)


def app_id(shard: str) -> str:
    """The name under which a shard's position stands in the table's commits; that of an unsharded connector for ''."""
    return f"{APP_ID}/{shard}" if shard else APP_ID


def _prefix(connector: str, shard: str) -> str:
    return f"cursors/{connector}/{shard}/" if shard else f"cursors/{connector}/"


def _key(connector: str, number: int, shard: str) -> str:
    return f"{_prefix(connector, shard)}{number:020d}.json.gz"


def load_cursor(lake: Lake, connector: str, table: DeltaTable, shard: str = "") -> Cursor:
    """The cursor that the snapshot `table` names. Raises StoreError when its object is gone: starting anew would land all again."""
    number = table.transaction_version(app_id(shard)) or 0
    if number == 0:
        return Cursor(connector, 0, {}, shard)
    key = _key(connector, number, shard)
    try:
        with lake.objects.get_object(bucket_name=_BUCKET, object_name=key) as response:
            state = json.loads(gzip.decompress(response.read()))
    except S3Error as error:
        raise StoreError(
            f"The cursor of {connector} is at {number}, but its object {_BUCKET}/{key} cannot be read ({error.code})."
            " Restore it from a backup; the rows already landed are safe."
        ) from error
    return Cursor(connector, number, state, shard)


def stage_cursor(lake: Lake, connector: str, state: dict[str, Any], after: int, shard: str = "") -> Cursor:
    """Write a state under a fresh number above `after`, the committed one, for the commit that is about to name it."""
    # A clock set back must not make the new number the smaller one: `forget_older` would remove it.
    cursor = Cursor(connector, max(time.time_ns(), after + 1), state, shard)
    _write(lake, cursor)
    return cursor


def rewrite_cursor(lake: Lake, cursor: Cursor, state: dict[str, Any]) -> None:
    """Put another state in place of a committed one, where it speaks of the same rows: validators of an answer that brought nothing new.

    Nothing happens before the first commit.
    """
    if cursor.number:
        _write(lake, replace(cursor, state=state))


def _write(lake: Lake, cursor: Cursor) -> None:
    data = gzip.compress(json.dumps(cursor.state, sort_keys=True).encode(), compresslevel=_LEVEL, mtime=0)
    key = _key(cursor.connector, cursor.number, cursor.shard)
    lake.objects.put_object(bucket_name=_BUCKET, object_name=key, data=io.BytesIO(data), length=len(data))


def forget_older(lake: Lake, connector: str, committed: int, shard: str = "") -> None:
    """Remove the states before the `committed` one, which no commit can name any more."""
    for found in lake.objects.list_objects(bucket_name=_BUCKET, prefix=_prefix(connector, shard), recursive=True):
        if found.object_name is not None and found.object_name < _key(connector, committed, shard):
            lake.objects.remove_object(bucket_name=_BUCKET, object_name=found.object_name)
