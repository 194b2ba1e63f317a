"""The one declaration of every table: columns with types and descriptions, partitioning, owner.

Delta schemas, Dagster column metadata, expectations, Superset dataset columns and docs are generated from or checked against it.
"""

from lake_config.tables.bronze import BRONZE
from lake_config.tables.gold import GOLD
from lake_config.tables.schema import Column, Table
from lake_config.tables.silver import SILVER

TABLES: dict[str, Table] = {table.name: table for table in (*BRONZE, *SILVER, *GOLD)}


def table(name: str) -> Table:
    """The declared table of that name, such as 'gold.sentiment_daily'. Raises KeyError for a name nobody declared."""
    return TABLES[name]


__all__ = ["TABLES", "Column", "Table", "table"]
