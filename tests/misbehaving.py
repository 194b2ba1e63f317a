"""An HTTP server on the loopback address that does what hosts should not do, by path."""

import gzip
import socket
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

FEED = b"<rss version='2.0'><channel><item><guid>1</guid><title>Tin</title></item></channel></rss>"
ANSWERS: dict[str, dict[str, Any]] = {
    "404": {"code": 404},
    "500": {"code": 500},
    "503": {"code": 503},
    "410": {"code": 410},
    "busy": {"code": 429, "Retry-After": "120"},
    "robots.txt": {"code": 404},
    "moved": {"code": 301, "Location": "/good"},
    "downhill": {"code": 302, "Location": "ftp://127.0.0.1/good"},
    "cutzip": {"body": gzip.compress(FEED * 50)[:-20], "Content-Encoding": "gzip"},
    "zipped": {"body": gzip.compress(FEED), "Content-Encoding": "gzip"},
    "deflated": {"body": zlib.compress(FEED), "Content-Encoding": "deflate"},
    "raw-deflated": {"body": zlib.compress(FEED, wbits=-15), "Content-Encoding": "deflate"},
    "brotli": {"Content-Encoding": "br"},
    "cookie": {"Set-Cookie": "who=you"},
    "loop": {"code": 302, "Location": "/loop"},
    "elsewhere": {"code": 302, "Location": "/good"},
    "nowhere": {"code": 302, "Location": "http://["},
    "cut": {"length": len(FEED) + 50},
    "zip": {"body": b"no gzip at all", "Content-Encoding": "gzip"},
    "bomb": {"body": gzip.compress(b" " * 3_000_000), "Content-Encoding": "gzip"},
    "html": {"body": b"<html></html>"},
    "good": {},
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.strip("/")
        served = cast(MisbehavingServer, self.server)
        served.asked.append((self.path, dict(self.headers)))
        served.times.append(time.monotonic())
        if name == "silent":
            time.sleep(1.5)
            self.close_connection = True
        elif name == "drip":
            self._answer(body=b"", length=50)
            for _ in range(8):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.2)
            self.close_connection = True
        elif name == "garbage":
            self.wfile.write(b"\x00\xff not HTTP\r\n\r\n")
            self.close_connection = True
        elif name == "etag":  # one that no request may carry back
            self._answer(code=304 if self.headers.get("If-None-Match") else 200, ETag="\xe9t\xe9")
        else:
            self._answer(**served.answers[name.partition("?")[0]])

    def _answer(self, *, code: int = 200, body: bytes = FEED, length: int | None = None, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None

    def log_message(self, *_: object) -> None:
        return


class MisbehavingServer(ThreadingHTTPServer):
    """Threads of answers that nobody waits for any more end with the process."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.times: list[float] = []
        self.answers = dict(ANSWERS)
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """A client that hung up is what the tests are about."""


class LoopbackNames(AbstractResolver):
    """Names under .example lead to the loopback address, as for a host whose name server answers so; others are asked of the system."""

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        if not host.endswith(".example"):
            return await ThreadedResolver().resolve(host, port, socket.AddressFamily(family))
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held."""
