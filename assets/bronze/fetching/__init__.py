"""Asking other people's servers for things: safely, politely, and never raising for what they do.

Belongs here: which addresses may be asked (safety.py), one request and its limits (client.py, unpacking.py), what a host may be burdened
with (hosts.py, robots.py), when a source is asked again (polling.py). Not here: what the answers mean (the connectors).
"""

from assets.bronze.fetching.answer import Answer
from assets.bronze.fetching.fetcher import Fetcher

__all__ = ["Answer", "Fetcher"]
