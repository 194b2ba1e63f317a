"""The embedded store as other programs see it: rights, addresses, the probe."""

import io
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
import pytest
from minio import Minio
from minio.error import S3Error

from lake_config.errors import StoreError
from lake_config.settings import BUCKETS, Settings, load_settings
from orchestration.services.embedded_store import run_dir, store_ports, weed_binary
from orchestration.services.store import ensure_buckets, probe_store, store_client
from orchestration.services.supervisor import status

pytestmark = pytest.mark.store


def _put(client: Minio, bucket: str, key: str, content: bytes = b"x") -> None:
    client.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(content), length=len(content))


def _get(client: Minio, bucket: str, key: str) -> bytes:
    response = client.get_object(bucket_name=bucket, object_name=key)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def _denied(action: object, *arguments: object) -> bool:
    try:
        action(*arguments)  # type: ignore[operator]
    except S3Error as error:
        return error.code == "AccessDenied"
    return False


@pytest.fixture(scope="module")
def seeded(lake_settings: Settings) -> Settings:
    admin = store_client(lake_settings, "admin")
    for bucket in BUCKETS:
        _put(admin, bucket, "rights/seed", bucket.encode())
    return lake_settings


def test_the_probe_passes_leaves_nothing_and_buckets_are_made_once(lake_settings: Settings) -> None:
    probe_store(lake_settings)
    assert ensure_buckets(lake_settings) == []
    client = store_client(lake_settings, "admin")
    assert sorted(bucket.name for bucket in client.list_buckets()) == sorted(BUCKETS)
    assert list(client.list_objects(bucket_name="landing", prefix=".probe/", recursive=True)) == []


@pytest.mark.parametrize(
    ("identity", "reads", "writes"),
    [
        ("collector", {"landing", "bronze"}, {"landing", "bronze"}),
        ("pipeline", set(BUCKETS), set(BUCKETS) - {"evidence"}),
        ("bi", {"gold"}, set()),
        ("desk", {"desk"}, set()),
        ("auditor", set(BUCKETS), set()),
    ],
)
def test_an_identity_can_do_what_it_must_and_nothing_else(seeded: Settings, identity: str, reads: set[str], writes: set[str]) -> None:
    client, admin = store_client(seeded, identity), store_client(seeded, "admin")
    for bucket in BUCKETS:
        if bucket in reads:
            assert _get(client, bucket, "rights/seed") == bucket.encode()
            assert [entry.object_name for entry in client.list_objects(bucket_name=bucket, prefix="rights/seed")] == ["rights/seed"]
        else:
            assert _denied(_get, client, bucket, "rights/seed"), f"{identity} reads {bucket}"
            assert _denied(lambda name=bucket: list(client.list_objects(bucket_name=name))), f"{identity} lists {bucket}"
        if bucket in writes:
            _put(client, bucket, f"rights/{identity}")
            client.remove_object(bucket_name=bucket, object_name=f"rights/{identity}")
        else:
            assert _denied(_put, client, bucket, "rights/seed", b"changed"), f"{identity} writes {bucket}"
            assert _denied(lambda name=bucket: client.remove_object(bucket_name=name, object_name="rights/seed")), (
                f"{identity} deletes in {bucket}"
            )
            assert _get(admin, bucket, "rights/seed") == bucket.encode()
    assert _denied(lambda: client.make_bucket(bucket_name=f"made-by-{identity}"))
    assert _denied(lambda: client.remove_bucket(bucket_name="gold"))


def test_a_bucket_with_objects_cannot_be_removed_even_by_admin(seeded: Settings) -> None:
    with pytest.raises(S3Error, match="not empty"):
        store_client(seeded, "admin").remove_bucket(bucket_name="gold")


def test_without_keys_nothing_is_served_on_any_port(seeded: Settings) -> None:
    ports = store_ports(seeded)
    assert httpx.get(f"{seeded.s3_endpoint}/gold/rights/seed", trust_env=False).status_code == 403
    assert httpx.get(f"{seeded.s3_endpoint}/", trust_env=False).status_code == 403
    for port in ("filer", "master", "volume", "admin"):
        for path in (
            "/buckets/gold/rights/seed",
            "/buckets/",
            "/buckets/gold/?pretty=y",
            "/dir/assign",
            "/dir/status",
            "/col/delete?collection=gold",
        ):
            answer = httpx.get(f"http://127.0.0.1:{ports[port]}{path}", trust_env=False)
            assert answer.status_code in {401, 404}, (port, path, answer.status_code)
        # The master keeps a page with its own address and free space: no bucket and no object may be on it.
        home = httpx.get(f"http://127.0.0.1:{ports[port]}/", trust_env=False).text
        assert not any(name in home for name in ("rights", "gold", "landing"))
    put = httpx.put(f"http://127.0.0.1:{ports['filer']}/buckets/gold/planted", content=b"x", trust_env=False)
    assert put.status_code in {401, 403, 404, 405}


