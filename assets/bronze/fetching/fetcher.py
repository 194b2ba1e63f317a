"""The client for connectors that ask one thing after another, or from several threads."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Self, TypeVar, TypeVarTuple

from aiohttp.abc import AbstractResolver
from anyio.from_thread import start_blocking_portal

from assets.bronze.fetching.answer import Answer
from assets.bronze.fetching.client import Client, Limits
from assets.bronze.landing import utc_now
from lake_config.registry import Source
from lake_config.settings import Settings

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

_NAMES_AT_ONCE = 64


async def _look_up_names_side_by_side() -> None:
    """Names are resolved by threads of the loop's executor, by default a few per core: slow names would hold up the rest."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_NAMES_AT_ONCE, "resolver"))


class Fetcher:
    """A context manager around one :class:`Client` on a thread of its own; `get` may be called from any thread.

    `polite`: obey robots.txt and a pause per host, as for pages; an interface with rules of its own is asked with polite=False.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        polite: bool = True,
        clock: Callable[[], datetime] = utc_now,
        limits: Limits | None = None,
        resolver: AbstractResolver | None = None,
    ):
        self._polite = polite
        self._make = lambda: Client(clock=clock, contact=settings.contact, limits=limits, resolver=resolver)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            self._portal.call(_look_up_names_side_by_side)
            # Made on the loop's own thread: what it holds belongs to that loop.
            self.client = stack.enter_context(self._portal.wrap_async_context_manager(self._portal.call(self._make)))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def get(self, source: Source, url: str, *, headers: Mapping[str, str] | None = None, max_bytes: int | None = None) -> Answer:
        """Ask for an address on behalf of a source, whose allow_private decides where it may lead. Never raises for what a host does."""
        return self.call(self._ask, source, url, headers, max_bytes)

    async def _ask(self, source: Source, url: str, headers: Mapping[str, str] | None, max_bytes: int | None) -> Answer:
        return await self.client.get(url, allow_private=source.allow_private, polite=self._polite, headers=headers, max_bytes=max_bytes)

    def call(self, work: Callable[[*Arguments], Awaitable[Result]], *arguments: *Arguments) -> Result:
        """Run a coroutine function on the client's thread and wait for what it gives."""
        return self._portal.call(work, *arguments)

    def start(self, work: Callable[[*Arguments], Awaitable[Result]], *arguments: *Arguments) -> Future[Result]:
        """Run a coroutine function on the client's thread and go on; cancelling the future cancels it."""
        return self._portal.start_task_soon(work, *arguments)
