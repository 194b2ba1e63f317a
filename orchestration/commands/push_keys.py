"""pushkey: the key of a data provider, made or revoked, and what to do with it."""

from assets.bronze.provider_push import CONNECTOR
from lake_config.errors import BadInputError
from lake_config.registry import load_registry
from lake_config.settings import Settings
from orchestration.push.keys import make_key, revoke_keys, variable


def give_key(settings: Settings, source_id: str, *, keeps_old: bool) -> list[str]:
    """Make a key and say it. Raises BadInputError when the source is unknown or no provider pushes to it."""
    source = load_registry(settings.extra_registry).source(source_id)
    if source.connector != CONNECTOR:
        raise BadInputError(f"The source {source_id} is collected by {source.connector}; keys are for sources of {CONNECTOR}.")
    key = make_key(settings, source_id, keeps_old=keeps_old)
    return [
        f"Key of {source_id}, shown this once: {key}",
        f"Give it to the provider over a safe way; batches go to POST http://127.0.0.1:{settings.ports['push']}/v1/push/{source_id}.",
        f"A push server that runs knows it at once; otherwise './lake up' starts one. Elsewhere set {variable(source_id)} to its SHA-256.",
    ]


def revoke_key(settings: Settings, source_id: str) -> list[str]:
    """Forget the keys of a source and say so; it need not be in the registry any more."""
    gone = revoke_keys(settings, source_id)
    if not gone:
        raise BadInputError(f"The source {source_id} has no key on file; one given as {variable(source_id)} is revoked by unsetting it.")
    return [f"{gone} key(s) of {source_id} revoked."]
