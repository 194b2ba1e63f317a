"""The keyed hash that stands for an author. It counts distinct voices and finds spam; it is personal data until it expires.

Belongs here: the hash alone. Not here: where the key lives (settings), when hashes expire (silver).
"""

import hashlib
import hmac

from lake_config.errors import ConfigError
from ml.normalise import normalise

MIN_KEY_BYTES = 16


def author_key(author: str | None, platform: str, key: bytes) -> str | None:
    """HMAC-SHA256 (64 hex digits) of platform and author under `key`; None where there is no author to count.

    The author is normalised first, so that the same name in another Unicode form is one voice. Platforms are kept apart: the same name on
    two platforms is two voices. Raises ConfigError when the key is shorter than 16 bytes: it could be guessed, and the names with it.
    """
    if len(key) < MIN_KEY_BYTES:
        raise ConfigError(
            f"The author key has {len(key)} bytes, at least {MIN_KEY_BYTES} are needed: generate a random key and set it for the lake."
        )
    name = normalise(author or "")
    if not name:
        return None
    first = platform.encode("utf-8", "surrogatepass")
    return hmac.new(key, b"%d:%b%b" % (len(first), first, name.encode("utf-8")), hashlib.sha256).hexdigest()
