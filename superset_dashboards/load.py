"""Load the bundle into a running Superset's metadata, and prove that what Superset then exports is what the files say.

Belongs here: import, export and comparison. Not here: writing the files (build_bundle.py), starting Superset (serve.py). Nothing that the
bundle does not name is touched. Run it in Superset's environment: ``python superset_dashboards/load.py [--check]``; exit code 0 only where
no difference is left.
"""

import copy
import difflib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # run by path: the folder itself would hide other modules

from lake_config.errors import LakeError, ServiceError
from superset_dashboards.environment import superset_home
from superset_dashboards.roles import ADMIN_USER

BUNDLE = Path(__file__).resolve().parent / "bundle"
CONFIG = Path(__file__).resolve().parent / "superset_config.py"
KINDS = ("databases", "datasets", "charts", "dashboards")

Document = dict[str, Any]


def read_bundle() -> dict[str, str]:
    """The text of every file of the bundle by its path inside it. Raises ServiceError when there is none."""
    files = {str(path.relative_to(BUNDLE)): path.read_text(encoding="utf-8") for path in sorted(BUNDLE.rglob("*.yaml"))}
    if not files:
        raise ServiceError(f"The bundle folder {BUNDLE} is empty: write it with 'python superset_dashboards/build_bundle.py'.")
    return files


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def normalised(kind: str, document: Mapping[str, Any]) -> Document:
    """A document without the numbers that each Superset gives anew (chart ids become uuids); a key without a value is as good as no key."""
    result: Document = _without_nulls(copy.deepcopy(dict(document)))
    if kind == "charts":
        for key in ("datasource", "slice_id", "dashboards"):
            result["params"].pop(key, None)
    if kind == "dashboards":
        uuids = {}
        for node in result["position"].values():
            if isinstance(node, dict) and node.get("type") == "CHART":
                uuids[node["meta"].pop("chartId")] = node["meta"]["uuid"]
        for native_filter in result["metadata"]["native_filter_configuration"]:
            native_filter["scope"]["excluded"] = sorted(uuids[number] for number in native_filter["scope"]["excluded"])
    if kind == "datasets":
        result["columns"].sort(key=lambda column: column["column_name"])
        result["metrics"].sort(key=lambda metric: metric["metric_name"])
    return result


def wanted_documents(files: Mapping[str, str]) -> dict[tuple[str, str], Document]:
    """The bundle's documents, normalised, by kind and uuid."""
    found = {}
    for path, text in files.items():
        kind = path.split("/", 1)[0]
        if kind in KINDS:
            document = yaml.safe_load(text)
            found[kind, document["uuid"]] = normalised(kind, document)
    return found


def exported_documents(wanted: Mapping[tuple[str, str], Document]) -> dict[tuple[str, str], Document]:
    """What Superset's own export says of the same objects, normalised, by kind and uuid. Needs :func:`acting_as_admin`."""
    from superset import db
    from superset.commands.chart.export import ExportChartsCommand
    from superset.commands.dashboard.export import ExportDashboardsCommand
    from superset.commands.database.export import ExportDatabasesCommand
    from superset.commands.dataset.export import ExportDatasetsCommand
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.core import Database
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    exporters = {
        "databases": (Database, ExportDatabasesCommand),
        "datasets": (SqlaTable, ExportDatasetsCommand),
        "charts": (Slice, ExportChartsCommand),
        "dashboards": (Dashboard, ExportDashboardsCommand),
    }
    found = {}
    for kind, (model, command) in exporters.items():
        uuids = {uuid for wanted_kind, uuid in wanted if wanted_kind == kind}
        ids = [row.id for row in db.session.query(model).all() if str(row.uuid) in uuids]
        if not ids:
            continue
        for path, content in command(ids, export_related=False).run():
            if path.split("/", 1)[0] == kind:
                document = yaml.safe_load(content())
                found[kind, document["uuid"]] = normalised(kind, document)
    return found


def differences() -> list[str]:
    """Lines of a diff from the files to Superset's export; empty where they say the same. Needs :func:`acting_as_admin`."""
    wanted = wanted_documents(read_bundle())
    found = exported_documents(wanted)
    lines = []
    for kind, uuid in wanted:
        sides = [yaml.safe_dump(side.get((kind, uuid)), allow_unicode=True).splitlines() for side in (wanted, found)]
        lines += difflib.unified_diff(*sides, fromfile=f"files/{kind}/{uuid}", tofile=f"superset/{kind}/{uuid}", lineterm="", n=2)
    return lines


def import_bundle() -> None:
    """Import every file, over whatever Superset holds under the same uuids. Needs :func:`acting_as_admin`.

    Raises ServiceError with Superset's reasons when it refuses a file.
    """
    from superset.commands.exceptions import CommandException, CommandInvalidError
    from superset.commands.importers.v1.assets import ImportAssetsCommand

    try:
        ImportAssetsCommand(read_bundle()).run()
    except CommandInvalidError as error:
        raise ServiceError(f"Superset refuses the bundle: {error.normalized_messages()}") from error
    except CommandException as error:
        raise ServiceError(f"Superset could not import the bundle: {error} ({error.__cause__})") from error


def create_superset_app() -> Any:
    """Superset's application with our settings. Imports Superset, which takes seconds."""
    os.environ["SUPERSET_CONFIG_PATH"] = str(CONFIG)
    superset_home().mkdir(parents=True, exist_ok=True, mode=0o700)
    from superset.app import create_app

    return create_app()


@contextmanager
def acting_as_admin() -> Iterator[None]:
    """An application context in which Superset's commands act for the administrator. Raises ServiceError when there is none yet."""
    app = create_superset_app()
    from superset import security_manager
    from superset.utils.core import override_user

    with app.app_context():
        admin = security_manager.find_user(username=ADMIN_USER)
        if admin is None:
            raise ServiceError(f"Superset has no user {ADMIN_USER!r} yet: start it once with superset_dashboards/serve.py.")
        with override_user(admin):
            yield


def report() -> int:
    """Say whether files and Superset agree; 0 where they do. Needs :func:`acting_as_admin`."""
    lines = differences()
    if lines:
        print("\n".join(lines))
        print(
            f"Superset differs from the files of the bundle in {len(lines)} lines: load them with 'python superset_dashboards/load.py'.",
            file=sys.stderr,
        )
        return 1
    print(f"No difference: Superset holds the {len(read_bundle()) - 1} objects of the bundle as the files say.")
    return 0


def main() -> int:
    """Load (unless ``--check``) and compare."""
    arguments = sys.argv[1:]
    if arguments not in ([], ["--check"]):
        print("usage: load.py [--check]", file=sys.stderr)
        return 2
    try:
        with acting_as_admin():
            if not arguments:
                import_bundle()
            return report()
    except LakeError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
