"""A certification authority on a database of its own, with keys in memory that can be told to fail or to die."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ca.service import CaService
from ca.settings import CaSettings
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database
from trustcore.errors import BusyError
from trustcore.signing import Signer
from trustcore.x509.certificate import Certificate
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import build_request

EPOCH = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
SUBJECT = DistinguishedName.of({"C": "CN", "O": "某市市场监督管理局", "CN": "签署人"})
YEARS = timedelta(days=365)


class Died(Exception):  # noqa: N818 - a death is no error of ours
    """The process ends here."""


@dataclass
class Clock:
    """A time that stands still until a test moves it."""

    now: datetime = EPOCH

    def __call__(self) -> datetime:
        """The present."""
        return self.now


@dataclass
class Weakness:
    """How the keys misbehave."""

    down: bool = False
    """No machine can serve."""
    dies_before: bool = False
    """The process ends when it is about to sign."""
    dies_after: bool = False
    """The process ends when the signature was made."""
    wrong: bool = False
    """Signatures are of something else."""
    meanwhile: Callable[[], object] | None = None
    """What happens elsewhere after the next signature was made."""


class FrailSigner:
    """A signer with a weakness."""

    def __init__(self, signer: Signer, weakness: Weakness) -> None:
        self._signer = signer
        self._weakness = weakness

    @property
    def algorithm(self) -> SignatureAlgorithm:
        return self._signer.algorithm

    @property
    def public_key_der(self) -> bytes:
        return self._signer.public_key_der

    @property
    def certificate(self) -> bytes | None:
        return self._signer.certificate

    def sign(self, message: bytes) -> bytes:
        if self._weakness.down:
            raise BusyError("no machine can serve", code="hsm.pool.down")
        if self._weakness.dies_before:
            raise Died
        signature = self._signer.sign(message + b"?" if self._weakness.wrong else message)
        if self._weakness.dies_after:
            raise Died
        if self._weakness.meanwhile is not None:
            act, self._weakness.meanwhile = self._weakness.meanwhile, None
            act()
        return signature

    def sign_digest(self, message_digest: bytes) -> bytes:
        return self._signer.sign_digest(message_digest)

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        return self._signer.sign_many(digests)


class FrailKeys(SoftwareKeys):
    """Keys in memory whose signers share a weakness."""

    def __init__(self) -> None:
        super().__init__()
        self.weakness = Weakness()

    def signer(self, key_uri: str, *, certificate: bytes | None = None) -> Signer:
        return FrailSigner(super().signer(key_uri, certificate=certificate), self.weakness)

    def copy(self) -> "FrailKeys":
        """The same keys, to which others can be added."""
        other = FrailKeys()
        other._keys, other._purposes = dict(self._keys), dict(self._purposes)
        return other


@dataclass
class Office:
    """A CA with the SM2 and the RSA hierarchy."""

    database: Database
    keys: FrailKeys
    clock: Clock = field(default_factory=Clock)
    settings: CaSettings = field(default_factory=CaSettings)
    service: CaService = field(init=False)

    def __post_init__(self) -> None:
        self.service = self.another_process()

    def another_process(self, **settings: object) -> CaService:
        """A service on the same database and machines that remembers nothing."""
        chosen = self.settings.model_copy(update=settings)
        return CaService(self.database, self.keys, self.clock, chosen)

    def restart(self) -> None:
        """The process was ended and is started again; the machines are well."""
        self.keys.weakness.__init__()  # type: ignore[misc]
        self.service = self.another_process()

    def found(self, name: str, parent: str | None = None, **changes: object) -> Certificate:
        """Found a CA; its certificate."""
        wanted: dict[str, object] = {
            "subject": DistinguishedName.of({"C": "CN", "O": "测试机构", "CN": name}),
            "algorithm": KeyAlgorithm.SM2 if name.startswith("sm2") else KeyAlgorithm.RSA_2048,
            "parent": parent,
            "lifetime": 12 * YEARS if parent else 20 * YEARS,
        }
        return self.service.found(name, **wanted | changes).certificate  # type: ignore[arg-type]

    def found_all(self) -> None:
        """Both hierarchies."""
        for family in ("sm2", "rsa"):
            self.found(f"{family}-root")
            self.found(f"{family}-issuing", f"{family}-root")

    def request(self, subject: DistinguishedName = SUBJECT, algorithm: KeyAlgorithm = KeyAlgorithm.SM2) -> bytes:
        """A certification request over a new key, which is nowhere else."""
        own = SoftwareKeys()
        return build_request(own.signer(own.generate("new", algorithm)), subject)

    def issue(self, authority: str = "sm2-issuing", *, request_id: str = "r1", **changes: object) -> Certificate:
        """Issue a certificate over a new key."""
        wanted: dict[str, object] = {"profile": "document-signer"} | changes
        csr = wanted.pop("csr", None) or self.request()
        der = self.service.issue(authority, csr, request_id=request_id, **wanted)  # type: ignore[arg-type]
        return Certificate.from_der(der)

    def authority(self, name: str) -> Certificate:
        """A CA's certificate."""
        return Certificate.from_der(self.service.chain(name)[0])


def serial(certificate: Certificate) -> str:
    """The serial number as the service writes it."""
    return f"{certificate.serial_number:x}"


def with_settings(office: Office, **settings: object) -> Office:
    """The same office under other settings."""
    return replace(office, settings=office.settings.model_copy(update=settings))
