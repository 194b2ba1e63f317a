"""Great Expectations, brought in on first use: its import takes seconds, and it must neither count users nor fill the terminal."""

import os
import warnings
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def great_expectations() -> Any:
    """The library (modules `great_expectations` and `great_expectations.expectations` loaded), with usage statistics off."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports modules that Python 3.11 calls deprecated
        import great_expectations as gx  # noqa: PLC0415
        import great_expectations.expectations  # noqa: PLC0415
    return gx


@lru_cache(maxsize=1)
def batch_definition() -> Any:
    """Where whole data frames are handed in to be checked: an ephemeral context, nothing on disk, no progress bars."""
    gx = great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = gx.data_context.types.base.ProgressBarsConfig(globally=False)
    return context.data_sources.add_pandas("rows").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("rows")
