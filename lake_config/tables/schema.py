"""What a table declaration is. The declarations themselves are in bronze.py, silver.py and gold.py."""

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

STRING, BINARY, BOOL, DATE = pa.string(), pa.binary(), pa.bool_(), pa.date32()
INT, FLOAT = pa.int64(), pa.float64()
TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Column:
    """One column: snake_case name, Arrow type, meaning, and where it comes from.

    ``inputs`` are 'table.column' names of the columns it is computed from (column lineage); empty for bronze columns, which come from outside.
    ``label_vi`` is what policy staff read in Superset.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = False
    inputs: tuple[str, ...] = ()
    label_vi: str = ""


@dataclass(frozen=True)
class Table:
    """One Delta table. ``name`` is '<layer>.<table>'; the layer is also the bucket, so the table lies at s3://<layer>/<table>."""

    name: str
    description: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ("event_date",)
    key: tuple[str, ...] = ()
    owner: str = "team:data-engineering"
    description_vi: str = ""

    @property
    def layer(self) -> str:
        """Bucket and Dagster group of the table."""
        return self.name.split(".", 1)[0]

    @property
    def short_name(self) -> str:
        """Name inside its layer."""
        return self.name.split(".", 1)[1]

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema, in declared order."""
        return pa.schema([pa.field(c.name, c.type, c.nullable) for c in self.columns])

    def column(self, name: str) -> Column:
        """The declared column of that name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")
