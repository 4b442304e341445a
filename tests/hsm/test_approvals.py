"""Two persons for CA keys, on real software machines."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hsm import software
from hsm.core.approvals import ApprovalAct, ApprovalState
from hsm.core.lifecycle import KeyState
from hsm.service import HsmService
from hsm.settings import HsmSettings
from hsm.store.keys import NewKey
from trustcore.audit import AuditRow
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import ConflictError, ForbiddenError, NotFoundError, RejectedError
from trustcore.signing import KeyPurpose, ensure_key

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
WANG, LI, ZHAO = "user:wang", "user:li", "user:zhao"
CA_KEY = NewKey(label="ca-root", algorithm="sm2", purpose=KeyPurpose.CA)


@pytest.fixture
def four_eyes(open_machines: OpenHsm) -> OpenHsm:
    """Opens the machines of the data folder as if they were real ones."""

    def opened(clock: Callable[[], datetime] | None = None, **settings: object) -> AbstractContextManager[HsmService]:
        chosen = HsmSettings.model_validate({"four_eyes": True, **settings})
        return open_machines(chosen, clock) if clock else open_machines(chosen)

    return opened


def requested(service: HsmService, act: Callable[[], object]) -> str:
    """The request that a refused act made."""
    with pytest.raises(RejectedError) as caught:
        act()
    assert caught.value.code == "hsm.approval.needed"
    request = str(caught.value.facts["request"])
    assert f"xinyin hsm approve {request}" in caught.value.detail
    assert request in {approval.id for approval in service.pending()}
    return request


def agree(service: HsmService, request: str, *persons: str) -> None:
    for person in persons or (WANG, LI):
        service.approve(request, person)


def test_a_ca_key_is_made_when_two_persons_agree_and_once(four_eyes: OpenHsm) -> None:
    with four_eyes() as service:

        def make() -> object:
            return service.make(CA_KEY, actor=WANG)

        request = requested(service, make)
        assert requested(service, make) == request, "asking again is the same request"
        agree(service, request, WANG)
        assert requested(service, make) == request, "one person is not enough"
        assert service.find("ca-root") is None
        agree(service, request, LI)
        make()
        (approval,) = service.pending(only_open=False)
        assert approval.executed_at is not None
        assert all(result.ok for result in service.self_test())
        service.retire("ca-root", actor=WANG)
        again = requested(service, lambda: service.destroy("ca-root", actor=WANG))
        assert again != request


def test_the_approval_is_for_exactly_what_was_asked(four_eyes: OpenHsm) -> None:
    with four_eyes() as service:
        agree(service, requested(service, lambda: service.make(CA_KEY, actor=WANG)))
        for other in (
            NewKey(label="ca-root", algorithm="rsa-2048", purpose=KeyPurpose.CA),
            NewKey(label="ca-root", algorithm="sm2", purpose=KeyPurpose.CA, exportable=True),
            NewKey(label="ca-root", algorithm="sm2", purpose=KeyPurpose.CA, usage_limit=5),
            NewKey(label="ca-other", algorithm="sm2", purpose=KeyPurpose.CA),
        ):
            requested(service, lambda other=other: service.make(other, actor=WANG))
        assert service.keys() == ()


def test_the_product_asks_by_itself_and_goes_on_when_it_may(four_eyes: OpenHsm) -> None:
    with four_eyes() as service:

        def found() -> str:
            return ensure_key(service, "ca-root", KeyAlgorithm.SM2, purpose=KeyPurpose.CA)

        request = requested(service, found)
        agree(service, request)
        assert found() == found() == service.find("ca-root")


@pytest.mark.parametrize("purpose", [purpose for purpose in KeyPurpose if purpose is not KeyPurpose.CA])
def test_other_keys_need_nobodys_approval(four_eyes: OpenHsm, purpose: KeyPurpose) -> None:
    with four_eyes() as service:
        service.generate("key", KeyAlgorithm.EC_P256, purpose=purpose)
        service.retire("key", actor=WANG)
        service.destroy("key", actor=WANG)


def test_the_destruction_of_a_ca_key_needs_two_and_is_done_once(four_eyes: OpenHsm) -> None:
    with four_eyes() as service:
        agree(service, requested(service, lambda: service.make(CA_KEY, actor=WANG)))
        service.make(CA_KEY, actor=WANG)
        service.retire("ca-root", actor=WANG)
        request = requested(service, lambda: service.destroy("ca-root", actor=WANG))
        assert service.key("ca-root").state is KeyState.RETIRED
        agree(service, request, LI, ZHAO)
        assert service.destroy("ca-root", actor=WANG).machines == ()
        used = {a.act: a.executed_at is not None for a in service.pending(only_open=False)}
        assert used == {ApprovalAct.GENERATE: True, ApprovalAct.DESTROY: True}


def test_a_key_that_one_person_made_is_never_taken_for_that_of_an_authority(four_eyes: OpenHsm) -> None:
    with four_eyes() as service:
        service.make(NewKey(label="ca-root", algorithm="sm2", exportable=True), actor=WANG)
        with pytest.raises(RejectedError) as caught:
            ensure_key(service, "ca-root", KeyAlgorithm.SM2, purpose=KeyPurpose.CA)
        assert caught.value.code == "hsm.key.purpose"
        assert service.find("ca-root") is not None

        def assign() -> object:
            return service.assign("ca-root", KeyPurpose.CA, actor=WANG)

        request = requested(service, assign)
        assert service.approval(request).parameters["exportable"] == "true"
        agree(service, request)
        assign()
        assert service.approval(request).state(service.now()) is ApprovalState.EXECUTED
        assert ensure_key(service, "ca-root", KeyAlgorithm.SM2, purpose=KeyPurpose.CA) == service.find("ca-root")


def test_a_refusal_closes_the_request(four_eyes: OpenHsm) -> None:
    with four_eyes() as service:
        request = requested(service, lambda: service.make(CA_KEY, actor=WANG))
        agree(service, request)
        service.refuse(request, ZHAO)
        with pytest.raises(ConflictError):
            service.approve(request, ZHAO)
        assert service.pending() == ()
        assert requested(service, lambda: service.make(CA_KEY, actor=WANG)) != request


def test_an_approval_that_is_too_late_counts_for_nothing(four_eyes: OpenHsm, now: datetime) -> None:
    time = [now]
    with four_eyes(clock=lambda: time[0]) as service:
        request = requested(service, lambda: service.make(CA_KEY, actor=WANG))
        agree(service, request)
        time[0] += timedelta(days=7)
        fresh = requested(service, lambda: service.make(CA_KEY, actor=WANG))
        assert fresh != request
        with pytest.raises(ConflictError) as caught:
            service.approve(request, ZHAO)
        assert caught.value.code == "hsm.approval.closed"


def test_who_may_not_agree_is_refused(four_eyes: OpenHsm) -> None:
    with four_eyes(three_persons=True) as service:
        request = requested(service, lambda: service.make(CA_KEY, actor=WANG))
        for person, error in ((WANG, ForbiddenError), ("cli:root", ForbiddenError), ("system", ForbiddenError)):
            with pytest.raises(error):
                service.approve(request, person)
        agree(service, request, LI)
        with pytest.raises(ConflictError):
            service.approve(request, LI)
        agree(service, request, ZHAO)
        service.make(CA_KEY, actor=WANG)
        with pytest.raises(ForbiddenError):
            service.refuse(request, "cli:root")
        with pytest.raises(NotFoundError):
            service.approve("nothing", LI)


@pytest.mark.parametrize("actor", ["system", "cli:wang", "client:office"])
def test_of_three_persons_none_hides_behind_a_command(four_eyes: OpenHsm, actor: str) -> None:
    with four_eyes(three_persons=True) as service:

        def make() -> object:
            return service.make(CA_KEY, actor=actor)

        request = requested(service, make)
        agree(service, request, WANG, LI)
        assert service.approval(request).state(service.now()) is ApprovalState.PENDING
        assert requested(service, make) == request
        agree(service, request, ZHAO)
        make()


def test_an_act_that_was_cut_off_is_finished_under_the_same_approval(
    four_eyes: OpenHsm, faults: Path, database: Database
) -> None:
    with four_eyes() as service:
        request = requested(service, lambda: service.make(CA_KEY, actor=WANG))
        agree(service, request)
        for name in ("xinyin-1", "xinyin-2", "xinyin-3"):
            (faults / name).write_text("0x30 after 1")
        with pytest.raises(Exception, match="No encryption machine"):
            service.make(CA_KEY, actor=WANG)
        (approval,) = service.pending()
        assert approval.reserved_at is not None
        assert approval.executed_at is None
    for file in faults.iterdir():
        file.unlink()
    with four_eyes() as service:
        with pytest.raises(ConflictError):
            service.make(NewKey(label=CA_KEY.label, algorithm="sm2", exportable=True), actor=WANG)
        service.make(CA_KEY, actor=WANG)
        (approval,) = service.pending(only_open=False)
        assert (approval.id, approval.state(approval.requested_at)) == (request, ApprovalState.EXECUTED)
        assert all(result.ok for result in service.self_test())
    with database.transaction() as session:
        actions = list(session.scalars(select(AuditRow.action).where(AuditRow.subject == request)))
    assert actions == [f"hsm.approval.{what}" for what in ("requested", "approved", "approved", "used")]


def test_software_machines_alone_want_no_second_person(data_dir: Path) -> None:
    machines = software.software_machines(data_dir)
    real = machines[0].model_copy(update={"module": Path("/opt/vendor/pkcs11.so")})
    assert not HsmSettings().wants_four_eyes
    assert not HsmSettings(machines=machines).wants_four_eyes
    assert HsmSettings(machines=(*machines[1:], real)).wants_four_eyes
    assert HsmSettings(four_eyes=True).wants_four_eyes
    assert not HsmSettings(machines=(real,), four_eyes=False).wants_four_eyes


class Killed(BaseException):
    """The process ends here: nothing but the system cleans up."""


@pytest.mark.parametrize("act", ["generate", "destroy", "export"])
@pytest.mark.parametrize("calls", [pytest.param(n, marks=pytest.mark.slow if n % 3 else ()) for n in range(1, 10)])
def test_an_approved_act_that_is_cut_off_anywhere_is_done_once(
    four_eyes: OpenHsm, now: datetime, act: str, calls: int
) -> None:
    """The clock is asked before every write, so each count ends the process at another place."""
    left = -1

    def clock() -> datetime:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return now

    with four_eyes(clock=clock) as service:
        new = NewKey(label="ca-root", algorithm="ec-p256", purpose=KeyPurpose.CA, exportable=True)
        recipient = service.begin_import("recipient", actor=WANG).transport_key_der if act == "export" else None
        if act != "generate":
            agree(service, requested(service, lambda: service.make(new, actor=WANG)))
            service.make(new, actor=WANG)
        if act == "destroy":
            service.retire("ca-root", actor=WANG)

    def do(service: HsmService) -> object:
        if act == "generate":
            return service.make(new, actor=WANG)
        if act == "destroy":
            return service.destroy("ca-root", actor=WANG)
        assert recipient is not None
        return service.export("ca-root", recipient, actor=WANG)

    with four_eyes(clock=clock) as service:
        request = requested(service, lambda: do(service))
        agree(service, request)
        left = calls
        with suppress(Killed):
            do(service)
        left = -1
    with four_eyes() as service:
        used = service.approval(request).executed_at is not None
        if not used:
            do(service)
        assert service.approval(request).executed_at is not None
        if act == "destroy":
            service.reconcile()
            assert (service.key("ca-root").state, service.key("ca-root").machines) == (KeyState.DESTROYED, ())
        else:
            assert [result.ok for result in service.self_test()] == [True] * 3
        if act == "export":
            requested(service, lambda: do(service))
