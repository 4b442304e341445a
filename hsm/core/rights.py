"""Who may do what with which key, and how often: pure decisions.

An act that names a key needs a grant of the application that covers the key and the operation. An act without a key
(random octets, a digest, verifying with a public key that was sent) needs none, but counts where a grant speaks of the
operation. Quotas count items: a batch of 1,000 signatures uses 1,000.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from trustcore.errors import ForbiddenError, LimitedError, MalformedError, TrustError
from trustcore.signing import KeyPurpose

__all__ = ["Act", "Grant", "KeyFacts", "Operation", "Usage", "charge", "check_keys", "choose", "covers"]

_PURPOSE = "purpose:"
_ORDINARY = frozenset({KeyPurpose.SIGNING, KeyPurpose.ENCRYPTION})
"""Keys that a pattern reaches. A seal's key is used through the seal service, which knows who may seal."""
_BY_LABEL_ONLY = frozenset({KeyPurpose.CA, KeyPurpose.AUDIT})
"""Keys that sign certificates and the audit trail: only a grant that spells the label reaches them."""
_LITERALS = 3
"""A pattern needs that many characters that are no ``*``, so that nobody is given everything by accident."""
_PATTERN_LIMIT = 100
_SLACK_SECONDS = 60
"""How far the clock of another server may be ahead. What is written of a later second is of a clock that was wrong."""


class Operation(StrEnum):
    """What the gateway does; each has the scope ``hsm:`` and its name."""

    SIGN = "sign"
    VERIFY = "verify"
    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    DIGEST = "digest"
    RANDOM = "random"

    @property
    def scope(self) -> str:
        """The right that a token has to carry."""
        return f"hsm:{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """What rights look at in a key."""

    label: str
    purpose: KeyPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a grant is used."""

    second: int = 0
    """The second of the clock, since 1970, that ``in_second`` is about."""
    in_second: int = 0
    day: date = date.min
    """In UTC, what ``in_day`` is about."""
    in_day: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one application may do."""

    id: int
    application: str
    keys: str
    """A label, a pattern with ``*``, or ``purpose:`` and a purpose."""
    operations: frozenset[Operation]
    per_second: int | None
    per_day: int | None
    not_before: datetime
    not_after: datetime | None
    """Exclusive."""
    revoked: bool = False

    def is_live(self, now: datetime) -> bool:
        """Whether it counts at ``now``."""
        return not self.revoked and self.not_before <= now and (self.not_after is None or now < self.not_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What an application asks for."""

    application: str
    operation: Operation
    key: KeyFacts | None
    """None for an act without a key."""
    count: int
    """Items."""
    digest: bytes
    """SM3 over what is signed, verified or decrypted, for the audit trail; empty for what may be guessed from it."""


def check_keys(keys: str) -> None:
    """Refuse what names no keys.

    Raises:
        MalformedError: ``hsm.grant.keys``.
    """
    if keys.startswith(_PURPOSE):
        name = keys.removeprefix(_PURPOSE)
        known = [p.value for p in KeyPurpose if p not in _BY_LABEL_ONLY]
        if name in known:
            return
        raise MalformedError(f"A grant for a purpose is for one of {', '.join(known)}.", code="hsm.grant.keys")
    if not 1 <= len(keys) <= _PATTERN_LIMIT or not keys.isprintable():
        raise MalformedError("A grant names a label or a pattern of labels.", code="hsm.grant.keys")
    if "*" in keys and len(keys.replace("*", "")) < _LITERALS:
        raise MalformedError(
            f"A pattern has at least {_LITERALS} characters besides its *, so that it does not mean every key.",
            code="hsm.grant.keys",
        )


def covers(keys: str, key: KeyFacts) -> bool:
    """Whether the keys of a grant include this one."""
    if keys == key.label:
        return True
    if keys.startswith(_PURPOSE):
        return keys.removeprefix(_PURPOSE) == key.purpose and key.purpose not in _BY_LABEL_ONLY
    return "*" in keys and key.purpose in _ORDINARY and matches(keys, key.label)


def matches(pattern: str, label: str) -> bool:
    """Whether a label fits a pattern, in which ``*`` is any run of characters and nothing else is special."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), label, re.DOTALL) is not None


def choose(grants: Sequence[Grant], act: Act, now: datetime) -> Grant | None:
    """The grant that an act counts against, or ``None`` for an act without a key that no grant speaks of.

    Of several the one that names its keys most closely counts: a label before a pattern before a purpose, a longer
    pattern before a shorter one, the older of equals.

    Raises:
        ForbiddenError: ``hsm.right.missing``.
    """
    live = [
        grant
        for grant in grants
        if grant.application == act.application and act.operation in grant.operations and grant.is_live(now)
    ]
    if act.key is None:
        return min(live, key=lambda grant: grant.id, default=None)
    fitting = [grant for grant in live if covers(grant.keys, act.key)]
    if not fitting:
        raise ForbiddenError(
            f"The application {act.application} has no right to {act.operation} with the key {act.key.label}; "
            "an administrator gives it with “xinyin hsm gateway grant”.",
            code="hsm.right.missing",
            key=act.key.label,
            operation=act.operation.value,
        )
    return min(fitting, key=lambda grant: (*_distance(grant.keys), grant.id))


def _distance(keys: str) -> tuple[int, int]:
    if keys.startswith(_PURPOSE):
        return 2, 0
    return ("*" in keys, -len(keys))


def charge(grant: Grant, usage: Usage, count: int, now: datetime) -> Usage:
    """What is used after ``count`` more items.

    Raises:
        LimitedError: ``hsm.quota.second`` or ``hsm.quota.day``, with ``retry_after`` in seconds.
        MalformedError: ``hsm.quota.batch`` when so many are never allowed at once.
    """
    second, day = int(now.timestamp()), now.astimezone(UTC).date()
    is_counting = second <= usage.second <= second + _SLACK_SECONDS
    current = replace(
        usage,
        second=usage.second if is_counting else second,
        in_second=usage.in_second if is_counting else 0,
        day=day,
        in_day=usage.in_day if usage.day == day else 0,
    )
    smallest = min((limit for limit in (grant.per_second, grant.per_day) if limit is not None), default=count)
    if count > smallest:
        raise MalformedError(
            f"The grant allows {smallest} at once, and {count} were asked for; send smaller batches.",
            code="hsm.quota.batch",
            limit=smallest,
        )
    if grant.per_day is not None and current.in_day + count > grant.per_day:
        raise _used_up("day", grant.per_day, _seconds_to_midnight(now))
    if grant.per_second is not None and current.in_second + count > grant.per_second:
        raise _used_up("second", grant.per_second, max(1, current.second - second + 1))
    return replace(current, in_second=current.in_second + count, in_day=current.in_day + count)


def _used_up(period: str, limit: int, retry_after: int) -> TrustError:
    return LimitedError(
        f"The quota of {limit} in a {period} is used up.", code=f"hsm.quota.{period}", limit=limit,
        retry_after=retry_after,
    )  # fmt: skip


def _seconds_to_midnight(now: datetime) -> int:
    midnight = (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, -int((now - midnight) // timedelta(seconds=1)))
