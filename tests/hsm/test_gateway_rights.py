from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.core.rights import Act, Grant, KeyFacts, Operation, Usage, charge, check_keys, choose, covers, matches
from trustcore.errors import ForbiddenError, LimitedError, MalformedError
from trustcore.signing import KeyPurpose

NOW = datetime(2030, 1, 15, 9, 30, 0, 250_000, tzinfo=UTC)
TODAY = NOW.date()


def key(label: str = "seal-7", purpose: KeyPurpose = KeyPurpose.SIGNING) -> KeyFacts:
    return KeyFacts(label=label, purpose=purpose)


def grant(  # noqa: PLR0913 - one argument per column
    number: int = 1,
    keys: str = "seal-7",
    *,
    operations: tuple[Operation, ...] = (Operation.SIGN,),
    application: str = "office",
    per_second: int | None = None,
    per_day: int | None = None,
    not_before: datetime = NOW - timedelta(days=1),
    not_after: datetime | None = None,
    revoked: bool = False,
) -> Grant:
    return Grant(
        id=number,
        application=application,
        keys=keys,
        operations=frozenset(operations),
        per_second=per_second,
        per_day=per_day,
        not_before=not_before,
        not_after=not_after,
        revoked=revoked,
    )


def act(operation: Operation = Operation.SIGN, of: KeyFacts | None = None, *, keyless: bool = False) -> Act:
    facts = None if keyless else of or key()
    return Act(application="office", operation=operation, key=facts, count=1, digest=b"")


@pytest.mark.parametrize(
    ("keys", "label", "purpose", "expected"),
    [
        ("seal-7", "seal-7", KeyPurpose.SIGNING, True),
        ("seal-7", "seal-70", KeyPurpose.SIGNING, False),
        ("seal-*", "seal-7", KeyPurpose.SIGNING, True),
        ("seal-*", "seal-", KeyPurpose.SIGNING, True),
        ("seal-*", "xseal-7", KeyPurpose.SIGNING, False),
        ("se*-7", "seal-7", KeyPurpose.ENCRYPTION, True),
        ("se?l-7", "seal-7", KeyPurpose.SIGNING, False),
        ("s[e]al-7", "seal-7", KeyPurpose.SIGNING, False),
        ("seal.7", "seal-7", KeyPurpose.SIGNING, False),
        ("seal-*", "seal-7", KeyPurpose.SEAL, False),
        ("purpose:seal", "seal-7", KeyPurpose.SEAL, True),
        ("purpose:seal", "seal-7", KeyPurpose.SIGNING, False),
        ("sm2-root", "sm2-root", KeyPurpose.CA, True),
        ("sm2-*", "sm2-root", KeyPurpose.CA, False),
        ("purpose:ca", "sm2-root", KeyPurpose.CA, False),
        ("audit-*", "audit-1", KeyPurpose.AUDIT, False),
        ("audit-1", "audit-1", KeyPurpose.AUDIT, True),
    ],
)
def test_which_keys_a_grant_covers(keys: str, label: str, purpose: KeyPurpose, expected: bool) -> None:
    assert covers(keys, key(label, purpose)) is expected


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_pattern_without_stars_fits_its_own_text_alone(pattern: str, label: str) -> None:
    if "*" not in pattern:
        assert matches(pattern, label) is (pattern == label)
    assert matches(f"{pattern}*", pattern.replace("*", "x") + label)


@pytest.mark.parametrize("keys", ["", "*", "**", "a*b", "purpose:ca", "purpose:audit", "purpose:", "x" * 101, "a\nb"])
def test_grants_that_mean_too_much_or_nothing_are_refused(keys: str) -> None:
    with pytest.raises(MalformedError) as caught:
        check_keys(keys)
    assert caught.value.code == "hsm.grant.keys"


@pytest.mark.parametrize("keys", ["k", "sm2-root", "abc*", "*abc", "purpose:seal", "purpose:signing", "印章-1"])
def test_grants_that_name_keys_are_taken(keys: str) -> None:
    check_keys(keys)


REFUSED = [
    grant(application="other"),
    grant(operations=(Operation.VERIFY,)),
    grant(keys="seal-8"),
    grant(revoked=True),
    grant(not_before=NOW + timedelta(seconds=1)),
    grant(not_after=NOW),
]


