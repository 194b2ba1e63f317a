"""Stable ids: the same thing has the same uuid on every machine and in every version. Nothing else belongs here."""

from uuid import UUID, uuid5

_NAMESPACE = UUID("6f0b1a52-6a0c-5d0e-9a57-1f6a3b8f5c21")
VERSION = "1.0.0"


def stable_id(kind: str, name: str) -> str:
    """The uuid5 of an object of the bundle, by its kind ('chart', 'dataset' ...) and its English name."""
    return str(uuid5(_NAMESPACE, f"{kind}/{name}"))
