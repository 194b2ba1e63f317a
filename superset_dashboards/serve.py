"""Start Superset: prepare its metadata once for each version of bundle and settings, build the catalog, become gunicorn.

Belongs here: the order of starting. Not here: how each step is done. Run by path or as a module, in Superset's environment, with the
variables that environment.py names and SUPERSET_ADMIN_PASSWORD, LAKE_SUPERSET_PORT; SUPERSET_VIEWER_PASSWORD adds the leadership's user.
Passwords are never arguments.
"""

import hashlib
import hmac
import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
if not __package__:
    sys.path[0] = str(FOLDER.parent)  # run by path: the folder itself would hide other modules

from lake_config.errors import ConfigError, LakeError, StoreError
from superset_dashboards.bundle_source.city_dashboard import SLUG
from superset_dashboards.catalog import build_catalog
from superset_dashboards.environment import gold_access, required, secret_key, superset_home
from superset_dashboards.load import CONFIG, create_superset_app, differences, import_bundle
from superset_dashboards.roles import ADMIN_ROLE, ADMIN_USER, VIEWER_ROLE, VIEWER_USER, sync_user, sync_viewer_role

STORE_WAIT_SECONDS = 30.0
_PREPARED_BY = ("bundle/**/*.yaml", "*.py", "translations_vi.json")


def preparation_digest() -> str:
    """What the preparation depends on: Superset's version, our files, and the passwords (keyed: the digest does not reveal them)."""
    digest = hmac.new(secret_key().encode(), importlib.metadata.version("apache-superset").encode(), hashlib.sha256)
    for pattern in _PREPARED_BY:
        for path in sorted(FOLDER.glob(pattern)):
            digest.update(str(path.relative_to(FOLDER)).encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(f"{required('SUPERSET_ADMIN_PASSWORD')}\0{os.environ.get('SUPERSET_VIEWER_PASSWORD', '')}".encode())
    return digest.hexdigest()


def prepare_metadata() -> None:
    """Migrate, sync permissions, load the bundle, put users right: one process, because each start of Superset imports for seconds.

    Raises LakeError when a step fails or when Superset does not hold what the files say.
    """
    app = create_superset_app()
    import flask_migrate
    from superset import appbuilder, db, security_manager
    from superset.utils.core import override_user

    with app.app_context():
        flask_migrate.upgrade(directory=str(Path(sys.modules["superset"].__path__[0]) / "migrations"))
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        db.session.commit()
        sync_user(ADMIN_USER, ADMIN_ROLE, "Quản trị", required("SUPERSET_ADMIN_PASSWORD"))
        with override_user(security_manager.find_user(username=ADMIN_USER)):
            import_bundle()
            different = differences()
        if different:
            raise ConfigError("Superset does not hold the bundle as the files say it:\n" + "\n".join(different[:40]))
        sync_viewer_role((SLUG,))
        if password := os.environ.get("SUPERSET_VIEWER_PASSWORD"):
            sync_user(VIEWER_USER, VIEWER_ROLE, "Lãnh đạo", password)


def ensure_prepared() -> bool:
    """Prepare unless it was done with the same digest; say whether it had to be done."""
    stamp = superset_home() / "prepared.json"
    digest = preparation_digest()
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")).get("digest") == digest:
        return False
    prepare_metadata()
    fresh = stamp.with_suffix(".new")
    fresh.write_text(json.dumps({"digest": digest}), encoding="utf-8")
    fresh.replace(stamp)
    return True


def wait_for_catalog() -> list[str]:
    """Build the catalog, giving the store half a minute to answer. Returns the gold tables that do not exist yet; raises StoreError."""
    deadline = time.monotonic() + STORE_WAIT_SECONDS
    while True:
        try:
            return build_catalog(gold_access())
        except StoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def gunicorn_arguments(port: str) -> list[str]:
    """The server: two processes of eight threads on loopback, the application imported once before they part."""
    return [
        sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "2", "--threads", "8",
        "--preload", "--timeout", "120", "--graceful-timeout", "8", "--keep-alive", "30", "--log-level", "warning",
        "superset.app:create_app()",
    ]  # fmt: skip


def main() -> int:
    """Prepare and become the server; returns only on failure."""
    began = time.monotonic()
    os.umask(0o077)
    try:
        port = required("LAKE_SUPERSET_PORT")
        if not port.isdigit():
            raise ConfigError(f"LAKE_SUPERSET_PORT={port!r} is not a port number.")
        superset_home().mkdir(parents=True, exist_ok=True, mode=0o700)
        pending = wait_for_catalog()
        was_prepared_now = ensure_prepared()
    except LakeError as error:
        print(error, file=sys.stderr)
        return 1
    spent = time.monotonic() - began
    state = "prepared" if was_prepared_now else "was prepared"
    print(f"Superset {state} ({spent:.0f} s); gold tables not there yet: {', '.join(pending) or 'none'}.", flush=True)
    environment = {name: value for name, value in os.environ.items() if name not in ("SUPERSET_ADMIN_PASSWORD", "SUPERSET_VIEWER_PASSWORD")}
    environment |= {"SUPERSET_CONFIG_PATH": str(CONFIG), "PYTHONPATH": str(FOLDER.parent)}
    arguments = gunicorn_arguments(port)
    # Replaces this process, so that the supervisor's signals reach gunicorn.
    os.execve(arguments[0], arguments, environment)  # noqa: S606  our own interpreter
    return 1  # not reached


if __name__ == "__main__":
    sys.exit(main())
