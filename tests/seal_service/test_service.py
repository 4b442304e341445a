"""The seal service: making, using, refusing, recording."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from ofd.ses.structure import Seal
from ofd.ses.verify import verify_seal
from ofd.sign.seal import StampAnnotation
from seal_service.core.placement import Placement
from seal_service.core.seal import SealState, check_certificate
from seal_service.documents import OfdOrder, PdfOrder
from seal_service.models import KeyRow, SealRow, UseRow
from seal_service.service import SealService
from trustcore import audit
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import DigestAlgorithm, SignatureAlgorithm
from trustcore.crypto.verify import verify, verify_digest
from trustcore.errors import BusyError, ConflictError, MalformedError, NotFoundError, RejectedError
from trustcore.report import Status, Verdict
from trustcore.x509.certificate import Certificate

from support.ofd_samples import sample_document
from support.seal_suite import SPEC, Suite, make_pdf

PLACE = Placement(page=1, x_mm=120, y_mm=200, width_mm=42, height_mm=42)
STAMPS = [StampAnnotation(x_mm=140, y_mm=220)]


def _uses(suite: Suite) -> list[tuple[str, str]]:
    return [(use.kind, use.outcome) for use in reversed(suite.service.uses(suite.seal.id))]


def test_a_seal_is_a_seseal_signed_by_a_maker_with_one_signer_and_a_small_png(shared: Suite) -> None:
    seal = Seal.parse(shared.service.seal_der(shared.seal.id))
    steps = verify_seal(
        seal,
        roots=[shared.ca.root("sm2")],
        intermediates=[Certificate.from_der(shared.ca.chain("sm2-issuing")[0])],
        crls=[shared.ca.crl("sm2-issuing"), shared.ca.crl("sm2-root")],
        at=shared.clock(),
    )
    assert {step.status for step in steps} == {Status.PASSED}
    assert seal.info.seal_code == shared.seal.id
    assert seal.info.name == SPEC.name
    assert len(seal.info.certificates) == 1
    assert seal.info.picture.type == "PNG"
    assert (seal.info.picture.width_mm, seal.info.picture.height_mm) == (42, 42)
    assert Image.open(BytesIO(seal.info.picture.data)).mode == "P"
    assert seal.info.picture.data == shared.service.pictures(shared.seal.id).png
    assert not seal.variants


def test_a_seal_does_not_outlive_its_signer(suite: Suite) -> None:
    suite.ca.lifetime = timedelta(days=30)
    seal = suite.service.make_seal(replace(SPEC, code="3702000099999"), request_id="second")
    assert seal.valid_until == suite.clock() + timedelta(days=30)


def test_the_same_request_gives_the_same_seal_and_another_body_is_refused(suite: Suite) -> None:
    again = suite.service.make_seal(SPEC, request_id="first")
    assert again == suite.seal
    assert suite.service.find_made_for("first") == suite.seal.id
    assert suite.service.find_made_for("never") is None
    with pytest.raises(ConflictError) as refused:
        suite.service.make_seal(replace(SPEC, name="另一个行政审批局"), request_id="first")
    assert refused.value.code == "seal.request.other-body"
    with suite.database.transaction() as session:
        assert len(session.scalars(select(SealRow)).all()) == 1
        assert len(session.scalars(select(KeyRow)).all()) == 3


@pytest.mark.parametrize("dies_at", range(1, 4))
def test_making_that_was_cut_off_goes_on_where_it_stopped(suite: Suite, dies_at: int) -> None:
    ca, calls = suite.ca, 0

    class Dying:
        def issue(self, authority: str, csr_der: bytes, *, profile: str, request_id: str) -> bytes:
            nonlocal calls
            calls += 1
            if calls == dies_at:
                raise BusyError("The authority is down.", code="test.down")
            return ca.issue(authority, csr_der, profile=profile, request_id=request_id)

        def chain(self, authority: str) -> tuple[bytes, ...]:
            return ca.chain(authority)

        def crl(self, authority: str) -> bytes:
            return ca.crl(authority)

    with suite.database.transaction() as session:
        for row in session.scalars(select(KeyRow).where(KeyRow.label == "seal-maker")):
            session.delete(row)
    spec = replace(SPEC, code="3702000000007")
    service = SealService(suite.database, ca.keys, Dying(), ca, clock=suite.clock)
    with pytest.raises(BusyError):
        service.make_seal(spec, request_id="cut")
    half = next(seal for seal in service.seals() if seal.code == spec.code)
    assert half.state is SealState.MAKING
    with pytest.raises(RejectedError) as refused:
        service.stamp_pdf(half.id, make_pdf())
    assert refused.value.code == "seal.use.making"
    whole = service.make_seal(spec, request_id="cut")
    assert whole.id == half.id
    assert whole.state is SealState.ACTIVE
    assert suite.service.verify(service.stamp_pdf(whole.id, make_pdf(), form="gm")).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": "123"}, "seal.spec.code"),
        ({"code": "37020000123AB"}, "seal.spec.code"),
        ({"organization_code": "1"}, "seal.spec.organization-code"),
        ({"lifetime": timedelta(0)}, "seal.spec.lifetime"),
        ({"lifetime": timedelta(days=9999)}, "seal.spec.lifetime"),
        ({"name": "局"}, "seal.picture.name-length"),
        ({"name": "青岚\U0003fffd审批局"}, "seal.picture.glyph-missing"),
        ({"diameter_mm": 90}, "seal.picture.diameter"),
    ],
    ids=lambda value: None if isinstance(value, str) else f"{value}",
)
def test_a_seal_that_cannot_be_is_refused_and_leaves_nothing(
    shared: Suite, change: dict[str, object], code: str
) -> None:
    before = len(shared.service.seals())
    with pytest.raises(RejectedError) as refused:
        shared.service.make_seal(replace(SPEC, **change), request_id=f"bad {code} {change}")
    assert refused.value.code == code
    assert len(shared.service.seals()) == before


def test_a_sealed_ofd_verifies_from_the_file_and_the_root_alone(suite: Suite) -> None:
    sealed = suite.service.stamp_ofd(suite.seal.id, sample_document(), STAMPS)
    report = suite.service.verify(sealed)
    assert report.subject == "ofd"
    assert report.verdict is Verdict.VALID, report.problems
    assert report.facts["seal_code"] == suite.seal.id
    assert report.facts["signed_at_proven"] == "true"


def test_the_kind_of_a_document_is_seen_from_its_content(shared: Suite) -> None:
    assert shared.service.verify(shared.service.stamp_pdf(shared.seal.id, make_pdf())).subject == "pdf"
    assert shared.service.verify(b"GIF89a").verdict is Verdict.INVALID


USES: dict[str, Callable[[SealService, str], object]] = {
    "ofd": lambda service, seal: service.stamp_ofd(seal, sample_document(), STAMPS),
    "pdf-pades": lambda service, seal: service.stamp_pdf(seal, make_pdf(), form="pades"),
    "pdf-gm": lambda service, seal: service.stamp_pdf(seal, make_pdf(), form="gm", placement=PLACE),
    "message": lambda service, seal: service.sign(seal, message=b"hello"),
    "digest": lambda service, seal: service.sign(seal, digest=bytes(32)),
}


def test_every_use_is_recorded_with_what_was_signed(suite: Suite) -> None:
    for kind, use in USES.items():
        use(suite.service, suite.seal.id)
        row = suite.service.uses(suite.seal.id, limit=1)[0]
        assert (row.kind, row.outcome) == (kind, "done")
        assert len(bytes.fromhex(row.content_digest)) == 32
        assert row.result_digest is not None
    assert _uses(suite) == [(kind, "done") for kind in USES]
    with suite.database.transaction() as session:
        actions = [row.action for row in audit.rows(session)]
        assert actions[:4] == ["seal.use.done", "seal.use.reserved"] * 2
        assert audit.verify_chain(session).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda suite: suite.service.suspend(suite.seal.id, actor="admin"), "seal.use.suspended"),
        (lambda suite: suite.service.revoke(suite.seal.id, actor="admin"), "seal.use.revoked"),
        (lambda suite: setattr(suite.clock, "now", suite.clock.now + timedelta(days=400)), "seal.use.expired"),
        (lambda suite: setattr(suite.clock, "now", suite.clock.now - timedelta(minutes=5)), "seal.use.not-yet-valid"),
    ],
    ids=["suspended", "revoked", "expired", "early"],
)
def test_a_seal_that_is_not_in_force_is_not_used(suite: Suite, change: Callable[[Suite], object], code: str) -> None:
    change(suite)
    for use in USES.values():
        with pytest.raises(RejectedError) as refused:
            use(suite.service, suite.seal.id)
        assert refused.value.code in {code, "ofd.seal.outside-period"}
    assert _uses(suite) == []


def test_a_suspended_seal_can_be_resumed_and_a_revoked_one_cannot(suite: Suite) -> None:
    suite.service.suspend(suite.seal.id, actor="admin")
    assert suite.service.resume(suite.seal.id, actor="admin").state is SealState.ACTIVE
    suite.service.stamp_pdf(suite.seal.id, make_pdf())
    suite.service.revoke(suite.seal.id, actor="admin")
    with pytest.raises(ConflictError) as refused:
        suite.service.resume(suite.seal.id, actor="admin")
    assert refused.value.code == "seal.state"
    assert suite.service.revoke(suite.seal.id, actor="admin").state is SealState.REVOKED


def test_a_document_sealed_before_the_seal_was_revoked_stays_valid(suite: Suite) -> None:
    sealed = suite.service.stamp_pdf(suite.seal.id, make_pdf(), form="gm")
    suite.service.revoke(suite.seal.id, actor="admin")
    assert suite.service.verify(sealed).verdict is Verdict.VALID


def test_a_failed_use_is_recorded_as_failed_and_can_be_tried_again(suite: Suite) -> None:
    ca = suite.ca

    class Down:
        broken = True

        def timestamp_token(self, authority: str, digest_algorithm: object, digest: bytes) -> bytes:
            if self.broken:
                raise BusyError("The time-stamping authority does not answer.", code="test.tsa-down")
            return ca.timestamp_token(authority, digest_algorithm, digest)

    stamps = Down()
    service = SealService(suite.database, ca.keys, ca, stamps, clock=suite.clock)
    with pytest.raises(BusyError):
        service.stamp_pdf(suite.seal.id, make_pdf(), request_id="r1")
    assert _uses(suite) == [("pdf-pades", "failed")]
    assert service.uses(suite.seal.id)[0].error_code == "test.tsa-down"
    stamps.broken = False
    sealed = service.stamp_pdf(suite.seal.id, make_pdf(), request_id="r1")
    assert _uses(suite) == [("pdf-pades", "done")]
    assert service.verify(sealed).verdict is Verdict.VALID


def test_a_bad_document_leaves_no_use(suite: Suite) -> None:
    with pytest.raises(MalformedError):
        suite.service.stamp_pdf(suite.seal.id, b"%PDF-1.7 broken")
    with pytest.raises(MalformedError):
        suite.service.stamp_ofd(suite.seal.id, b"PK\x03\x04 broken", STAMPS)
    assert _uses(suite) == []


@pytest.mark.parametrize("kind", ["pdf-pades", "message"])
def test_the_same_request_gets_the_same_answer_and_another_body_is_refused(suite: Suite, kind: str) -> None:
    def ask(content: bytes) -> object:
        if kind == "message":
            return suite.service.sign(suite.seal.id, message=content, request_id="key")
        return suite.service.stamp_pdf(suite.seal.id, make_pdf(text=content.decode()), request_id="key")

    first = ask(b"one")
    suite.clock.now += timedelta(minutes=1)
    assert ask(b"one") == first
    with pytest.raises(ConflictError) as refused:
        ask(b"two")
    assert refused.value.code == "seal.request.other-body"
    assert _uses(suite) == [(kind, "done")]


def test_a_signature_on_a_message_and_on_its_digest_verify_alike(suite: Suite) -> None:
    message = "准予登记".encode()
    whole = suite.service.sign(suite.seal.id, message=message)
    key = Certificate.from_der(whole.certificate_der).public_key_der
    e = sm2.message_digest(sm2.public_point(key), message)
    hashed = suite.service.sign(suite.seal.id, digest=e)
    for made in (whole, hashed):
        assert made.algorithm is SignatureAlgorithm.SM2_SM3
        assert verify(key, made.algorithm, message, made.signature)
        assert not verify(key, made.algorithm, message + b"!", made.signature)
    rsa = suite.service.sign(
        suite.seal.id, digest=hashlib.sha256(message).digest(), algorithm=SignatureAlgorithm.RSA_SHA256
    )
    rsa_key = Certificate.from_der(rsa.certificate_der).public_key_der
    assert verify(rsa_key, rsa.algorithm, message, rsa.signature)
    assert not verify_digest(rsa_key, rsa.algorithm, hashlib.sha256(b"other").digest(), rsa.signature)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "seal.sign.input"),
        ({"message": b"a", "digest": bytes(32)}, "seal.sign.input"),
        ({"digest": bytes(31)}, "seal.sign.digest"),
        ({"digest": b""}, "seal.sign.digest"),
    ],
    ids=["nothing", "both", "short", "empty"],
)
def test_a_request_to_sign_that_makes_no_sense_is_refused(
    shared: Suite, arguments: dict[str, bytes], code: str
) -> None:
    with pytest.raises(MalformedError) as refused:
        shared.service.sign(shared.seal.id, **arguments)
    assert refused.value.code == code


def test_an_unknown_seal_is_not_found(shared: Suite) -> None:
    for ask in (shared.service.seal, shared.service.pictures, shared.service.seal_der, shared.service.uses):
        with pytest.raises(NotFoundError) as refused:
            ask("3702000012345-00000000")
        assert refused.value.code == "seal.not-found"


def test_crls_are_asked_for_again_before_they_are_out_of_date(suite: Suite) -> None:
    asked: list[str] = []
    ca = suite.ca

    class Counting:
        def issue(self, authority: str, csr_der: bytes, *, profile: str, request_id: str) -> bytes:
            return ca.issue(authority, csr_der, profile=profile, request_id=request_id)

        def chain(self, authority: str) -> tuple[bytes, ...]:
            return ca.chain(authority)

        def crl(self, authority: str) -> bytes:
            asked.append(authority)
            return ca.crl(authority)

    service = SealService(suite.database, ca.keys, Counting(), ca, clock=suite.clock)
    for _ in range(3):
        service.stamp_pdf(suite.seal.id, make_pdf())
    assert asked == ["rsa-issuing", "rsa-root"]
    suite.clock.now += timedelta(minutes=11)
    service.stamp_pdf(suite.seal.id, make_pdf())
    assert len(asked) == 4
    suite.clock.now += timedelta(days=8)
    assert suite.service.verify(service.stamp_pdf(suite.seal.id, make_pdf())).verdict is Verdict.VALID


def test_an_encryption_certificate_cannot_sign(suite: Suite) -> None:
    csr = next(iter(suite.ca.issued))
    with suite.database.transaction() as session:
        row = session.get(KeyRow, csr.removeprefix("seal:"))
        assert row is not None
        der = suite.ca.issue("sm2-issuing", row.request_der, profile="encryption", request_id="enc")
    with pytest.raises(RejectedError) as refused:
        check_certificate(Certificate.from_der(der), at=suite.clock())
    assert refused.value.code == "seal.certificate.key-usage"


def test_a_large_document_is_refused_before_it_is_read(suite: Suite, tmp_path: Path) -> None:
    small = suite.service.settings.model_copy(update={"max_document": 100})
    service = SealService(suite.database, suite.ca.keys, suite.ca, suite.ca, clock=suite.clock, settings=small)
    for ask in (
        lambda: service.stamp_pdf(suite.seal.id, make_pdf()),
        lambda: service.stamp_ofd(suite.seal.id, bytes(101), STAMPS),
    ):
        with pytest.raises(RejectedError) as refused:
            ask()
        assert refused.value.code == "seal.document.too-large"


def test_lists_are_paged(suite: Suite) -> None:
    for number in range(3):
        suite.service.make_seal(replace(SPEC, code=f"370200000000{number}"), request_id=f"page {number}")
    first = suite.service.seals(limit=2)
    rest = suite.service.seals(after=first[-1].id, limit=10)
    assert [*first, *rest] == list(suite.service.seals())
    assert len(rest) == 2
    for _ in range(3):
        suite.service.sign(suite.seal.id, message=b"x")
    newest = suite.service.uses(suite.seal.id, limit=2)
    assert [use.id for use in suite.service.uses(suite.seal.id, before=newest[-1].id)] == [newest[-1].id - 1]


def test_no_use_is_left_without_a_record_when_the_process_dies_while_signing(suite: Suite) -> None:
    class PowerCutError(BaseException):
        pass

    class Dying:
        def timestamp_token(self, authority: str, digest_algorithm: object, digest: bytes) -> bytes:
            raise PowerCutError

    service = SealService(suite.database, suite.ca.keys, suite.ca, Dying(), clock=suite.clock)
    with pytest.raises(PowerCutError):
        service.stamp_pdf(suite.seal.id, make_pdf(), request_id="cut")
    with suite.database.transaction() as session:
        assert [row.outcome for row in session.scalars(select(UseRow))] == ["reserved"]
    with pytest.raises(BusyError) as busy:
        suite.service.stamp_pdf(suite.seal.id, make_pdf(), request_id="cut")
    assert busy.value.code == "seal.request.in-progress"
    assert suite.service.close_reservations(older_than=timedelta(0)) == 0
    suite.clock.now += timedelta(minutes=1)
    assert suite.service.close_reservations(older_than=timedelta(0)) == 1
    assert suite.service.uses(suite.seal.id)[0].error_code == "seal.use.abandoned"
    sealed = suite.service.stamp_pdf(suite.seal.id, make_pdf(), request_id="cut")
    assert suite.service.verify(sealed).verdict is Verdict.VALID
    assert _uses(suite) == [("pdf-pades", "done")]


@pytest.mark.parametrize(("kind", "family"), [("ofd", "sm2"), ("pdf-pades", "rsa"), ("message", "sm2")])
def test_a_seal_whose_certificate_is_revoked_is_not_used(suite: Suite, kind: str, family: str) -> None:
    USES[kind](suite.service, suite.seal.id)
    suite.ca.revoke(f"{family}-issuing", suite.ca.issued[f"seal:seal-{suite.seal.id}-{family}"], suite.clock())
    suite.clock.now += timedelta(minutes=11)
    with pytest.raises(RejectedError) as refused:
        USES[kind](suite.service, suite.seal.id)
    assert refused.value.code == "seal.certificate.revoked"


def test_nothing_is_sealed_while_the_crl_is_out_of_date(suite: Suite) -> None:
    old = {name: suite.ca.crl(name) for name in ("rsa-issuing", "rsa-root")}
    ca = suite.ca

    class Stale:
        def issue(self, authority: str, csr_der: bytes, *, profile: str, request_id: str) -> bytes:
            return ca.issue(authority, csr_der, profile=profile, request_id=request_id)

        def chain(self, authority: str) -> tuple[bytes, ...]:
            return ca.chain(authority)

        def crl(self, authority: str) -> bytes:
            return old[authority]

    suite.clock.now += timedelta(days=8)
    service = SealService(suite.database, ca.keys, Stale(), ca, clock=suite.clock)
    with pytest.raises(BusyError) as busy:
        service.stamp_pdf(suite.seal.id, make_pdf())
    assert busy.value.code == "seal.material.out-of-date"


def test_four_clerks_who_ask_for_the_same_seal_at_once_get_one(suite: Suite) -> None:
    spec = replace(SPEC, code="3702000044444")
    service = suite.service
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: service.make_seal(spec, request_id="together").id, range(4)))
    assert len(set(made)) == 1
    assert suite.service.verify(service.stamp_pdf(made[0], make_pdf(), form="gm")).verdict is Verdict.VALID


def test_a_seal_is_used_by_many_at_once_and_every_use_recorded(suite: Suite) -> None:
    with ThreadPoolExecutor(4) as pool:
        sealed = list(pool.map(lambda n: suite.service.stamp_pdf(suite.seal.id, make_pdf(text=f"{n}")), range(8)))
    assert {suite.service.verify(document).verdict for document in sealed} == {Verdict.VALID}
    assert _uses(suite) == [("pdf-pades", "done")] * 8
    with suite.database.transaction() as session:
        assert audit.verify_chain(session).verdict is Verdict.VALID


def test_documents_sealed_together_are_answered_and_recorded_one_by_one(suite: Suite) -> None:
    orders = [
        OfdOrder(package=sample_document(), stamps=tuple(STAMPS)),
        PdfOrder(pdf=b"%PDF-1.7 broken", form="pades"),
        PdfOrder(pdf=make_pdf(), form="fax"),
        PdfOrder(pdf=make_pdf(), form="pades"),
        PdfOrder(pdf=make_pdf(), form="gm", placement=PLACE),
    ]
    ofd, broken, odd, pades, gm = suite.service.stamp_many(suite.seal.id, orders, actor="clerk-7")
    for sealed in (ofd, pades, gm):
        assert isinstance(sealed, bytes)
        assert suite.service.verify(sealed).verdict is Verdict.VALID
    assert isinstance(broken, MalformedError)
    assert isinstance(odd, MalformedError)
    assert odd.code == "seal.pdf.form"
    uses = suite.service.uses(suite.seal.id)
    assert [(use.kind, use.outcome, use.actor) for use in uses] == [
        (kind, "done", "clerk-7") for kind in ("pdf-gm", "pdf-pades", "ofd")
    ]
    with suite.database.transaction() as session:
        assert audit.verify_chain(session).verdict is Verdict.VALID


def test_what_fails_among_documents_sealed_together_ends_the_work_and_is_recorded(suite: Suite) -> None:
    ca, asked = suite.ca, 0

    class Failing:
        def timestamp_token(self, authority: str, digest_algorithm: DigestAlgorithm, digest: bytes) -> bytes:
            nonlocal asked
            asked += 1
            if asked == 2:
                raise BusyError("The authority is down.", code="test.down")
            return ca.timestamp_token(authority, digest_algorithm, digest)

    service = SealService(suite.database, ca.keys, ca, Failing(), clock=suite.clock)
    orders = [PdfOrder(pdf=make_pdf(text=f"{number}"), form="gm") for number in range(4)]
    first, *others = service.stamp_many(suite.seal.id, orders)
    assert isinstance(first, bytes)
    assert [answer.code for answer in others if isinstance(answer, BusyError)] == ["test.down"] * 3
    assert asked == 2
    assert [use.outcome for use in service.uses(suite.seal.id)] == ["failed", "failed", "failed", "done"]


def test_a_suspended_seal_seals_none_of_several_documents(suite: Suite) -> None:
    suite.service.suspend(suite.seal.id, actor="test")
    (answer,) = suite.service.stamp_many(suite.seal.id, [PdfOrder(pdf=make_pdf(), form="gm")])
    assert isinstance(answer, RejectedError)
    assert answer.code == "seal.use.suspended"
    assert suite.service.uses(suite.seal.id) == ()
