"""bench push measures a real server in a lake of its own, and leaves nothing behind."""

from pathlib import Path

import pytest

from lake_config.settings import load_settings
from orchestration.commands.bench_push import bench_push

pytestmark = pytest.mark.store


def test_every_acknowledged_post_is_counted_and_nothing_is_left(tmp_path: Path) -> None:
    report = bench_push(load_settings({"LAKE_HOME": str(tmp_path)}), 900, 200, 3, lambda _: None)
    assert (report.posts, report.batches, report.rows_in_bronze) == (900, 5, 900)
    assert 0 < report.p50_seconds <= report.p99_seconds
    assert report.server_peak_bytes > 0
    assert "900 posts" in report.lines()[0]
    assert list(tmp_path.iterdir()) == []