@pytest.mark.parametrize("only", REFUSED)
def test_a_grant_that_does_not_fit_gives_nothing(only: Grant) -> None:
    with pytest.raises(ForbiddenError) as caught:
        choose([only], act(), NOW)
    assert caught.value.code == "hsm.right.missing"
    assert caught.value.facts == {"key": "seal-7", "operation": "sign"}


def test_a_grant_counts_from_its_first_moment_and_not_at_its_last() -> None:
    assert choose([grant(not_before=NOW, not_after=NOW + timedelta(microseconds=1))], act(), NOW) is not None


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ([grant(1, "seal-*"), grant(2, "seal-7")], 2),
        ([grant(1, "purpose:signing"), grant(2, "sea*")], 2),
        ([grant(1, "sea*"), grant(2, "seal-*")], 2),
        ([grant(2, "seal-7"), grant(1, "seal-7")], 1),
        ([grant(1, "seal-7", revoked=True), grant(2, "seal-*")], 2),
    ],
)
def test_the_closest_grant_counts(grants: list[Grant], expected: int) -> None:
    chosen = choose(grants, act(), NOW)
    assert chosen is not None
    assert chosen.id == expected


def test_an_act_without_a_key_needs_no_grant_and_counts_where_there_is_one() -> None:
    assert choose([], act(Operation.RANDOM, keyless=True), NOW) is None
    random = grant(3, operations=(Operation.RANDOM,))
    assert choose([grant(1), random], act(Operation.RANDOM, keyless=True), NOW) == random


def test_quotas_fill_up_and_start_again_with_the_next_second_and_day() -> None:
    limited = grant(per_second=3, per_day=5)
    used = charge(limited, Usage(), 2, NOW)
    assert (used.in_second, used.in_day, used.day) == (2, 2, TODAY)
    with pytest.raises(LimitedError) as caught:
        charge(limited, used, 2, NOW)
    assert (caught.value.code, caught.value.facts["retry_after"]) == ("hsm.quota.second", 1)
    used = charge(limited, used, 3, NOW + timedelta(seconds=1))
    assert (used.in_second, used.in_day) == (3, 5)
    with pytest.raises(LimitedError) as caught:
        charge(limited, used, 1, NOW + timedelta(seconds=2))
    midnight = datetime(2030, 1, 16, tzinfo=UTC)
    expected = -((NOW + timedelta(seconds=2) - midnight) // timedelta(seconds=1))
    assert (caught.value.code, caught.value.facts["retry_after"]) == ("hsm.quota.day", expected)
    assert charge(limited, used, 1, midnight).in_day == 1


def test_a_clock_that_was_years_ahead_for_a_moment_closes_no_grant() -> None:
    limited = grant(per_second=2)
    ahead = charge(limited, Usage(), 2, NOW + timedelta(days=3650))
    now = charge(limited, ahead, 1, NOW)
    assert (now.second, now.in_second) == (int(NOW.timestamp()), 1)


def test_a_clock_that_goes_back_opens_no_quota_again() -> None:
    limited = grant(per_second=1)
    used = charge(limited, Usage(), 1, NOW)
    with pytest.raises(LimitedError) as caught:
        charge(limited, used, 1, NOW - timedelta(seconds=5))
    assert caught.value.facts["retry_after"] == 6


def test_a_batch_that_never_fits_is_refused_for_good() -> None:
    with pytest.raises(MalformedError) as caught:
        charge(grant(per_second=10, per_day=1000), Usage(), 11, NOW)
    assert caught.value.code == "hsm.quota.batch"


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), max_size=40))
def test_no_second_and_no_day_ever_sees_more_than_the_quota(steps: list[tuple[int, int]]) -> None:
    limited = grant(per_second=5, per_day=20)
    usage, now = Usage(), NOW
    seconds: dict[int, int] = {}
    days: dict[date, int] = {}
    for count, seconds_later in steps:
        now += timedelta(seconds=seconds_later)
        try:
            usage = charge(limited, usage, count, now)
        except LimitedError:
            continue
        seconds[int(now.timestamp())] = seconds.get(int(now.timestamp()), 0) + count
        days[now.date()] = days.get(now.date(), 0) + count
    assert all(count <= 5 for count in seconds.values())
    assert all(count <= 20 for count in days.values())
