"""The cursor of a polling connector: the position it reached, committed with the data.

The state (what each source last sent) is written first as an object of its own under a number never used before; the Delta commit of the
batch then names that number as its transaction position. A crash before the commit leaves an object nobody names; a crash after it leaves
nothing undone. Of two collectors that start from the same snapshot only one can commit: the table refuses the other's commit.
"""

import gzip
import io
import json
import time
from dataclasses import dataclass
from typing import Any

from deltalake import DeltaTable
from minio.error import S3Error

from lake_config.errors import StoreError
from lake_config.storage import Lake

APP_ID = "cursor"
_BUCKET = "landing"


@dataclass(frozen=True)
class Cursor:
    """The committed state of a connector; `number` is 0 before the first commit."""

    connector: str
    number: int
    state: dict[str, Any]


def _prefix(connector: str) -> str:
    return f"cursors/{connector}/"


def _key(connector: str, number: int) -> str:
    return f"{_prefix(connector)}{number:020d}.json.gz"


def load_cursor(lake: Lake, connector: str, table: DeltaTable) -> Cursor:
    """The cursor that the snapshot `table` names. Raises StoreError when its object is gone: starting anew would land all again."""
    number = table.transaction_version(APP_ID) or 0
    if number == 0:
        return Cursor(connector, 0, {})
    try:
        with lake.objects.get_object(bucket_name=_BUCKET, object_name=_key(connector, number)) as response:
            state = json.loads(gzip.decompress(response.read()))
    except S3Error as error:
        raise StoreError(
            f"The cursor of {connector} is at {number}, but its object {_BUCKET}/{_key(connector, number)} cannot be read ({error.code})."
            " Restore it from a backup; the rows already landed are safe."
        ) from error
    return Cursor(connector, number, state)


def stage_cursor(lake: Lake, connector: str, state: dict[str, Any], after: int) -> Cursor:
    """Write a state under a fresh number above `after`, the committed one, for the commit that is about to name it."""
    # A clock set back must not make the new number the smaller one: `forget_older` would remove it.
    cursor = Cursor(connector, max(time.time_ns(), after + 1), state)
    data = gzip.compress(json.dumps(state, sort_keys=True).encode(), mtime=0)
    lake.objects.put_object(bucket_name=_BUCKET, object_name=_key(connector, cursor.number), data=io.BytesIO(data), length=len(data))
    return cursor


def forget_older(lake: Lake, connector: str, committed: int) -> None:
    """Remove the states before the `committed` one, which no commit can name any more."""
    for found in lake.objects.list_objects(bucket_name=_BUCKET, prefix=_prefix(connector), recursive=True):
        if found.object_name is not None and found.object_name < _key(connector, committed):
            lake.objects.remove_object(bucket_name=_BUCKET, object_name=found.object_name)