def test_the_inner_ports_are_closed_to_a_program_without_the_certificate(seeded: Settings, tmp_path: Path) -> None:
    ports = store_ports(seeded)
    addresses = [f"-{part}=127.0.0.1:{ports[part]}.{ports[f'{part}_grpc']}" for part in ("master", "filer")]
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [str(weed_binary()), "shell", *addresses],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=tmp_path,
        text=True,
    ) as shell:
        try:
            output, _ = shell.communicate("fs.ls /buckets\nfs.ls /buckets/gold/rights\n", timeout=6)
        except subprocess.TimeoutExpired:
            shell.kill()
            output, _ = shell.communicate()
    assert "gold" not in output
    assert "seed" not in output


def test_only_loopback_is_listened_on_and_only_the_declared_ports(lake_settings: Settings) -> None:
    pid = next(entry.pid for entry in status(lake_settings) if entry.name == "store")
    listening = [c.laddr for c in psutil.Process(pid).net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert {address.port for address in listening} == set(store_ports(lake_settings).values())


def test_no_secret_on_a_command_line_and_every_generated_file_is_private(lake_settings: Settings) -> None:
    secrets = [lake_settings.credentials(identity).secret for identity in ("admin", "pipeline", "bi")]
    for entry in status(lake_settings):
        if entry.pid:
            line = " ".join(psutil.Process(entry.pid).cmdline())
            assert not any(secret in line for secret in secrets)
    for folder in (lake_settings.secrets_dir, run_dir(lake_settings)):
        assert folder.stat().st_mode & 0o077 == 0
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))
    logs = "".join(path.read_text(errors="replace") for path in lake_settings.log_dir.iterdir())
    assert not any(secret in logs for secret in secrets)


class _FaultyStore(BaseHTTPRequestHandler):
    """A store that takes every put, whatever the condition: the one thing the lake must not write to."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self.server.put_status)  # type: ignore[attr-defined]

    def do_DELETE(self) -> None:
        self._answer(204)

    def _answer(self, code: int) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def _faulty(put_status: int) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _FaultyStore)
    server.put_status = put_status  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _outside(home: Path, endpoint: str, **more: str) -> Settings:
    return load_settings({"LAKE_HOME": str(home), "LAKE_S3_ENDPOINT": endpoint, "LAKE_S3_KEY": "k", "LAKE_S3_SECRET": "s" * 12, **more})


@pytest.mark.parametrize(
    ("put_status", "sentence"), [(200, "refuses to write there"), (403, "its keys"), (404, "no bucket landing"), (501, "501")]
)
def test_a_store_without_conditional_puts_is_refused(tmp_path: Path, put_status: int, sentence: str) -> None:
    with _faulty(put_status) as endpoint, pytest.raises(StoreError, match=sentence):
        probe_store(_outside(tmp_path, endpoint))


def test_an_unreachable_store_is_named(tmp_path: Path) -> None:
    settings = _outside(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(StoreError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        probe_store(settings)
    with pytest.raises(StoreError, match="cannot be reached"):
        ensure_buckets(settings)


def test_an_outside_store_needs_no_admin_keys_when_its_buckets_exist(lake_settings: Settings, tmp_path: Path) -> None:
    def environment(identity: str) -> dict[str, str]:
        keys = lake_settings.credentials(identity)
        return {f"LAKE_S3_{identity.upper()}_KEY": keys.key, f"LAKE_S3_{identity.upper()}_SECRET": keys.secret}

    base = {"LAKE_HOME": str(tmp_path), "LAKE_S3_ENDPOINT": lake_settings.s3_endpoint}
    settings = load_settings({**base, **environment("pipeline"), **environment("collector")})
    assert ensure_buckets(settings) == []
    probe_store(settings)
    wrong = load_settings({**base, "LAKE_S3_KEY": "nobody", "LAKE_S3_SECRET": "wrong-wrong-wrong"})
    with pytest.raises(StoreError, match="refuse"):
        ensure_buckets(wrong)
    with pytest.raises(StoreError, match="refused a put by the identity collector"):
        probe_store(wrong)
