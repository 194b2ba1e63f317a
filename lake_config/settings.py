"""Where this lake lives: its home folder, ports, S3 endpoint and the keys of its identities.

Belongs here: everything read from the environment, read once and frozen. Not here: clients (storage.py), what the lake holds.
"""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from lake_config.errors import ConfigError

LOCAL_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
"""The civil time zone of every event_date and event_hour."""

BUCKETS = ("landing", "bronze", "silver", "gold", "desk", "models", "evidence")

IDENTITIES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # identity -> what it may do -> in which buckets. `admin` makes buckets and is used at start-up only.
    "admin": {"Admin": BUCKETS},
    "collector": {"Read": ("landing", "bronze"), "List": ("landing", "bronze"), "Write": ("landing", "bronze")},
    "pipeline": {"Read": BUCKETS, "List": BUCKETS, "Write": tuple(b for b in BUCKETS if b != "evidence")},
    "bi": {"Read": ("gold",), "List": ("gold",)},
    "desk": {"Read": ("desk",), "List": ("desk",)},
    "auditor": {"Read": BUCKETS, "List": BUCKETS},
}
"""Least privilege by bucket. Verbs are those of the embedded store's identity file; README gives the same as MinIO policies."""

_PORT_OFFSETS = {
    "s3": 0, "filer": 1, "master": 2, "volume": 3, "admin": 4,
    "s3_grpc": 5, "filer_grpc": 6, "master_grpc": 7, "volume_grpc": 8, "admin_grpc": 9,
    "code_server": 10, "dagster": 11, "superset": 12, "demo_city": 13, "push": 14,
}  # fmt: skip
DEFAULT_PORT_BASE = 8300
FIRST_EVENT_DATE = date(2015, 1, 1)
"""Event days before this are absurd for public posts about the city; such a published_at falls back to fetched_at."""


@dataclass(frozen=True)
class Credentials:
    """An S3 access key and its secret. The secret never appears in a repr."""

    key: str
    secret: str

    def __repr__(self) -> str:
        """Show the key only."""
        return f"Credentials(key={self.key!r}, secret=...)"


