"""Commits of a connector that lands its rows in several portions, each with the position it reaches. One `Committer` is one run.

Belongs here: which of two collectors yields. Not here: what the state holds (the connectors), how it is stored (cursor.py).
"""

import copy
from typing import Any

from deltalake.exceptions import CommitFailedError

from assets.bronze.cursor import APP_ID, Cursor, forget_older, load_cursor, stage_cursor
from assets.bronze.envelope import Batch
from assets.bronze.landing import CollectReport, land
from lake_config.storage import Lake, Provenance


class Committer:
    """The table of a connector and the cursor that it names. `report` says what was landed, and whether this run had to yield."""

    def __init__(self, lake: Lake, connector: str, provenance: Provenance) -> None:
        self.lake, self.connector, self.provenance = lake, connector, provenance
        self.report = CollectReport(connector)
        self.table = lake.open(f"bronze.{connector}")
        self.cursor: Cursor = load_cursor(lake, connector, self.table)

    @property
    def is_over(self) -> bool:
        """Whether another collector committed meanwhile."""
        return self.report.yielded

    def commit(self, batch: Batch, state: dict[str, Any]) -> bool:
        """Land a batch and the state in one Delta commit; False when another collector was faster, which has the rows then.

        Raises what the store raises where nobody else committed: a fault, to be tried again.
        """
        if self.is_over:
            return False
        if self.table.transaction_version(APP_ID) != (self.cursor.number or None):
            self.report.yielded = True  # a commit of our own brought the snapshot up to date, the other collector's commit with it
            return False
        staged = stage_cursor(self.lake, self.connector, state, self.cursor.number)
        try:
            land(self.lake, self.table, batch, self.provenance, {APP_ID: staged.number}, self.report)
        except CommitFailedError:
            if self.lake.open(f"bronze.{self.connector}").transaction_version(APP_ID) == (self.cursor.number or None):
                raise
            self.report.yielded = True
            return False
        forget_older(self.lake, self.connector, self.cursor.number)
        self.cursor = Cursor(self.connector, staged.number, copy.deepcopy(state))
        return True
