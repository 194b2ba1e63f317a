"""Addresses of article pages: one spelling per address, and whether two addresses are of one publisher. Pure.

Belongs here: tracking parameters, AMP and mobile variants, canonical links, hosts and platforms. Not here: fetching.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

_TRACKING = re.compile(
    r"(?:utm_\w*|fbclid|gclid|dclid|msclkid|yclid|zarsrc|si|igshid|mc_cid|mc_eid|_ga|cmpid|ref_src|amp|outputtype)", re.IGNORECASE
)
_PORTS = {"http": 80, "https": 443}
_VARIANT_HOST = re.compile(r"^(?:www|m|mobile|amp|wap)\.(?=[^.]+\.)")
_AMP_PATH = re.compile(r"^/amp(?=/.)|/amp/?$|\.amp(?=\.html?$|$)")
_MAX_LENGTH = 2000


@dataclass(frozen=True)
class Address:
    """Where an article stands. `elsewhere`: the other publisher's address that its page names as the original, None where it names none."""

    url: str
    elsewhere: str | None = None


def clean_address(url: str) -> str | None:
    """One spelling of an http(s) address: lower-case scheme and host, no default port, user, fragment or tracking parameters.

    The rest of path and query stays as given. None for what is no such address. Idempotent.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or len(url) > _MAX_LENGTH or re.search(r"[\s\x00-\x20\x7f]", host + parts.path):
        return None
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port in {None, _PORTS[parts.scheme]} else f"{shown}:{port}"
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if not _TRACKING.fullmatch(name)]
    query = parts.query if len(kept) == len(pairs) else urlencode(kept)
    return urlunsplit((parts.scheme, netloc, parts.path or "/", query, ""))


def without_variant(url: str) -> str:
    """The full page's address for a mobile or AMP one whose page names none (m.paper.vn/a.amp -> paper.vn/a); others unchanged."""
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.startswith("www.") else _VARIANT_HOST.sub("", parts.netloc)
    path = parts.path
    while (shorter := _AMP_PATH.sub("", path) or "/") != path:
        path = shorter
    return urlunsplit((parts.scheme, host, path, parts.query, ""))


class Publishers:
    """Who publishes at a host, by the platforms of the registry: a host belongs to the longest platform that it is or lies under."""

    def __init__(self, platforms: Iterable[str]):
        self._platforms = frozenset(platform.lower() for platform in platforms)

    def platform(self, url: str) -> str | None:
        """The registry's platform of an address, None where it knows none."""
        labels = _host(url).split(".")
        return next((name for start in range(len(labels)) if (name := ".".join(labels[start:])) in self._platforms), None)

    def are_one(self, first: str, second: str) -> bool:
        """Whether two addresses are of one publisher: one platform; where the registry knows neither, one host or one under the other."""
        one, other = self.platform(first), self.platform(second)
        if one or other:
            return one == other
        mine, theirs = (_VARIANT_HOST.sub("", _place(url)) for url in (first, second))
        return mine == theirs or mine.endswith(f".{theirs}") or theirs.endswith(f".{mine}")


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def _place(url: str) -> str:
    # With its port: two servers of one machine are two publishers.
    return urlsplit(url).netloc.rsplit("@", 1)[-1]


def article_address(listed: str, final: str, hints: Mapping[str, str | None], publishers: Publishers) -> Address:
    """The address of an article that a feed listed under `listed` and that was answered by `final`, after redirects.

    `hints` are the page's own words, `canonical` and `og_url`, relative ones allowed; the first that stays at the publisher of `final`
    is taken. One that leads to another publisher says that the page is a copy: the post stays where it was listed, with `elsewhere`.
    So does a redirect to another publisher, as of an aggregator. All three addresses must be http(s) ones; raises nothing.
    """
    start = clean_address(listed) or listed
    landed = clean_address(final) or start
    elsewhere = None
    for name in ("canonical", "og_url"):
        hint = clean_address(_joined(landed, hints.get(name) or ""))
        if hint is None or not hints.get(name):
            continue
        if publishers.are_one(landed, hint):
            # A front page as the canonical address of every article is a known mistake of content systems.
            found = hint if urlsplit(hint).path != "/" or urlsplit(landed).path == "/" else landed
            landed = without_variant(found) if found == landed else found
            break
        elsewhere = elsewhere or hint
    else:
        landed = without_variant(landed)
    if not publishers.are_one(start, landed) and publishers.platform(start) is not None:
        return Address(start, elsewhere or landed)
    return Address(landed, elsewhere)


def _joined(base: str, hint: str) -> str:
    try:
        return urljoin(base, hint.strip())
    except ValueError:
        return ""
