"""The tables of a key's life, tried cell by cell against what is written here a second time."""

from datetime import UTC, datetime, timedelta

import pytest

from hsm.core.approvals import (
    Approval,
    ApprovalAct,
    ApprovalState,
    Consent,
    check_vote,
    parameters_digest,
)
from hsm.core.lifecycle import Act, KeyState, KeyUse, Operation, check_use, next_state
from trustcore.errors import ConflictError, ForbiddenError, RejectedError
from trustcore.signing import KeyPurpose

NOW = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
G, A, S, R, D = KeyState.GENERATED, KeyState.ACTIVE, KeyState.SUSPENDED, KeyState.RETIRED, KeyState.DESTROYED

LEADS_TO = {
    Act.ACTIVATE: {G: A, A: None, S: A, R: None, D: None},
    Act.SUSPEND: {G: None, A: S, S: None, R: None, D: None},
    Act.RETIRE: {G: None, A: R, S: R, R: None, D: None},
    Act.DESTROY: {G: D, A: None, S: D, R: D, D: None},
}

MAY = {
    #                    generated, active, suspended, retired, destroyed
    Operation.SIGN: (False, True, False, False, False),
    Operation.VERIFY: (False, True, False, True, False),
    Operation.ENCRYPT: (False, True, False, False, False),
    Operation.DECRYPT: (False, True, False, True, False),
    Operation.EXPORT: (True, True, False, True, False),
    Operation.REPLICATE: (True, True, True, True, False),
}


@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("state", list(KeyState))
def test_an_act_leads_where_the_table_says_or_is_refused(act: Act, state: KeyState) -> None:
    expected = LEADS_TO[act][state]
    if expected is not None:
        assert next_state("k", state, act) is expected
        return
    with pytest.raises(ConflictError) as caught:
        next_state("k", state, act)
    assert caught.value.code == "hsm.key.state"
    assert state.value in caught.value.detail


def test_nothing_leads_out_of_destruction() -> None:
    assert all(LEADS_TO[act][D] is None for act in Act)
    assert not any(may[-1] for may in MAY.values())


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize(("position", "state"), list(enumerate((G, A, S, R, D))))
def test_a_state_allows_what_the_table_says(operation: Operation, position: int, state: KeyState) -> None:
    use = KeyUse(label="k", state=state, purpose=KeyPurpose.SIGNING)
    if MAY[operation][position]:
        check_use(use, operation, NOW)
        return
    with pytest.raises(RejectedError) as caught:
        check_use(use, operation, NOW)
    assert caught.value.code == "hsm.key.inactive"


@pytest.mark.parametrize(
    ("purpose", "signs", "decrypts"),
    [
        (KeyPurpose.SIGNING, True, True),
        (KeyPurpose.CA, True, False),
        (KeyPurpose.SEAL, True, False),
        (KeyPurpose.AUDIT, True, False),
        (KeyPurpose.ENCRYPTION, False, True),
    ],
)
def test_a_key_serves_its_purpose_alone(purpose: KeyPurpose, signs: bool, decrypts: bool) -> None:
    use = KeyUse(label="k", state=A, purpose=purpose)
    for operation, allowed in ((Operation.SIGN, signs), (Operation.DECRYPT, decrypts), (Operation.ENCRYPT, decrypts)):
        if allowed:
            check_use(use, operation, NOW)
        else:
            with pytest.raises(RejectedError) as caught:
                check_use(use, operation, NOW)
            assert caught.value.code == "hsm.key.purpose"


def test_the_period_of_use_bounds_signing_and_not_decryption() -> None:
    day = timedelta(days=1)
    early = KeyUse(label="k", state=A, purpose=KeyPurpose.SIGNING, not_before=NOW + day)
    late = KeyUse(label="k", state=A, purpose=KeyPurpose.SIGNING, not_after=NOW - day)
    for use, code in ((early, "hsm.key.not-yet"), (late, "hsm.key.expired")):
        check_use(use, Operation.DECRYPT, NOW)
        with pytest.raises(RejectedError) as caught:
            check_use(use, Operation.SIGN, NOW)
        assert caught.value.code == code
    check_use(
        KeyUse(label="k", state=A, purpose=KeyPurpose.SIGNING, not_before=NOW, not_after=NOW), Operation.SIGN, NOW
    )


def an_approval(*persons: str, **changes: object) -> Approval:
    values: dict[str, object] = {
        "id": "1",
        "act": ApprovalAct.DESTROY,
        "subject": "k",
        "parameters": {},
        "requested_by": "user:wang",
        "requested_at": NOW,
        "expires_at": NOW + timedelta(days=7),
        "consents": tuple(Consent(person=person, at=NOW) for person in persons),
    }
    return Approval(**(values | changes))  # type: ignore[arg-type]


def test_two_persons_make_an_approval_and_one_does_not() -> None:
    assert an_approval("user:wang").state(NOW) is ApprovalState.PENDING
    assert an_approval("user:wang", "user:li").state(NOW) is ApprovalState.APPROVED
    assert an_approval("user:wang", "user:li").state(NOW + timedelta(days=7)) is ApprovalState.EXPIRED
    assert an_approval("user:wang", "user:li", refused_at=NOW).state(NOW) is ApprovalState.REFUSED


def test_an_act_that_began_goes_on_after_a_crash_here_at_once_and_elsewhere_later() -> None:
    begun = an_approval("user:wang", "user:li", reserved_at=NOW, reserved_by="here")
    assert begun.may_begin(NOW, "here")
    assert not begun.may_begin(NOW, "there")
    assert begun.may_begin(NOW + timedelta(minutes=5), "there")
    assert begun.may_begin(NOW + timedelta(days=8), "here"), "what began in time may end later"
    assert not an_approval("user:wang", "user:li", reserved_at=NOW, executed_at=NOW).may_begin(NOW, "here")


@pytest.mark.parametrize(
    ("approval", "person", "three_persons", "code"),
    [
        (an_approval(), "cli:root", False, "hsm.approval.person"),
        (an_approval(), "user:", False, "hsm.approval.person"),
        (an_approval("user:li"), "user:li", False, "hsm.approval.twice"),
        (an_approval(), "user:wang", True, "hsm.approval.requester"),
        (an_approval(refused_at=NOW), "user:li", False, "hsm.approval.closed"),
        (an_approval(executed_at=NOW), "user:li", False, "hsm.approval.closed"),
        (an_approval(expires_at=NOW), "user:li", False, "hsm.approval.closed"),
    ],
)
def test_who_may_not_agree_is_told_why(approval: Approval, person: str, three_persons: bool, code: str) -> None:
    with pytest.raises((ForbiddenError, ConflictError)) as caught:
        check_vote(approval, person, NOW, three_persons=three_persons)
    assert caught.value.code == code


def test_the_requester_may_be_one_of_two_where_three_are_not_wanted() -> None:
    check_vote(an_approval(), "user:wang", NOW, three_persons=False)
    check_vote(an_approval("user:wang"), "user:li", NOW, three_persons=True)


def test_the_digest_changes_with_every_parameter() -> None:
    digests = {
        parameters_digest(ApprovalAct.GENERATE, "k", {"algorithm": "sm2"}),
        parameters_digest(ApprovalAct.GENERATE, "k", {"algorithm": "rsa-2048"}),
        parameters_digest(ApprovalAct.GENERATE, "k", {}),
        parameters_digest(ApprovalAct.GENERATE, "l", {"algorithm": "sm2"}),
        parameters_digest(ApprovalAct.DESTROY, "k", {"algorithm": "sm2"}),
    }
    assert len(digests) == 5
