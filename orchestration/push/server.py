"""``python -m orchestration.push.server``: the push server as a process of its own. Listens on 127.0.0.1; TLS is a reverse proxy's work."""

import argparse
import sys
import uuid
from datetime import UTC, datetime

import uvicorn

from assets.bronze.provider_push import CONNECTOR, PushLander
from assets.times import local_day
from lake_config.errors import LakeError
from lake_config.provenance import code_version
from lake_config.registry import load_registry
from lake_config.settings import Settings, load_settings
from lake_config.storage import Lake, Provenance
from orchestration.push.app import PushEndpoint
from orchestration.push.keys import KeyRing
from orchestration.push.waiting import WAITING_BYTES, PushQueue

_CONNECTIONS = 256
_GRACE_SECONDS = 20


def endpoint(settings: Settings, waiting_bytes: int = WAITING_BYTES) -> PushEndpoint:
    """The endpoint of a lake: its sources are those of the connector provider_push that are collected."""
    run_id, version = f"push-{uuid.uuid4()}", code_version()

    def stamp(name: str) -> Provenance:
        return Provenance(run_id, name, local_day(datetime.now(UTC)).isoformat(), version, {})

    collected = load_registry(settings.extra_registry).collected(settings.source_groups, local_day(datetime.now(UTC)))
    sources = {source.id: source for source in collected.values() if source.connector == CONNECTOR}
    lander = PushLander(Lake(settings, "collector"), {source.id: source.platform for source in sources.values()}, stamp)
    return PushEndpoint(PushQueue(lander, waiting_bytes), sources, KeyRing(settings))


def main() -> None:
    """Serve until SIGTERM; batches that were taken are landed before the end."""
    parser = argparse.ArgumentParser(description="Takes the streams of data providers.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--waiting-bytes", type=int, default=WAITING_BYTES, help="bound on bodies that are received or wait")
    given = parser.parse_args()
    app = endpoint(load_settings(), given.waiting_bytes).app()
    # No access log: its lines would say who sent what when, and bronze.fetch_log says what matters.
    uvicorn.run(
        app,
        host=given.host,
        port=given.port,
        http="httptools",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        log_level="warning",
    )


if __name__ == "__main__":
    try:
        main()
    except LakeError as error:
        sys.exit(str(error))
