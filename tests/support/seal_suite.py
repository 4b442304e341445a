"""A small certification authority with both hierarchies, a seal service that uses it, and documents."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from itertools import count

import pytest
from reportlab.pdfgen.canvas import Canvas

from ofd.verify.policy import VerificationPolicy
from seal_service.core.seal import SealSpec
from seal_service.service import SealService, SealView
from trustcore.asn1 import encoder
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.crypto.software import SoftwareKeys, SoftwareKeyWarning
from trustcore.database import Database
from trustcore.signing import Signer
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.build import CertificateTemplate, certificate_tbs, digest_identifier, signed
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import CrlTemplate, RevokedEntry, crl_tbs
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import parse_request
from trustcore.x509.tsp import TstInfo, build_token

NOW = datetime.fromisoformat("2030-01-15T09:30:00+00:00")
PROFILES = {
    "seal-maker": (("digitalSignature", "nonRepudiation"), ()),
    "seal-signer": (("digitalSignature", "nonRepudiation"), ()),
    "document-signer": (("digitalSignature", "nonRepudiation"), (oids.PURPOSE_DOCUMENT_SIGNING,)),
    "time-stamping": (("digitalSignature",), (oids.PURPOSE_TIME_STAMPING,)),
    "encryption": (("keyEncipherment",), ()),
}


@dataclass
class Clock:
    """A clock that tests set."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Authority:
    """One authority: its key, certificate and what it revoked."""

    signer: Signer
    certificate: Certificate
    revoked: list[RevokedEntry] = field(default_factory=list)


class SmallCa:
    """Issues, revokes, stamps the time: both ports of the seal service."""

    def __init__(self, keys: SoftwareKeys, clock: Clock) -> None:
        self.keys = keys
        self.clock = clock
        self.authorities: dict[str, Authority] = {}
        self.issued: dict[str, bytes] = {}
        self.lifetime = timedelta(days=1825)
        self._serials = count(1000)
        self._crl_numbers = count(1)
        self._stamps = count(1)
        for family, algorithm in (("sm2", KeyAlgorithm.SM2), ("rsa", KeyAlgorithm.RSA_2048)):
            self._found(f"{family}-root", algorithm, None)
            self._found(f"{family}-issuing", algorithm, f"{family}-root")
            self._found_tsa(f"{family}-tsa", algorithm, f"{family}-issuing")

    def issue(self, authority: str, csr_der: bytes, *, profile: str, request_id: str) -> bytes:
        if request_id not in self.issued:
            request = parse_request(csr_der)
            usages, purposes = PROFILES[profile]
            extensions = [ext.basic_constraints(ca=False), ext.key_usage(*usages)]
            if purposes:
                extensions.append(ext.extended_key_usage(*purposes, critical=profile == "time-stamping"))
            self.issued[request_id] = self._certify(
                authority, request.subject, request.public_key_der, tuple(extensions), self.lifetime
            )
        return self.issued[request_id]

    def chain(self, authority: str) -> tuple[bytes, ...]:
        family = authority.split("-", maxsplit=1)[0]
        return tuple(self.authorities[f"{family}-{level}"].certificate.der for level in ("issuing", "root"))

    def crl(self, authority: str) -> bytes:
        issuer = self.authorities[authority]
        template = CrlTemplate(
            signature_algorithm=issuer.signer.algorithm,
            issuer=issuer.certificate.subject,
            authority_key_id=issuer.certificate.subject_key_identifier or b"",
            number=next(self._crl_numbers),
            this_update=self.clock() - timedelta(minutes=1),
            next_update=self.clock() + timedelta(days=7),
            revoked=tuple(issuer.revoked),
        )
        return signed(crl_tbs(template), issuer.signer)

    def timestamp_token(self, authority: str, digest_algorithm: DigestAlgorithm, digest: bytes) -> bytes:
        stamper = self.authorities[authority.replace("issuing", "tsa")]
        info = TstInfo(
            policy="1.2.3.4",
            imprint_der=encoder.sequence(digest_identifier(digest_algorithm), encoder.octet_string(digest)),
            serial_number=next(self._stamps),
            gen_time=self.clock(),
            accuracy_seconds=1,
        )
        return build_token(
            info, signer=stamper.signer, certificate=stamper.certificate, certificates=(stamper.certificate.der,)
        )

    def revoke(self, authority: str, certificate_der: bytes, at: datetime) -> None:
        serial = Certificate.from_der(certificate_der).serial_number
        self.authorities[authority].revoked.append(RevokedEntry(serial_number=serial, at=at))

    def root(self, family: str) -> Certificate:
        return self.authorities[f"{family}-root"].certificate

    def _found(self, name: str, algorithm: KeyAlgorithm, parent: str | None) -> None:
        signer = self.keys.signer(self.keys.find(name) or self.keys.generate(name, algorithm))
        subject = DistinguishedName.of({"C": "CN", "O": "Test", "CN": name})
        extensions = (
            ext.basic_constraints(ca=True, path_length=None if parent is None else 0),
            ext.key_usage("keyCertSign", "cRLSign"),
        )
        lifetime = timedelta(days=7300)
        if parent is None:
            der = self._sign(signer, subject, subject, signer.public_key_der, extensions, lifetime)
        else:
            der = self._certify(parent, subject, signer.public_key_der, extensions, lifetime)
        self.authorities[name] = Authority(signer=signer, certificate=Certificate.from_der(der))

    def _found_tsa(self, name: str, algorithm: KeyAlgorithm, parent: str) -> None:
        signer = self.keys.signer(self.keys.find(name) or self.keys.generate(name, algorithm))
        extensions = (
            ext.basic_constraints(ca=False),
            ext.key_usage("digitalSignature"),
            ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True),
        )
        subject = DistinguishedName.of({"C": "CN", "O": "Test", "CN": name})
        der = self._certify(parent, subject, signer.public_key_der, extensions, timedelta(days=3650))
        self.authorities[name] = Authority(signer=signer, certificate=Certificate.from_der(der))

    def _certify(
        self,
        parent: str,
        subject: DistinguishedName,
        public_key_der: bytes,
        extensions: tuple[ext.Extension, ...],
        lifetime: timedelta,
    ) -> bytes:
        issuer = self.authorities[parent]
        key_id = ext.authority_key_identifier(issuer.certificate.subject_key_identifier or b"")
        return self._sign(
            issuer.signer, issuer.certificate.subject, subject, public_key_der, (*extensions, key_id), lifetime
        )

    def _sign(  # noqa: PLR0917 - a certificate
        self,
        signer: Signer,
        issuer: DistinguishedName,
        subject: DistinguishedName,
        public_key_der: bytes,
        extensions: tuple[ext.Extension, ...],
        lifetime: timedelta,
    ) -> bytes:
        template = CertificateTemplate(
            serial_number=next(self._serials),
            signature_algorithm=signer.algorithm,
            issuer=issuer,
            not_before=self.clock() - timedelta(hours=1),
            not_after=self.clock() + lifetime,
            subject=subject,
            public_key_der=public_key_der,
            extensions=(*extensions, ext.subject_key_identifier(sha256(public_key_der)[:20])),
        )
        return signed(certificate_tbs(template), signer)


