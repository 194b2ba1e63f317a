"""The demo city over HTTP, on the loopback address: feeds, article pages, export files, platform interfaces, and a small control plane.

    python -m orchestration.demo_city.server --port 8900 [--seed 2024] [--scale 1.0] [--round 1]

The server is the standard library's: the demo needs conditional GET, keep-alive and a clean stop, all of which it has, and starts in
milliseconds without a dependency of its own. Belongs here: the HTTP protocol and the server's life. Not here: what is at which
path (pages.py).
"""

import argparse
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, cast

from lake_config.errors import LakeError, ServiceError
from orchestration.demo_city.apis import PREFIXES, CityApis, without_secrets
from orchestration.demo_city.city import ROUNDS, City
from orchestration.demo_city.faults import FaultSwitches, spoil
from orchestration.demo_city.generator import DEFAULT_SEED, generate
from orchestration.demo_city.pages import CityPages, Page, json_page, not_found

HOST = "127.0.0.1"
MAX_CONTROL_BODY_BYTES = 10_000


class _Listener(ThreadingHTTPServer):
    """Keeps its open connections, so that a stop can close idle keep-alive ones and wait for the rest."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, port: int, city_server: "DemoCityServer") -> None:
        self.city_server = city_server
        self.connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        self.connections.add(cast(socket.socket, request))
        super().process_request(request, client_address)  # type: ignore[arg-type]  # typeshed also allows datagram requests

    def shutdown_request(self, request: object) -> None:
        self.connections.discard(cast(socket.socket, request))
        super().shutdown_request(request)  # type: ignore[arg-type]  # as above

    def hang_up(self) -> None:
        """No further request is read from any connection; answers on their way are finished."""
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RD)
            except OSError:  # the other side was faster
                continue


class DemoCityServer:
    """A demo city being served. Use as a context manager, or start() and stop(). round: which releases are out (1 to 3)."""

    def __init__(self, city: City | None = None, *, port: int = 0, seed: int = DEFAULT_SEED, scale: float = 1.0, round_: int = 1) -> None:
        """Binds the port (0: any free one). Raises ServiceError where it is taken, BadInputError for a bad scale."""
        made = city or generate(seed, scale)
        try:
            self._listener = _Listener(port, self)
        except OSError as error:
            sentence = f"port {port} on {HOST} cannot be used for the demo city ({error.strerror}); free it or give another with --port"
            raise ServiceError(sentence) from error
        self._thread: threading.Thread | None = None
        self.pages = CityPages(made, self.base_url, round_)
        self.apis = CityApis(made, self.base_url)
        self.faults = FaultSwitches()

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._listener.server_address[1])

    @property
    def base_url(self) -> str:
        """http://127.0.0.1:port, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> Self:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}, name="demo-city")
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening, finish what is being answered, free the port."""
        if self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
            self._thread = None
        self._listener.hang_up()
        self._listener.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def city(self) -> City:
        """What is served."""
        return self.pages.city

    def set_round(self, round_: object) -> None:
        """Release up to a round. Raises ValueError unless it is 1, 2 or 3."""
        self.pages.set_round(round_)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "DemoCity"
    sys_version = ""
    timeout = 30
    disable_nagle_algorithm = True
    # One write per answer: headers and body in one segment wherever they fit.
    wbufsize = -1

    @property
    def pages(self) -> CityPages:
        return cast(_Listener, self.server).city_server.pages

    @property
    def city_server(self) -> DemoCityServer:
        return cast(_Listener, self.server).city_server

    def do_GET(self) -> None:
        if self.path.startswith(PREFIXES):
            self._answer_api()
            return
        page = self._control(self.path) or self.pages.page(self.path)
        fault = None if self.path.startswith("/_control") else self.city_server.faults.take(self.path)
        if fault is not None:
            page = spoil(page, fault)
        self._answer(page, is_unchanged=page.status == 200 and fault is None and self._is_unchanged(page))

    def _answer_api(self) -> None:
        """The platform interfaces: their own log, no conditions."""
        apis, round_ = self.city_server.apis, self.pages.round
        fault = self.city_server.faults.take(self.path)
        answer = apis.answer(self.path, dict(self.headers.items()), round_)
        page = Page(answer.body, "application/json; charset=UTF-8", len(answer.served), status=answer.status, headers=answer.headers)
        if fault is not None:
            page = spoil(page, fault)
        is_whole = fault is None or fault.kind in {"slow", "gzip", "wrong_type"}
        apis.record(self.path, page.status, answer, round_, is_whole=is_whole and page.status == 200)
        self._answer(page)

    def _control(self, path: str) -> Page | None:
        server = self.city_server
        if path == "/_control/apis":
            return json_page({"truth": server.apis.truth(self.pages.round), "calls": list(server.apis.log)})
        return None

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_CONTROL_BODY_BYTES:
            self.close_connection = True
            self._answer(json_page({"error": f"expected a Content-Length of at most {MAX_CONTROL_BODY_BYTES}"}, 400))
            return
        body = self.rfile.read(int(length))
        controls: dict[str, tuple[Callable[[object], object], str]] = {
            "/_control/round": (self._set_round, '{"round": 2}'),
            "/_control/faults": (self._set_faults, '{"faults": [{"path": "/sites/", "kind": "500"}]}'),
            "/_control/apis": (self.city_server.apis.configure, '{"daily_units": 100}'),
        }
        if self.path not in controls:
            self._answer(not_found())
            return
        control, example = controls[self.path]
        try:
            done = control(json.loads(body))
        except (ValueError, TypeError) as error:
            self._answer(json_page({"error": f"{error}; send {example}"}, 400))
            return
        self._answer(json_page(done))

    def _set_round(self, given: object) -> object:
        self.pages.set_round(given.get("round") if isinstance(given, dict) else given)
        return {"round": self.pages.round}

    def _set_faults(self, given: object) -> object:
        wanted = given.get("faults") if isinstance(given, dict) else given
        return {"faults": [asdict(fault) for fault in self.city_server.faults.set(wanted)]}

    def _is_unchanged(self, page: Page) -> bool:
        """RFC 9110, section 13.2.2: If-None-Match decides alone where it is given."""
        tags = self.headers.get("If-None-Match")
        if tags is not None:
            return tags.strip() == "*" or page.etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        since = self.headers.get("If-Modified-Since")
        if since is None or page.changed is None:
            return False
        try:
            moment = parsedate_to_datetime(since)
        except ValueError:
            return False
        return page.changed <= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))

    def _answer(self, page: Page, *, is_unchanged: bool = False) -> None:
        status = 304 if is_unchanged else page.status
        self.send_response(status)
        if page.status == 200:
            self.send_header("ETag", page.etag)
            self.send_header("Cache-Control", "no-cache")
        if page.changed is not None:
            self.send_header("Last-Modified", format_datetime(page.changed, usegmt=True))
        for name, value in page.headers.items():
            self.send_header(name, value)
        if not is_unchanged:
            self.send_header("Content-Type", page.media_type)
            self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if not is_unchanged and self.command != "HEAD":
            self._write_body(page)
        self.wfile.flush()
        if not self.path.startswith(("/_control", "/healthz")):
            items = 0 if is_unchanged else page.items
            self.pages.served.append(
                {"path": without_secrets(self.path), "status": status, "etag": page.etag, "items": items, "round": self.pages.round}
            )  # fmt: skip

    def _write_body(self, page: Page) -> None:
        """Whole and at once, unless a fault switch slows it or cuts it off."""
        if not page.pause_seconds and not page.is_cut:
            self.wfile.write(page.body)
            return
        half = len(page.body) // 2
        self.wfile.write(page.body[:half])
        self.wfile.flush()
        time.sleep(page.pause_seconds)
        if page.is_cut:
            self.close_connection = True
        else:
            self.wfile.write(page.body[half:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing to standard error: what was served is at /_control/served."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Returns 0, or 1 after an error, which it prints."""
    about = "Serve the demo city on the loopback address."
    parser = argparse.ArgumentParser(prog="python -m orchestration.demo_city.server", description=about)
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 for any free one")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is about 12,000 posts")
    parser.add_argument("--round", type=int, choices=ROUNDS, default=ROUNDS[0], dest="round_", help="releases that are out at the start")
    given = parser.parse_args(arguments)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        server = DemoCityServer(port=given.port, seed=given.seed, scale=given.scale, round_=given.round_)
    except LakeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with server:
        sys.stdout.write(f"demo city at {server.base_url} (seed {given.seed}, scale {given.scale}, round {given.round_})\n")
        sys.stdout.flush()
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
