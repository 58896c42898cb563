"""Who a request is from, for bounds and for the audit log. Pure."""

from ipaddress import IPv6Address, ip_address

from starlette.types import Scope

from serve.principal import SCOPE_KEY, Principal

_IPV6_BITS_OF_ONE_CLIENT = 64
"""Whoever has one IPv6 address has its whole network of this size."""


def principal_in(scope: Scope) -> Principal | None:
    """Return who was let in; None on open paths."""
    found = scope.get(SCOPE_KEY)
    return found if isinstance(found, Principal) else None


def address_of(scope: Scope) -> str:
    """Return the address of a connection's client, as far as the proxies before us are believed."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def client_key(scope: Scope) -> str:
    """Return whom a rate limit counts for: the subject, or the address of who has none."""
    principal = principal_in(scope)
    if principal is not None:
        return f"subject:{principal.subject}"
    return f"address:{_network(address_of(scope))}"


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped is not None:
        return address
    host_bits = 128 - _IPV6_BITS_OF_ONE_CLIENT
    return str(IPv6Address(int(parsed) >> host_bits << host_bits))
