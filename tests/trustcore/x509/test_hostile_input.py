"""Everything that is read from outside raises MalformedError or RejectedError, and nothing else, whatever it is."""

import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustcore.asn1 import encoder
from trustcore.asn1.reader import Node, parse
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.crypto.software import SoftwareKeys
from trustcore.errors import MalformedError, RejectedError
from trustcore.x509 import extensions as ext
from trustcore.x509 import ocsp, oids, tsp
from trustcore.x509.certificate import Certificate, load_pem_bundle
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.cms import SignedData, sign
from trustcore.x509.cms_form import form_step
from trustcore.x509.cms_verify import verify_signer
from trustcore.x509.crl import RevocationReason, RevokedEntry, load_crl
from trustcore.x509.material import material_step
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import build_request, parse_request

from support.x509_workshop import EPOCH, Entity, Workshop, crl_of, flipped

MESSAGE = b"data"


class Samples:
    """One of each, by P-256 keys, because their signatures are the cheapest to check."""

    def __init__(self) -> None:
        workshop = Workshop(SoftwareKeys())
        curve = {"algorithm": KeyAlgorithm.EC_P256}
        self.root: Entity = workshop.ca("root", **curve)
        purposes = ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True)
        points = ext.crl_distribution_points("http://ca.test/a.crl")
        access = ext.authority_information_access(ocsp=["http://ca.test/ocsp"])
        self.tsa: Entity = workshop.leaf(
            "tsa", self.root, purposes, points, access, usage=("digitalSignature",), **curve
        )
        entry = RevokedEntry(serial_number=5, at=EPOCH, reason=RevocationReason.SUPERSEDED)
        self.crl = crl_of(self.root, entry)
        asked = ocsp.CertificateId.of(self.tsa.certificate.serial_number, self.root.certificate)
        single = ocsp.SingleResponse(
            certificate_id=asked, status=ocsp.CertificateStatus.REVOKED, revoked_at=EPOCH,
            reason=RevocationReason.SUPERSEDED, this_update=EPOCH, next_update=EPOCH + timedelta(hours=1),
        )  # fmt: skip
        nonce = encoder.octet_string(b"n" * 16)
        request = tsp.build_request(DigestAlgorithm.SM3, sm3(MESSAGE), nonce=2**60)
        info = tsp.TstInfo(
            policy="1.2.3.4", imprint_der=tsp.message_imprint(DigestAlgorithm.SM3, sm3(MESSAGE)), serial_number=7,
            gen_time=EPOCH, accuracy_seconds=1, nonce_der=encoder.integer(2**60),
        )  # fmt: skip
        carried = [self.tsa.certificate.der]
        self.token = tsp.build_token(
            info, signer=self.tsa.signer, certificate=self.tsa.certificate, certificates=carried
        )
        self.cms = sign(
            MESSAGE, signer=self.tsa.signer, certificate=self.tsa.certificate, signing_time=EPOCH, certificates=carried,
            crls=[self.crl],
        )  # fmt: skip
        self.readers: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
            "certificate": (self.tsa.certificate.der, self.certificate),
            "crl": (self.crl, self.revocation_list),
            "request": (
                build_request(self.tsa.signer, self.tsa.certificate.subject, (ext.key_usage("cRLSign"),)),
                parse_request,
            ),
            "ocsp-request": (ocsp.build_request([asked], b"n" * 16), self.ocsp_request),
            "ocsp-response": (
                ocsp.build_response(
                    [single], responder=self.root.certificate, signer=self.root.signer, produced_at=EPOCH, nonce=nonce
                ),
                self.ocsp_response,
            ),
            "tsp-request": (request, tsp.TimeStampRequest.from_der),
            "tsp-response": (tsp.granted(self.token), tsp.parse_response),
            "token": (self.token, self.verify_token),
            "cms": (self.cms, self.verify_cms),
            "name": (self.root.certificate.subject_der, lambda der: DistinguishedName.from_der(der).text),
        }

    def certificate(self, der: bytes) -> None:
        read = load_pem_bundle(der)[0]
        assert read.subject.text is not None
        assert isinstance(read.crl_urls, tuple)
        assert read.fingerprint_sha256
        self._validate(read, crls=[self.crl])
        self._validate(self.tsa.certificate, between=read)

    def revocation_list(self, der: bytes) -> None:
        crl = load_crl(der)
        crl.covers(self.tsa.certificate)
        self._validate(self.tsa.certificate, crls=[der])
        material_step("x", [], [der], issuers=[self.root.certificate])

    def ocsp_request(self, der: bytes) -> None:
        for asked in ocsp.OcspRequest.from_der(der).certificate_ids:
            asked.names(self.root.certificate)

    def ocsp_response(self, der: bytes) -> None:
        ocsp.OcspResponse.from_der(der)
        self._validate(self.tsa.certificate, answers=[der])

    def verify_token(self, der: bytes) -> None:
        """A failed step is the answer; nothing is raised."""
        evidence = {"roots": [self.root.certificate], "crls": [self.crl]}
        assert tsp.verify_token(der, MESSAGE, **evidence).steps  # type: ignore[arg-type]

    def verify_cms(self, der: bytes) -> None:
        signed_data = SignedData.from_der(der)
        for signer in signed_data.signers:
            assert signer.signing_time is not None or signer.time_stamp_token is None
            verify_signer(signed_data, signer, content=MESSAGE, require_signing_certificate=True)
        form_step("x", der, candidates=[self.tsa.certificate])
        material_step("x", signed_data.certificates, signed_data.crls, issuers=[self.root.certificate])

    def _validate(
        self,
        certificate: Certificate,
        *,
        between: Certificate | None = None,
        crls: list[bytes] | None = None,
        answers: list[bytes] | None = None,
    ) -> None:
        validate_chain(
            certificate,
            intermediates=[between] if between else [],
            roots=[self.root.certificate],
            crls=crls or [],
            ocsp_responses=answers or [],
            at=EPOCH,
            purpose=KeyPurpose.TIME_STAMPING,
        )


