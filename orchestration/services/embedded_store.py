"""The embedded object store: SeaweedFS' ``weed mini`` on loopback, hardened; its command line, environment and files.

Belongs here: everything particular to the embedded server. Not here: what is asked of any S3 endpoint (store.py), processes
(supervisor.py).
"""

import json
import subprocess
import sys
from pathlib import Path

from lake_config.errors import ConfigError, ServiceError
from lake_config.settings import IDENTITIES, Settings, write_private
from orchestration.services.certificates import ensure_certificates
from orchestration.services.secrets import store_signing_keys

STORE_PORTS = ("s3", "filer", "master", "volume", "admin", "s3_grpc", "filer_grpc", "master_grpc", "volume_grpc", "admin_grpc")
_ADMIN_GRPC_OFFSET = 10_000
_VOLUME_SIZE_MB = 1024
_MAX_VOLUMES = 1000
_SHELL_SECONDS = 30
_TLS_COMPONENTS = ("MASTER", "VOLUME", "FILER", "S3", "ADMIN", "WORKER", "CLIENT")


def weed_binary() -> Path:
    """The ``weed`` program inside this environment. Raises ServiceError when the environment lacks it."""
    path = Path(sys.executable).parent / "weed"
    if not path.is_file():
        raise ServiceError(f"The object store's program {path} is missing: this environment is incomplete, run 'uv sync --locked' again.")
    return path


def store_ports(settings: Settings) -> dict[str, int]:
    """The ports the embedded store listens on, by name (see STORE_PORTS)."""
    ports = {name: settings.ports[name] for name in STORE_PORTS}
    # weed 4.48 starts a worker that dials the admin port + 10000 whatever -admin.port.grpc says, and fills the log with refusals.
    if ports["admin"] + _ADMIN_GRPC_OFFSET <= 65535:
        ports["admin_grpc"] = ports["admin"] + _ADMIN_GRPC_OFFSET
    return ports


def store_dir(settings: Settings) -> Path:
    """Where the embedded store keeps its data."""
    return settings.home / "store"


def run_dir(settings: Settings) -> Path:
    """LAKE_HOME/run, mode 700: generated files that hold or name secrets, sockets and pids."""
    path = settings.home / "run"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


def identities_document(settings: Settings) -> dict[str, object]:
    """The store's identity file, from IDENTITIES and the keys in the settings.

    Raises ConfigError when two identities share an access key: the store could not tell them apart and least privilege would be lost.
    """
    owners: dict[str, str] = {}
    entries = []
    for name, rights in IDENTITIES.items():
        keys = settings.credentials(name)
        if keys.key in owners:
            raise ConfigError(
                f"The identities {owners[keys.key]} and {name} have the same access key; the embedded store needs one key for each:"
                " unset LAKE_S3_KEY and LAKE_S3_SECRET, or set LAKE_S3_<IDENTITY>_KEY and _SECRET for each identity."
            )
        owners[keys.key] = name
        # Making a bucket is a right over the whole store, so `Admin` carries no bucket name.
        actions = [verb if verb == "Admin" else f"{verb}:{bucket}" for verb, buckets in rights.items() for bucket in buckets]
        entries.append(
            {"name": name, "credentials": [{"accessKey": keys.key, "secretKey": keys.secret}], "actions": list(dict.fromkeys(actions))}
        )
    return {"identities": entries}


def prepare_store(settings: Settings) -> None:
    """Write the files the store reads: identities.json (mode 600), certificates, its data folder (mode 700). Safe to repeat."""
    data = store_dir(settings)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The store saves its flags here and would bring back those of an earlier version that we no longer give.
    (data / "mini.options").unlink(missing_ok=True)
    ensure_certificates(settings)
    write_private(run_dir(settings) / "identities.json", json.dumps(identities_document(settings), indent=2).encode())


def store_command(settings: Settings) -> list[str]:
    """The command line of the store. Holds no secret: those are in the environment and in files with mode 600."""
    ports, run = store_ports(settings), run_dir(settings)
    flags: dict[str, str | int] = {
        "dir": str(store_dir(settings)),
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "disableHttp": "true",  # the filer's HTTP port would serve every bucket without keys
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",
        "s3.config": str(run / "identities.json"),
        "s3.iam": "false",  # identities come from the file alone
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.autoCreateBucket": "false",
        "s3.allowDeleteBucketNotEmpty": "false",
        "s3.allowedOrigins": "http://127.0.0.1",  # browsers have no business here
        "filer.allowedOrigins": "http://127.0.0.1",
        "filer.exposeDirectoryData": "false",
        "filer.disableDirListing": "true",
        "filer.ui.deleteDir": "false",
        # Unix sockets under the default /tmp could be taken by another user first; the names here are relative to the run folder.
        "filer.localSocket": "filer.sock",
        "s3.localSocket": "s3.sock",
        # Volumes are files that grow, nothing is preallocated; the count is a cap (1 TB), so that a nearly full laptop disk still starts.
        "master.volumeSizeLimitMB": _VOLUME_SIZE_MB,
        "volume.max": _MAX_VOLUMES,
    }
    for name, port in ports.items():
        part, _, is_grpc = name.partition("_")
        flags[f"{part}.port.grpc" if is_grpc else f"{part}.port"] = port
    return [str(weed_binary()), "mini", *(f"-{name}={value}" for name, value in flags.items())]


def store_environment(settings: Settings) -> dict[str, str]:
    """The store's secrets as environment variables: JWT keys for its inner HTTP, certificates for its inner gRPC."""
    tls = settings.secrets_dir / "store-tls"
    keys = {f"WEED_{name.upper()}_KEY": value for name, value in store_signing_keys(settings).items()}
    files = {"CERT": "node.crt", "KEY": "node.key"}
    certificates = {f"WEED_GRPC_{part}_{kind}": str(tls / file) for part in _TLS_COMPONENTS for kind, file in files.items()}
    return {**keys, **certificates, "WEED_GRPC_CA": str(tls / "ca.crt")}


def ensure_fsync(settings: Settings) -> None:
    """Tell the running store to fsync every object before it answers (a filer setting, kept by the store; asked once).

    Raises ServiceError when the store's shell refuses.
    """
    marker = store_dir(settings) / ".fsync"
    if marker.is_file():
        return
    ports = store_ports(settings)
    script = "fs.configure -locationPrefix=/buckets/ -fsync=true -apply\nfs.configure\n"
    command = [
        str(weed_binary()),
        "shell",
        f"-master=127.0.0.1:{ports['master']}.{ports['master_grpc']}",
        f"-filer=127.0.0.1:{ports['filer']}.{ports['filer_grpc']}",
    ]
    try:
        result = subprocess.run(
            command,
            input=script,
            env={"HOME": str(run_dir(settings)), **store_environment(settings)},
            cwd=run_dir(settings),
            capture_output=True,
            text=True,
            timeout=_SHELL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServiceError(
            f"The object store's shell did not answer within {_SHELL_SECONDS} s; look at {settings.log_dir / 'store.log'}."
        ) from error
    if '"fsync":  true' not in result.stdout:
        raise ServiceError(
            f"The object store refused to turn fsync on (exit {result.returncode}); look at {settings.log_dir / 'store.log'}."
        )
    marker.touch(mode=0o600)
