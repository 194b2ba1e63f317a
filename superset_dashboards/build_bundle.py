"""Write bundle/ from bundle_source/. Run it after a change there: ``python superset_dashboards/build_bundle.py``; a test compares the two.

Belongs here: which document goes into which file, and how YAML is written. Not here: what the documents say (bundle_source/).
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # run by path: the folder itself would hide other modules

from superset_dashboards.bundle_source.city_charts import CHARTS
from superset_dashboards.bundle_source.city_dashboard import SLUG, dashboard_document
from superset_dashboards.bundle_source.datasets import DATASETS, database_document, dataset_document
from superset_dashboards.bundle_source.ids import VERSION

BUNDLE = Path(__file__).resolve().parent / "bundle"


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, so that a changed word is a changed line; no aliases, because each file is read by people."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  PyYAML's signature
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def bundle_documents() -> dict[str, dict[str, Any]]:
    """Every document by its path inside the bundle."""
    return {
        "metadata.yaml": {"version": VERSION, "type": "assets"},
        "databases/gold.yaml": database_document(),
        **{f"datasets/gold/{name}.yaml": dataset_document(dataset) for name, dataset in DATASETS.items()},
        **{f"charts/{name}.yaml": chart.document() for name, chart in CHARTS.items()},
        f"dashboards/{SLUG}.yaml": dashboard_document(),
    }


def bundle_files() -> dict[str, str]:
    """The text of every file by its path inside the bundle. Keys keep the order in which they are declared."""
    return {
        path: yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140)
        for path, document in bundle_documents().items()
    }


def main() -> int:
    """Replace the bundle folder."""
    shutil.rmtree(BUNDLE, ignore_errors=True)
    files = bundle_files()
    for path, text in files.items():
        target = BUNDLE / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    print(f"{len(files)} files written to {BUNDLE}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