SAMPLES = Samples()
KINDS = sorted(SAMPLES.readers)
ODD = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"", b"\x30\x00", b"\x31\x00", b"\x05\x00", b"\x02\x00", b"\x02\x01\xff", b"\x06\x00", b"\x06\x01\x80",
            b"\x03\x00", b"\x03\x01\x08", b"\x04\x00", b"\x0c\x02\xff\xfe", b"\x1e\x01\x00", b"\x1e\x02\xd8\x00",
            b"\x17\x0d999999999999Z", b"\x18\x0f00000000000000Z", b"\x18\x1399991231235959-9959", b"\xa0\x00",
            b"\xa1\x00", b"\x80\x00", b"\x01\x00", b"\x0a\x01\x63", b"\x30\x80\x00\x00", b"\x24\x80\x00\x00",
            encoder.integer(-(2**70)), encoder.integer(2**3000), encoder.tlv(0x0A, b"\x7f" * 3000),
            encoder.tlv(0x06, b"\xff" * 5000 + b"\x01"), encoder.tlv(0x06, b"\xff" * 200 + b"\x01"),
            encoder.tlv(0x18, b"9" * 3000 + b"Z"), b"\x30\x80" * 100, encoder.utf8_string("\0\u202e\U0010ffff"),
        ]
    ),
)  # fmt: skip


