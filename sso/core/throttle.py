"""How failed logins slow the next one down, per account and per network address."""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["ACCOUNT", "ADDRESS", "Throttle", "account_key", "address_key", "delay_after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """One rule: so many failures are free, then the delay doubles."""

    free_failures: int
    first_delay: timedelta
    longest_delay: timedelta
    forgotten_after: timedelta
    """Without a failure for this long, counting starts anew."""


ACCOUNT = Throttle(
    free_failures=5,
    first_delay=timedelta(seconds=2),
    longest_delay=timedelta(minutes=15),
    forgotten_after=timedelta(hours=24),
)
"""At most 100 guesses a day against one account (NIST SP 800-63B-4 §3.2.2), and nobody is locked out for good."""
ADDRESS = Throttle(
    free_failures=30,
    first_delay=timedelta(seconds=1),
    longest_delay=timedelta(minutes=5),
    forgotten_after=timedelta(hours=1),
)


def delay_after(failures: int, rule: Throttle) -> timedelta:
    """How long after its ``failures``-th failure a key has to wait."""
    excess = failures - rule.free_failures
    if excess < 0:
        return timedelta(0)
    return min(rule.first_delay * (1 << min(excess, 20)), rule.longest_delay)


def account_key(username: str) -> str:
    """The key of an account, existing or not."""
    return "account:" + hashlib.sha256(username.casefold().encode("utf-8", "surrogatepass")).hexdigest()


def address_key(address: str) -> str:
    """The key of a network address: an IPv4 address, the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "address:unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return f"address:{ipaddress.ip_network((parsed, 64), strict=False)}"
        parsed = parsed.ipv4_mapped
    return f"address:{parsed}"