@dataclass(frozen=True)
class Settings:
    """The frozen settings of one lake. Make it with :func:`load_settings`."""

    home: Path
    ports: Mapping[str, int]
    s3_endpoint: str
    s3_region: str
    is_store_embedded: bool
    source_groups: tuple[str, ...]
    demo_city_url: str
    demo_scale: float
    extra_registry: tuple[Path, ...]
    contact: str
    environment: Mapping[str, str] = field(repr=False)

    @property
    def secrets_dir(self) -> Path:
        """Folder of generated secrets, mode 700."""
        return self.home / "secrets"

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME of this lake's instance."""
        return self.home / "dagster"

    @property
    def log_dir(self) -> Path:
        """Folder of the services' logs."""
        return self.home / "logs"

    @property
    def local_registry(self) -> Path:
        """Folder of the sources that this lake's operator added, imported, switched on or off; it need not exist."""
        return self.home / "registry"

    @property
    def registry_folders(self) -> tuple[Path, ...]:
        """The folders that extend the built-in registry: those of LAKE_REGISTRY, and the local one once it holds a file."""
        held = any(path.suffix in {".yaml", ".yml", ".csv"} for path in self.local_registry.glob("[!.]*"))
        return (*self.extra_registry, self.local_registry) if held else self.extra_registry

    def credentials(self, identity: str) -> Credentials:
        """Keys of an identity: LAKE_S3_<IDENTITY>_KEY/_SECRET, else LAKE_S3_KEY/_SECRET, else the generated file.

        Raises ConfigError when there are none or the identity is unknown.
        """
        if identity not in IDENTITIES:
            raise ConfigError(f"Unknown identity {identity!r}; known: {', '.join(IDENTITIES)}.")
        for prefix in (f"LAKE_S3_{identity.upper()}", "LAKE_S3"):
            key, secret = self.environment.get(f"{prefix}_KEY"), self.environment.get(f"{prefix}_SECRET")
            if key and secret:
                return Credentials(key, secret)
            if key or secret:
                raise ConfigError(f"{prefix}_KEY and {prefix}_SECRET must be set together.")
        path = self.secrets_dir / "s3.json"
        if not path.is_file():
            raise ConfigError(
                f"No keys for the S3 identity {identity!r}: set LAKE_S3_{identity.upper()}_KEY and LAKE_S3_{identity.upper()}_SECRET"
                f" (or LAKE_S3_KEY and LAKE_S3_SECRET), or start the embedded store once with './lake up', which makes {path}."
            )
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))[identity]
            return Credentials(entry["key"], entry["secret"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} holds no keys for the identity {identity!r}: restore it from a backup.") from error


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    raw = environment.get(name, str(default))
    if not re.fullmatch("[0-9]{1,5}", raw) or not 1 <= int(raw) <= 65535:
        raise ConfigError(f"{name}={raw!r} is not a port number from 1 to 65535.")
    return int(raw)


def _check_address(name: str, value: str) -> None:
    if value and not re.fullmatch(r"https?://[^\s/]+(?:/\S*)?", value):
        raise ConfigError(f"{name}={value!r} must start with http:// or https:// and name a host.")


def _scale(environment: Mapping[str, str]) -> float:
    raw = environment.get("LAKE_DEMO_SCALE", "1")
    try:
        value = float(raw)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 100:
        raise ConfigError(f"LAKE_DEMO_SCALE={raw!r} is not a number from 0.05 to 100 (1 is about 12,000 posts).")
    return value


def _contact(environment: Mapping[str, str]) -> str:
    value = environment.get("LAKE_CONTACT", "").strip()
    if not re.fullmatch(r"[!-'*-~]{0,200}", value):
        raise ConfigError(
            f"LAKE_CONTACT={value!r} must be a web or e-mail address of at most 200 ASCII characters without spaces or brackets."
        )
    return value


def demo_marker(home: Path) -> Path:
    """The file that says that a lake holds the demo city, and how much of it is released (written by './lake demo')."""
    return home / "demo.json"


def _default_groups(home: Path) -> str:
    # Invented posts never come into a lake unasked.
    return "demo,upload" if demo_marker(home).is_file() else "upload"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (os.environ by default).

    LAKE_HOME (default .lake), LAKE_PORT_BASE (15 consecutive ports, default 8300), LAKE_S3_PORT, LAKE_DAGSTER_PORT, LAKE_SUPERSET_PORT,
    LAKE_DEMO_CITY_PORT, LAKE_PUSH_PORT, LAKE_S3_ENDPOINT (an outside store such as http://minio:9000), LAKE_S3_REGION, LAKE_SOURCES
    (groups of sources to poll, comma-separated; default upload, and demo in a lake of the demo city), LAKE_DEMO_CITY_URL, LAKE_DEMO_SCALE
    (size of the demo city, 1 is about 12,000 posts), LAKE_REGISTRY (folders with further registry files, separated by ':'), LAKE_CONTACT
    (address or page that the User-Agent names to those whose sites are read). The platform connectors read LAKE_GRAPH_TOKEN,
    LAKE_GRAPH_VERSION, LAKE_YOUTUBE_KEY and LAKE_YOUTUBE_DAILY_UNITS from `environment` when they run.
    Raises ConfigError naming the variable that is wrong.
    """
    env = dict(os.environ if environment is None else environment)
    home = Path(env.get("LAKE_HOME") or ".lake").expanduser().resolve()
    base = _port(env, "LAKE_PORT_BASE", DEFAULT_PORT_BASE)
    if base + max(_PORT_OFFSETS.values()) > 65535:
        raise ConfigError(f"LAKE_PORT_BASE={base} leaves no room for {len(_PORT_OFFSETS)} consecutive ports below 65536.")
    ports = {name: base + offset for name, offset in _PORT_OFFSETS.items()}
    for name in ("s3", "dagster", "superset", "demo_city", "push"):
        ports[name] = _port(env, f"LAKE_{name.upper()}_PORT", ports[name])
    endpoint = env.get("LAKE_S3_ENDPOINT", "").rstrip("/")
    _check_address("LAKE_S3_ENDPOINT", endpoint)
    demo_city = env.get("LAKE_DEMO_CITY_URL", "").rstrip("/")
    _check_address("LAKE_DEMO_CITY_URL", demo_city)
    extra = tuple(Path(part) for part in env.get("LAKE_REGISTRY", "").split(":") if part)
    for folder in extra:
        if not folder.is_dir():
            raise ConfigError(f"LAKE_REGISTRY names {folder}, which is not a folder.")
    return Settings(
        home=home,
        ports=ports,
        s3_endpoint=endpoint or f"http://127.0.0.1:{ports['s3']}",
        s3_region=env.get("LAKE_S3_REGION") or "us-east-1",
        is_store_embedded=not endpoint,
        source_groups=tuple(part.strip() for part in env.get("LAKE_SOURCES", _default_groups(home)).split(",") if part.strip()),
        demo_city_url=demo_city or f"http://127.0.0.1:{ports['demo_city']}",
        demo_scale=_scale(env),
        extra_registry=extra,
        contact=_contact(env),
        environment={k: v for k, v in env.items() if k.startswith("LAKE_")},
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read (mode 600, its folder 700), atomically."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def author_key_secret(settings: Settings, period: str) -> bytes:
    """The HMAC key for author names of one calendar month (``period`` = 'YYYY-MM'), made on first need, 32 bytes.

    One random key a month lets an old month be forgotten for good by deleting its file. On several machines the folder
    LAKE_HOME/secrets/author is shared between the workers.
    """
    path = settings.secrets_dir / "author" / f"{period}.key"
    if not path.is_file():
        for folder in (settings.secrets_dir, path.parent):  # each by itself: the mode holds for the last folder made only
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{period}.{secrets.token_hex(4)}")
        write_private(fresh, secrets.token_bytes(32))
        try:
            os.link(fresh, path)  # fails when another worker was first: its key is the key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()
