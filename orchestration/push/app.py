"""The push endpoint as HTTP: who may, what is wrong with a request, what is answered. One address: POST /v1/push/<source id>.

Belongs here: headers, statuses, JSON. Not here: keys (keys.py), waiting (waiting.py), reading batches (assets/bronze/push_batch.py).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assets.bronze.provider_push import Receipt
from assets.bronze.push_batch import ENCODINGS, MAX_BODY_BYTES, PushedBatch, PushError, check_batch_id, read_batch, unpack_body
from lake_config.registry import Source
from orchestration.push.keys import KeyRing
from orchestration.push.waiting import ANSWER_SECONDS, Answer, Lease, PushQueue, not_stored, retry_after

MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_BODY_SECONDS = 30.0
_READERS = 2
"""Bodies that are unpacked and cut at the same time; each may hold a whole batch beside the bound on waiting ones."""


def refusal(error: PushError, retry_seconds: int = 1) -> JSONResponse:
    """The answer to a batch that is not taken."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    seconds = retry_after(error, retry_seconds)
    if seconds is not None:
        headers["Retry-After"] = str(seconds)
    return JSONResponse(error.as_dict(), error.status, headers)


def acknowledgement(receipt: Receipt) -> JSONResponse:
    """The answer to a batch that lies in bronze."""
    batch = receipt.batch
    return JSONResponse(
        {
            "batch_id": batch.batch_id,
            "lines": receipt.row_count,
            "repeated": receipt.is_repeated,
            "bad_lines": batch.fault_count,
            "bad": [{"line": fault.line, "why": fault.why} for fault in batch.faults],
        }
    )


def _wanted(request: Request, sources: Mapping[str, Source], keys: KeyRing) -> str:
    """The source that a request may push to. Raises PushError (401, 403)."""
    source_id = str(request.path_params["source_id"])
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    is_right = keys.is_right(source_id, key.strip())
    if scheme.lower() != "bearer" or not is_right:
        raise PushError(401, "wrong_key", "The header Authorization must be 'Bearer ' and this source's key, as './lake pushkey' gave it.")
    if source_id not in sources:
        raise PushError(403, "source_off", f"The source {source_id} is not collected by provider_push: its registry row is missing or off.")
    return source_id


def _form(request: Request) -> tuple[str, str, int]:
    """Batch id, encoding and announced size of a request. Raises PushError (400, 413, 415)."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA_TYPES:
        raise PushError(415, "wrong_type", f"The Content-Type {media or '(none)'} is not taken; send {MEDIA_TYPES[0]}, an object a line.")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ENCODINGS:
        raise PushError(415, "wrong_encoding", f"The Content-Encoding {encoding} is not taken; send one of {', '.join(ENCODINGS)}.")
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isdigit() else MAX_BODY_BYTES
    if announced > MAX_BODY_BYTES:
        raise _too_large()
    return check_batch_id(request.headers.get("lake-batch-id")), encoding, announced


def _too_large() -> PushError:
    return PushError(413, "too_large", f"The body holds more than {MAX_BODY_BYTES:,} bytes; send it in several batches, or packed.")


async def _body(request: Request) -> bytes:
    received = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                received += part
                if len(received) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise PushError(408, "too_slow", f"The body did not arrive within {_BODY_SECONDS:.0f} s; send smaller batches.") from None
    return bytes(received)


class PushEndpoint:
    """The handlers of one server."""

    def __init__(self, queue: PushQueue, sources: Mapping[str, Source], keys: KeyRing):
        self.queue, self.sources, self.keys = queue, sources, keys
        self._readers = ThreadPoolExecutor(_READERS, "reader")
        self._pending: set[asyncio.Task[Answer]] = set()

    async def health(self, _: Request) -> Response:
        """200 when batches are taken, 503 until the table is open."""
        return JSONResponse({"status": "ok" if self.queue.is_open else "starting"}, 200 if self.queue.is_open else 503)

    async def push(self, request: Request) -> Response:
        """Take one batch; answered when it lies in bronze."""
        try:
            source_id = _wanted(request, self.sources, self.keys)
        except PushError as error:
            return refusal(error)
        try:
            answer = await self._take(source_id, request)
        except PushError as error:
            answer = error
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        if isinstance(answer, Receipt):
            return acknowledgement(answer)
        self.queue.note_refusal(source_id, answer)
        return refusal(answer, self.queue.retry_seconds)

    async def _take(self, source_id: str, request: Request) -> Answer:
        batch_id, encoding, announced = _form(request)
        lease = Lease(self.queue)
        is_handed_over = False
        try:
            lease.grow_to(announced)
            body = await _body(request)
            batch = await self._read(source_id, batch_id, encoding, body, lease)
            task = asyncio.create_task(self._land(batch, lease))
            is_handed_over = True
        finally:
            if not is_handed_over:
                lease.release()
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        done, _ = await asyncio.wait([task], timeout=ANSWER_SECONDS)
        return task.result() if done else not_stored()

    async def _read(self, source_id: str, batch_id: str, encoding: str, body: bytes, lease: Lease) -> PushedBatch:
        loop = asyncio.get_running_loop()
        content = await loop.run_in_executor(self._readers, unpack_body, body, encoding)
        lease.grow_to(len(content))
        return await loop.run_in_executor(self._readers, read_batch, source_id, batch_id, content)

    async def _land(self, batch: PushedBatch, lease: Lease) -> Answer:
        """Lives on when its request has given up: what waits holds memory until it is landed."""
        try:
            return await self.queue.land(batch)
        finally:
            lease.release()

    def app(self) -> Starlette:
        """The ASGI application; its lifespan runs the queue."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            worker = asyncio.create_task(self.queue.run())
            yield
            if self._pending:
                await asyncio.wait(self._pending, timeout=ANSWER_SECONDS)
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
            await self.queue.close()

        routes = [Route("/", self.health, methods=["GET"]), Route("/v1/push/{source_id}", self.push, methods=["POST"])]
        return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _plain_error, Exception: _plain_error})


async def _plain_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "There is nothing here; batches go to POST /v1/push/<source id>.", 405: "Batches are sent with POST."}
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse(
        {"error": f"http_{status}", "message": words.get(status, "The request failed; send it again, with the same Lake-Batch-Id.")},
        status,
        headers,
    )