def rebuilt(node: Node, steps: list[int], act: str, odd: bytes) -> bytes:
    """The value with one value inside it replaced, removed, doubled, or wrapped; lengths are right again.

    It goes into OCTET STRINGs and BIT STRINGs that hold a value, too.
    """
    if steps and node.tag in {0x03, 0x04}:
        before = node.content[:1] if node.tag == 0x03 else b""
        with contextlib.suppress(MalformedError):
            inside = rebuilt(parse(node.content[len(before) :]), steps[1:], act, odd)
            return encoder.tlv(node.tag, before + inside)
    if not steps or not node.children:
        return {"replace": odd, "remove": b"", "double": node.raw * 2, "wrap": encoder.tlv(0x30, node.raw)}[act]
    chosen = steps[0] % len(node.children)
    parts = [
        rebuilt(child, steps[1:], act, odd) if index == chosen else child.raw
        for index, child in enumerate(node.children)
    ]
    return encoder.tlv(node.tag, b"".join(parts))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_another_structure_raises_nothing_else(kind: str, data: st.DataObject) -> None:
    """Values that were replaced, removed, doubled or wrapped, down to ten levels."""
    original, read = SAMPLES.readers[kind]
    steps = data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=10))
    act = data.draw(st.sampled_from(["replace", "remove", "double", "wrap"]))
    changed = rebuilt(parse(original), steps, act, data.draw(ODD))
    with contextlib.suppress(MalformedError, RejectedError):
        read(changed)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 30),
    tail=st.binary(max_size=3),
)
def test_other_bytes_raise_nothing_else(kind: str, changes: list[tuple[int, int]], cut: int, tail: bytes) -> None:
    original, read = SAMPLES.readers[kind]
    changed = bytearray(original)
    for position, octet in changes:
        changed[position % len(changed)] = octet
    with contextlib.suppress(MalformedError, RejectedError):
        read(bytes(changed[: len(changed) - cut]) + tail)


@pytest.mark.parametrize("kind", KINDS)
@given(st.binary(max_size=200))
@settings(max_examples=20, deadline=None)
def test_noise_raises_nothing_else(kind: str, noise: bytes) -> None:
    with contextlib.suppress(MalformedError, RejectedError):
        SAMPLES.readers[kind][1](noise)


@pytest.mark.parametrize("kind", KINDS)
def test_the_samples_themselves_are_read(kind: str) -> None:
    original, read = SAMPLES.readers[kind]
    read(original)  # the claim is that it raises nothing


def test_no_flipped_bit_of_an_rsa_certificate_or_list_is_accepted() -> None:
    """Also those of the outer algorithm's NULL, which no signature covers."""
    workshop = Workshop(SoftwareKeys())
    root = workshop.ca("root", algorithm=KeyAlgorithm.RSA_2048)
    crl = crl_of(root, RevokedEntry(serial_number=5, at=EPOCH))
    accepted = []
    for position in (*range(60), *range(len(root.certificate.der) - 300, len(root.certificate.der))):
        with contextlib.suppress(MalformedError):
            if Certificate.from_der(flipped(root.certificate.der, position)).is_issued_by(root.certificate):
                accepted.append(position)
    for position in (*range(60), *range(len(crl) - 300, len(crl))):
        with contextlib.suppress(MalformedError):
            if load_crl(flipped(crl, position)).is_signed_by(root.certificate):
                accepted.append(position)
    assert accepted == []


def test_no_flipped_bit_of_an_rsa_token_is_accepted() -> None:
    """A token is accepted when each step passed; what no signature covers has one form only."""
    workshop = Workshop(SoftwareKeys())
    root = workshop.ca("root", algorithm=KeyAlgorithm.RSA_2048)
    purposes = ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True)
    tsa = workshop.leaf("tsa", root, purposes, usage=("digitalSignature",), algorithm=KeyAlgorithm.RSA_2048)
    info = tsp.TstInfo(
        policy="1.2.3.4", imprint_der=tsp.message_imprint(DigestAlgorithm.SM3, sm3(MESSAGE)), serial_number=7,
        gen_time=EPOCH, accuracy_seconds=1,
    )  # fmt: skip
    token = tsp.build_token(info, signer=tsa.signer, certificate=tsa.certificate, certificates=[tsa.certificate.der])
    evidence = {"roots": [root.certificate], "crls": [crl_of(root)]}

    def accepted(der: bytes) -> bool:
        steps = tsp.verify_token(der, MESSAGE, **evidence).steps  # type: ignore[arg-type]
        return all(step.status == "passed" for step in steps)

    assert accepted(token)
    certificate = token.index(tsa.certificate.der)
    covered = range(certificate + 40, certificate + len(tsa.certificate.der) - 40)
    assert [p for p in range(len(token)) if p not in covered and accepted(flipped(token, p))] == []
