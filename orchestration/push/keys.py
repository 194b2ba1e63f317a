"""The keys of data providers: made once, shown once, and kept as SHA-256 digests only.

A key is 256 random bits, so that a plain digest of it cannot be searched. The digests of a lake lie in LAKE_HOME/secrets/push_keys.json
(mode 600); LAKE_PUSH_KEY_<SOURCE> in the environment gives one more, for deployments without that file.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from lake_config.errors import ConfigError
from lake_config.settings import Settings, write_private

VARIABLE = "LAKE_PUSH_KEY_"
_PREFIX = "lake-push-"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""Compared with where a source has no key, so that the answer takes as long."""


def _path(settings: Settings) -> Path:
    return settings.secrets_dir / "push_keys.json"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def variable(source_id: str) -> str:
    """The environment variable that gives a source's digest: LAKE_PUSH_KEY_ and its id in capitals, all else as underscores."""
    return VARIABLE + re.sub(r"[^A-Z0-9]", "_", source_id.upper())


def _on_file(settings: Settings) -> dict[str, list[str]]:
    path = _path(settings)
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(source): [str(digest) for digest in digests] for source, digests in content.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"{path} does not hold keys of providers: restore it, or remove it and make new keys.") from error


def make_key(settings: Settings, source_id: str, *, keeps_old: bool = False) -> str:
    """A new key for a source, returned this once. It replaces the earlier ones, or with `keeps_old` is valid beside the newest of them."""
    key = _PREFIX + secrets.token_urlsafe(32)
    held = _on_file(settings)
    held[source_id] = [*(held.get(source_id, [])[-1:] if keeps_old else []), _digest(key)]
    write_private(_path(settings), json.dumps(held, indent=2).encode())
    return key


def revoke_keys(settings: Settings, source_id: str) -> int:
    """Forget the keys of a source that are on file; returns how many there were."""
    held = _on_file(settings)
    gone = held.pop(source_id, [])
    if gone:
        write_private(_path(settings), json.dumps(held, indent=2).encode())
    return len(gone)


def has_keys(settings: Settings) -> bool:
    """Whether any provider has a key, so that there is something to listen for."""
    return any(name.startswith(VARIABLE) for name in settings.environment) or any(_on_file(settings).values())


def check_variables(settings: Settings) -> None:
    """Raises ConfigError when a variable holds something else than a digest, such as a key itself; what it holds is not repeated."""
    for name, value in settings.environment.items():
        if name.startswith(VARIABLE) and not _DIGEST.fullmatch(value.strip().lower()):
            raise ConfigError(f"{name} must be the SHA-256 of a provider's key, 64 hexadecimal digits, and not the key itself.")


class KeyRing:
    """The keys as a server sees them: the file is read again when it changes, so that a key made or revoked holds at once."""

    def __init__(self, settings: Settings):
        check_variables(settings)
        self._settings = settings
        self._stamp: tuple[int, int] | None = None
        self._held: Mapping[str, list[str]] = {}

    def _digests(self, source_id: str) -> list[str]:
        path = _path(self._settings)
        stamp = (path.stat().st_mtime_ns, path.stat().st_ino) if path.is_file() else None
        if stamp != self._stamp:
            self._held, self._stamp = _on_file(self._settings), stamp
        given = self._settings.environment.get(variable(source_id), "").strip().lower()
        return [*self._held.get(source_id, []), *([given] if given else [])]

    def is_right(self, source_id: str, key: str) -> bool:
        """Whether a key is one of that source's. Takes as long for a wrong one and for a source without keys as for a right one."""
        shown = _digest(key)
        right = [hmac.compare_digest(shown, digest) for digest in self._digests(source_id) or [_NOBODY]]
        return any(right)
