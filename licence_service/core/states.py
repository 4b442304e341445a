"""The life of a licence: its states, the allowed changes, and whether it stands at a moment.

No national enumeration of states was found; the vocabulary is the union of what ministries use (MOHURD 01–07,
transport 10/01–09), so that each of them maps onto it.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum

from licence_service.core.record import LONG_TERM, LongTerm
from trustcore.errors import ConflictError

__all__ = ["CHINA_TIME", "LicenceState", "allowed", "require_transition", "standing", "stands"]

CHINA_TIME = timezone(timedelta(hours=8), "UTC+08:00")
"""Licences begin and end at midnight in China."""


class LicenceState(StrEnum):
    """Where a licence is in its life."""

    PENDING_SEAL = "pending-seal"
    """Number reserved, documents not all sealed yet."""
    NOT_ACTIVE = "not-active"
    """Issued, but its first day has not come. Computed, never stored."""
    VALID = "valid"
    """有效."""
    SUSPENDED = "suspended"
    """暂扣 / 冻结."""
    SUPERSEDED = "superseded"
    """换发 / 变更: another licence took its place."""
    EXPIRED = "expired"
    """已过期: its last day is over. Computed, never stored."""
    CANCELLED = "cancelled"
    """注销, by the holder's wish."""
    WITHDRAWN = "withdrawn"
    """撤销: should never have been granted."""
    REVOKED = "revoked"
    """吊销, as a punishment."""
    VOID = "void"
    """作废: made in error."""


_FINAL = (
    LicenceState.SUPERSEDED,
    LicenceState.CANCELLED,
    LicenceState.WITHDRAWN,
    LicenceState.REVOKED,
    LicenceState.VOID,
)

_TRANSITIONS: dict[LicenceState, tuple[LicenceState, ...]] = {
    LicenceState.PENDING_SEAL: (LicenceState.VALID, LicenceState.VOID),
    LicenceState.VALID: (LicenceState.SUSPENDED, *_FINAL),
    LicenceState.SUSPENDED: (LicenceState.VALID, *_FINAL),
}


def allowed(state: LicenceState) -> tuple[LicenceState, ...]:
    """States that may follow ``state``; none after an end state."""
    return _TRANSITIONS.get(state, ())


def require_transition(state: LicenceState, target: LicenceState) -> None:
    """Raise ``ConflictError`` (``licence.state.transition``) unless ``target`` may follow ``state``."""
    if target not in allowed(state):
        raise ConflictError(
            f"A licence that is {state} cannot become {target}.",
            code="licence.state.transition",
            state=str(state),
            target=str(target),
        )


def standing(state: LicenceState, *, valid_from: date, valid_until: date | LongTerm, now: datetime) -> LicenceState:
    """The state as a citizen has to see it at ``now``: a stored VALID may be NOT_ACTIVE or EXPIRED by the calendar.

    Args:
        state: the stored state.
        valid_from: first day, inclusive, in China.
        valid_until: last day, inclusive, in China, or 长期.
        now: an aware time.
    """
    if state not in (LicenceState.VALID, LicenceState.SUSPENDED):
        return state
    today = now.astimezone(UTC).astimezone(CHINA_TIME).date()
    if valid_until is not LONG_TERM and today > valid_until:
        return LicenceState.EXPIRED
    if state is LicenceState.VALID and today < valid_from:
        return LicenceState.NOT_ACTIVE
    return state


def stands(shown: LicenceState) -> bool:
    """Whether a licence in this (computed) state is good now."""
    return shown is LicenceState.VALID
