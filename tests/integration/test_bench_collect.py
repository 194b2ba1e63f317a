"""The bench of the feed connector, on few feeds: what it says of the hosts' rules and of the posts is what happened."""

from dataclasses import replace
from pathlib import Path

import pytest

from lake_config.settings import load_settings
from orchestration.commands.bench_collect import bench_collect

pytestmark = pytest.mark.store


def test_a_small_bench(tmp_path: Path) -> None:
    figures = bench_collect(load_settings({"LAKE_HOME": str(tmp_path)}), 100, lambda _: None)
    assert figures.faults() == []
    assert (figures.landed, figures.outcomes) == (90, {"ok": 30, "not_modified": 68, "http_error": 2})
    assert figures.findings == 1
    assert replace(figures, landed=89).faults() == ["89 rows landed, 90 expected"]
    impolite = replace(figures.record, most_in_flight=2, least_pause=0.5)
    assert replace(figures, record=impolite).faults() == ["a host was asked 2 things at once", "a host was asked again after 0.500 s"]