@dataclass
class Suite:
    """A service with everything around it."""

    service: SealService
    ca: SmallCa
    clock: Clock
    database: Database
    seal: SealView

    def policy(self, *crls: bytes, families: tuple[str, ...] = ("sm2", "rsa")) -> VerificationPolicy:
        """Trust in the roots alone."""
        return VerificationPolicy(roots=tuple(map(self.ca.root, families)), crls=crls, at=self.clock())


SPEC = SealSpec(
    code="3702000012345",
    name="青岚市行政审批服务局",
    organization_code="11370200MB1234567X",
    lifetime=timedelta(days=365),
)


@cache
def _shared_keys() -> SoftwareKeys:
    """One set of keys for all suites of a process: making RSA keys takes most of a suite's time."""
    with pytest.warns(SoftwareKeyWarning):
        return SoftwareKeys()


def make_suite(url: str) -> Suite:
    """A new suite with one seal, in the empty database at this SQLAlchemy address."""
    keys = _shared_keys()
    clock = Clock()
    ca = SmallCa(keys, clock)
    database = Database(url)
    database.create_tables()
    service = SealService(database, keys, ca, ca, clock=clock)
    seal = service.make_seal(SPEC, request_id="first")
    return Suite(service=service, ca=ca, clock=clock, database=database, seal=seal)


def make_pdf(*, pages: int = 1, text: str = "Licence 0001", encrypt: str | None = None) -> bytes:
    """A PDF as a department's system makes it."""
    out = BytesIO()
    canvas = Canvas(out, encrypt=encrypt, invariant=True)
    for page in range(pages):
        canvas.drawString(72, 720, f"{text}, page {page + 1}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()
