"""The secrets a lake makes for itself on first start: S3 keys, Superset's logins, the embedded store's signing keys.

Belongs here: making and reading generated secrets. Not here: keys given by the environment (lake_config.settings), the monthly author keys
(lake_config.settings.author_key_secret) and certificates (certificates.py).
"""

import fcntl
import json
import os
import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lake_config.errors import ConfigError
from lake_config.settings import IDENTITIES, Settings, write_private

ADMIN_USER = "admin"
"""Superset's first administrator."""
VIEWER_USER = "lanh_dao"
"""Superset's first reader: the city's leadership. superset_dashboards/roles.py knows both users by these names."""

_ALPHABET = string.ascii_letters + string.digits
_STORE_KEYS = ("jwt_signing", "jwt_signing_read", "jwt_filer_signing", "jwt_filer_signing_read")
_SUPERSET_NAMES = ("admin_user", "admin_password", "viewer_user", "viewer_password", "secret_key")


def _token(length: int) -> str:
    # Letters and digits only: these values travel through environment variables, URLs and INI files unescaped.
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _key_pair(identity: str) -> dict[str, str]:
    return {"key": f"{identity}-{_token(12)}", "secret": _token(40)}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}): restore it, or remove it to have new secrets made.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a JSON object: restore it, or remove it to have new secrets made.")
    return content


def _complete(path: Path, wanted: Mapping[str, Callable[[], object]]) -> dict[str, object]:
    """Add what is missing and never change what is there: a later version may need one more key."""
    content = _read(path)
    missing = {name: make() for name, make in wanted.items() if name not in content}
    if missing:
        content |= missing
        write_private(path, json.dumps(content, indent=2).encode())
    elif path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return content


def ensure_secrets(settings: Settings) -> None:
    """Make every secret that is missing in ``settings.secrets_dir`` (mode 700), each file with mode 600.

    Files: s3.json {identity: {key, secret}} (embedded store only: keys for an outside store come from the environment), store.json (signing
    keys of the embedded store), superset.json {admin_user, admin_password, viewer_user, viewer_password, secret_key}, passwords.txt for
    people. Calling it again, or from several processes at once, changes nothing that exists. Raises ConfigError when an existing file
    cannot be read.
    """
    folder = settings.secrets_dir
    with _locked(folder):
        if settings.is_store_embedded:
            _complete(folder / "s3.json", {name: partial(_key_pair, name) for name in IDENTITIES})
            _complete(folder / "store.json", dict.fromkeys(_STORE_KEYS, lambda: _token(48)))
        superset = _complete(
            folder / "superset.json",
            {
                "admin_user": lambda: ADMIN_USER,
                "admin_password": lambda: _token(20),
                "viewer_user": lambda: VIEWER_USER,
                "viewer_password": lambda: _token(20),
                "secret_key": lambda: _token(56),
            },
        )
        people = {"administrator": "admin", "leadership, who read the dashboards": "viewer"}
        blocks = (
            f"Superset, {title}\n  user:     {superset[f'{who}_user']}\n  password: {superset[f'{who}_password']}\n"
            for title, who in people.items()
        )
        logins = "\n".join(("Logins of this lake. Keep this file private.\n", *blocks)).encode()
        path = folder / "passwords.txt"
        if not path.is_file() or path.read_bytes() != logins:
            write_private(path, logins)


def _strings(path: Path, names: tuple[str, ...]) -> dict[str, str]:
    content = _read(path)
    absent = [name for name in names if not isinstance(content.get(name), str)]
    if absent:
        raise ConfigError(f"{path} lacks {', '.join(absent)}: start the services with './lake up', which makes what is missing.")
    return {name: str(content[name]) for name in names}


def store_signing_keys(settings: Settings) -> dict[str, str]:
    """The embedded store's four JWT signing keys by name. Raises ConfigError when :func:`ensure_secrets` has not run."""
    return _strings(settings.secrets_dir / "store.json", _STORE_KEYS)


def superset_secrets(settings: Settings) -> dict[str, str]:
    """Superset's users, their passwords and its secret_key, by their names in superset.json.

    Raises ConfigError when :func:`ensure_secrets` has not run.
    """
    return _strings(settings.secrets_dir / "superset.json", _SUPERSET_NAMES)
