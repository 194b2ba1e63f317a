"""Which addresses may be asked. A public feed must not lead the collector to machines of its own network, by whatever way it is named.

Names are resolved once, and the connection goes to the very address that was checked: a name that answers otherwise the second time
(DNS rebinding) gains nothing.
"""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
"""RFC 6052 and RFC 8215: IPv4 addresses in IPv6 clothes; a gateway leads to them."""
_SPECIAL = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))
"""RFC 6890 protocol assignments and the 6to4 relay anycast, some of which the standard library calls global."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label by which browsers and C libraries read a host as an IP address: 127.1, 2130706433, 0x7f.1."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedError(Exception):
    """What a host offers, or where it leads, is not taken; the message says why, without query or secret."""


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet's unicast addresses. An IPv4 address within an IPv6 one counts as itself."""
    try:
        address: _Address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(str(inner))
    elif any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64) or int(address) >> 32 == 0:  # ::a.b.c.d, the old compatible form, last
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def checked_url(url: str, *, allow_private: bool) -> str:
    """The host of an http(s) address, lower-case. Raises RefusedError for another scheme, a user name, no host or a private IP address."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise RefusedError("not an address that can be read; expected http:// or https:// and a host") from None
    if parts.scheme not in {"http", "https"}:
        raise RefusedError(f"the scheme {parts.scheme[:20]!r} is not asked for; only http and https are")
    if not host or any(character.isspace() or ord(character) < 32 for character in url):
        raise RefusedError("not an address that can be read; expected http:// or https:// and a host")
    if "@" in parts.netloc:
        raise RefusedError(f"the address of {host} carries a user name or password; such addresses are not asked for")
    is_ip = _is_ip(host)
    if not is_ip and _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise RefusedError(f"{host} is an IP address in disguise; write it as four numbers")
    if is_ip and not allow_private and not is_public(host):
        raise RefusedError(_not_public(host))
    return host


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return True


def _not_public(host: str) -> str:
    return f"{host} is not a public address; set allow_private in the registry if it is meant"


class PublicResolver(AbstractResolver):
    """Resolves names to the addresses that are then connected to; a name with one private address among them is refused whole."""

    def __init__(self, resolver: AbstractResolver | None = None):
        self._resolver = resolver or ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """As AbstractResolver.resolve. Raises RefusedError for a name of the own network, OSError for one that leads nowhere."""
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(result["host"]) for result in found):
            raise RefusedError(_not_public(host))
        return found

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._resolver.close()
