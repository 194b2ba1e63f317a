"""The asset graph as a file, so that an accidental change shows in review.

After a wanted change: `.venv/bin/python -m tests.unit.test_asset_graph`.
"""

from pathlib import Path
from typing import Any

import yaml

from orchestration.definitions import defs

SNAPSHOT = Path(__file__).with_name("asset_graph.yaml")


def graph() -> dict[str, Any]:
    """Every asset with group, owners, what it depends on, its partitions, freshness, retries and checks; every job, schedule, sensor."""
    found: dict[str, Any] = {}
    resolved = defs.resolve_asset_graph()
    for node in sorted(resolved.asset_nodes, key=lambda node: node.key.to_user_string()):
        checks = {key.name: resolved.get_check_spec(key).blocking for key in sorted(node.check_keys, key=lambda key: key.name)}
        found[node.key.to_user_string()] = {
            "group": node.group_name,
            "owners": sorted(node.owners),
            "kinds": sorted(node.kinds),
            "depends_on": sorted(key.to_user_string() for key in node.parent_keys),
            "partitions": str(node.partitions_def) if node.partitions_def else None,
            "freshness": str(node.freshness_policy) if node.freshness_policy else None,
            "checks": {name: "blocking" if is_blocking else "warning" for name, is_blocking in checks.items()},
        }
    repository = defs.get_repository_def()
    return {
        "assets": found,
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {one.name: one.cron_schedule for one in sorted(repository.schedule_defs, key=lambda one: one.name)},
        "sensors": {one.name: one.minimum_interval_seconds for one in sorted(repository.sensor_defs, key=lambda one: one.name)},
    }


def test_the_graph_is_the_one_on_file() -> None:
    assert yaml.safe_load(SNAPSHOT.read_text(encoding="utf-8")) == graph()


if __name__ == "__main__":
    SNAPSHOT.write_text(yaml.safe_dump(graph(), sort_keys=False, width=140), encoding="utf-8")
