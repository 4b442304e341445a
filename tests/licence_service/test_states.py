"""The life of a licence."""

from datetime import UTC, date, datetime

import pytest

from licence_service.core.record import LONG_TERM
from licence_service.core.register import STATE_WORDS
from licence_service.core.states import LicenceState, allowed, require_transition, standing, stands
from trustcore.errors import ConflictError


def test_end_states_are_ends() -> None:
    for state in (LicenceState.CANCELLED, LicenceState.WITHDRAWN, LicenceState.REVOKED, LicenceState.VOID):
        assert allowed(state) == ()


def test_a_suspension_can_end() -> None:
    require_transition(LicenceState.SUSPENDED, LicenceState.VALID)
    assert LicenceState.VALID in allowed(LicenceState.SUSPENDED)


@pytest.mark.parametrize("target", [LicenceState.EXPIRED, LicenceState.NOT_ACTIVE, LicenceState.PENDING_SEAL])
def test_states_of_the_calendar_cannot_be_set(target: LicenceState) -> None:
    with pytest.raises(ConflictError):
        require_transition(LicenceState.VALID, target)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (datetime(2025, 12, 31, 15, 59, 59, tzinfo=UTC), LicenceState.VALID),
        (datetime(2025, 12, 31, 16, 0, 0, tzinfo=UTC), LicenceState.EXPIRED),
        (datetime(2019, 12, 31, 15, 59, 59, tzinfo=UTC), LicenceState.NOT_ACTIVE),
        (datetime(2019, 12, 31, 16, 0, 0, tzinfo=UTC), LicenceState.VALID),
    ],
)
def test_a_licence_begins_and_ends_at_midnight_in_china(now: datetime, state: LicenceState) -> None:
    shown = standing(LicenceState.VALID, valid_from=date(2020, 1, 1), valid_until=date(2025, 12, 31), now=now)
    assert shown is state
    assert stands(shown) is (state is LicenceState.VALID)


def test_a_long_term_has_no_end_and_a_cancelled_licence_is_never_valid() -> None:
    far = datetime(2999, 1, 1, tzinfo=UTC)
    first = date(2020, 1, 1)
    assert standing(LicenceState.VALID, valid_from=first, valid_until=LONG_TERM, now=far) is LicenceState.VALID
    assert standing(LicenceState.CANCELLED, valid_from=first, valid_until=LONG_TERM, now=far) is LicenceState.CANCELLED
    over = standing(LicenceState.SUSPENDED, valid_from=first, valid_until=date(2021, 1, 1), now=far)
    assert over is LicenceState.EXPIRED


def test_every_state_has_words_in_both_languages() -> None:
    assert set(STATE_WORDS) == set(LicenceState)
