"""The push server as a process of its own, and a provider's client of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from lake_config.settings import Settings
from orchestration.commands.bench_push import SOURCE
from orchestration.push.keys import make_key
from orchestration.services.dagster_home import REPOSITORY
from orchestration.services.programs import lake_environment

HTTP = httpx.Client(timeout=60, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
"""One for all: making a client costs more than a request. Nothing is kept alive, for servers are killed."""


@dataclass
class Server:
    """A push server's process and how to talk to it."""

    process: subprocess.Popen[bytes]
    url: str
    key: str
    output: Path

    def push(self, body: bytes, batch_id: str | None = "b-1", source: str = SOURCE, **headers: str) -> httpx.Response:
        given = {"authorization": f"Bearer {self.key}", "content-type": "application/x-ndjson"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if batch_id is not None:
            given["lake-batch-id"] = batch_id
        return HTTP.post(f"{self.url}/v1/push/{source}", content=body, headers=given)

    def until_taken(self, body: bytes, batch_id: str) -> int:
        """Push as a provider should: again, with the same id, until it is acknowledged. Returns how often it was sent."""
        for sent in range(1, 500):
            try:
                answer = self.push(body, batch_id)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code == 200:
                return sent
            assert answer.status_code in {429, 503}, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            time.sleep(0.2)
        raise AssertionError(f"{batch_id} was never taken")


def start(settings: Settings, port: int, output: Path, *options: str) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ["PATH"], **lake_environment(settings), "PYTHONPATH": str(REPOSITORY)}
    argv = [sys.executable, "-m", "orchestration.push.server", "--port", str(port), *options]
    with output.open("ab") as out:
        return subprocess.Popen(argv, env=environment, stdout=out, stderr=out)


def until_ready(url: str) -> None:
    for _ in range(300):
        try:
            if HTTP.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the push server did not start")


@contextmanager
def serving(settings: Settings, tmp_path: Path, *options: str, port: str = "push") -> Iterator[Server]:
    output = tmp_path / f"{port}.log"
    process = start(settings, settings.ports[port], output, *options)
    server = Server(process, f"http://127.0.0.1:{settings.ports[port]}", make_key(settings, SOURCE), output)
    try:
        until_ready(server.url)
        yield server
    finally:
        server.process.terminate()
        server.process.wait(30)
