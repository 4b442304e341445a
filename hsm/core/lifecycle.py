"""The life of a key, without a clock and without a machine.

The states are those of NIST SP 800-57 Part 1 Rev. 5 §7, in the words of Chinese key management: a key is made
(预生成 generated), used (启用 active), stopped for a while (停用 suspended), retired (退役: what it protected can still
be read, nothing new is protected) and destroyed (销毁). ``Compromised`` is not a state here: such a key is suspended at
once and then destroyed, and its certificates are revoked by their authority.

Two tables say everything: :data:`TRANSITIONS`, which act leads where, and :data:`ALLOWED`, what a state lets a key do.

>>> next_state("k", KeyState.ACTIVE, Act.RETIRE)
<KeyState.RETIRED: 'retired'>
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from trustcore.errors import ConflictError, RejectedError
from trustcore.signing import KeyPurpose

__all__ = [
    "ALLOWED",
    "MOST_USES",
    "PURPOSES",
    "TRANSITIONS",
    "Act",
    "KeyState",
    "KeyUse",
    "Operation",
    "SecretAlgorithm",
    "check_use",
    "next_state",
]


MOST_USES = 2**62
"""Largest limit of a key's uses; what is counted beside it still fits into the database."""


class KeyState(StrEnum):
    """Where a key is in its life."""

    GENERATED = "generated"
    """预生成: made, not used yet."""
    ACTIVE = "active"
    """启用: in use."""
    SUSPENDED = "suspended"
    """停用: nothing may be done with it until it is activated again."""
    RETIRED = "retired"
    """退役: verifies and decrypts what it protected; protects nothing more."""
    DESTROYED = "destroyed"
    """销毁: no machine holds it; the label is never used again."""


class SecretAlgorithm(StrEnum):
    """Kinds of secret keys for data."""

    SM4 = "sm4"
    """GB/T 32907-2016."""


class Act(StrEnum):
    """What an administrator does to a key."""

    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RETIRE = "retire"
    DESTROY = "destroy"


class Operation(StrEnum):
    """What a key is used for."""

    SIGN = "sign"
    VERIFY = "verify"
    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    EXPORT = "export"
    """Leaving the installation, wrapped."""
    REPLICATE = "replicate"
    """Going from machine to machine of the installation."""


TRANSITIONS: Mapping[Act, Mapping[KeyState, KeyState]] = MappingProxyType(
    {
        Act.ACTIVATE: {KeyState.GENERATED: KeyState.ACTIVE, KeyState.SUSPENDED: KeyState.ACTIVE},
        Act.SUSPEND: {KeyState.ACTIVE: KeyState.SUSPENDED},
        Act.RETIRE: {KeyState.ACTIVE: KeyState.RETIRED, KeyState.SUSPENDED: KeyState.RETIRED},
        Act.DESTROY: {
            KeyState.GENERATED: KeyState.DESTROYED,
            KeyState.SUSPENDED: KeyState.DESTROYED,
            KeyState.RETIRED: KeyState.DESTROYED,
        },
    }
)
"""Which state an act leads to. A key in use is not destroyed: it is retired or suspended first."""

ALLOWED: Mapping[KeyState, frozenset[Operation]] = MappingProxyType(
    {
        KeyState.GENERATED: frozenset({Operation.REPLICATE, Operation.EXPORT}),
        KeyState.ACTIVE: frozenset(Operation),
        KeyState.SUSPENDED: frozenset({Operation.REPLICATE}),
        KeyState.RETIRED: frozenset({Operation.VERIFY, Operation.DECRYPT, Operation.EXPORT, Operation.REPLICATE}),
        KeyState.DESTROYED: frozenset(),
    }
)
"""What each state lets a key do."""

_SIGNING = frozenset({Operation.SIGN, Operation.VERIFY})
_MOVING = frozenset({Operation.EXPORT, Operation.REPLICATE})

PURPOSES: Mapping[KeyPurpose, frozenset[Operation]] = MappingProxyType(
    {
        KeyPurpose.SIGNING: frozenset(Operation),
        KeyPurpose.CA: _SIGNING | _MOVING,
        KeyPurpose.SEAL: _SIGNING | _MOVING,
        KeyPurpose.AUDIT: _SIGNING | _MOVING,
        KeyPurpose.ENCRYPTION: frozenset({Operation.ENCRYPT, Operation.DECRYPT}) | _MOVING,
    }
)
"""What each purpose lets a key do (SP 800-57 §5.2: one key, one purpose). The default purpose is not narrowed, because
an application's SM2 key may serve for both where its owner decides so."""

_PROTECTING = frozenset({Operation.SIGN, Operation.ENCRYPT})
"""Operations of the originator usage period (SP 800-57 §5.3), which ``not_before`` and ``not_after`` bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """What decides whether a key may be used."""

    label: str
    state: KeyState
    purpose: KeyPurpose
    not_before: datetime | None = None
    not_after: datetime | None = None


def next_state(label: str, state: KeyState, act: Act) -> KeyState:
    """State after an act. Raises ``ConflictError`` (``hsm.key.state``) when the act is not possible."""
    following = TRANSITIONS[act].get(state)
    if following is None:
        possible = " or ".join(sorted(TRANSITIONS[act]))
        raise ConflictError(
            f"The key {label} is {state}; only a key that is {possible} can be changed so ({act}).",
            code="hsm.key.state", label=label, state=state.value, act=act.value,
        )  # fmt: skip
    return following


def check_use(use: KeyUse, operation: Operation, now: datetime) -> None:
    """Let pass a key that may be used so now.

    Raises:
        RejectedError: ``hsm.key.inactive``, ``hsm.key.purpose``, ``hsm.key.not-yet``, ``hsm.key.expired``.
    """
    facts = {"label": use.label, "operation": operation.value}
    if operation not in ALLOWED[use.state]:
        raise RejectedError(
            f"The key {use.label} is {use.state} and may not be used to {operation}.",
            code="hsm.key.inactive", state=use.state.value, **facts,
        )  # fmt: skip
    if operation not in PURPOSES[use.purpose]:
        raise RejectedError(
            f"The key {use.label} is for {use.purpose} and may not be used to {operation}.",
            code="hsm.key.purpose", purpose=use.purpose.value, **facts,
        )  # fmt: skip
    if operation not in _PROTECTING:
        return
    if use.not_before is not None and now < use.not_before:
        raise RejectedError(
            f"The key {use.label} may be used from {use.not_before.isoformat()} on.", code="hsm.key.not-yet", **facts
        )
    if use.not_after is not None and now > use.not_after:
        raise RejectedError(
            f"The period of use of the key {use.label} ended at {use.not_after.isoformat()}; retire it and make "
            "another.",
            code="hsm.key.expired",
            **facts,
        )
