"""Certificates, right and wrong, for tests: an entity is a key with a certificate."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.signing import Signer
from trustcore.x509 import extensions as ext
from trustcore.x509.build import CertificateTemplate, certificate_tbs, signed
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import CrlTemplate, RevokedEntry, crl_tbs
from trustcore.x509.names import DistinguishedName
from trustcore.x509.public_keys import key_identifier

EPOCH = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
CA_USAGE = ("keyCertSign", "cRLSign")


@dataclass(frozen=True)
class Entity:
    """A key and its certificate."""

    signer: Signer
    certificate: Certificate


class Workshop:
    """Makes entities with keys in memory."""

    def __init__(self, keys: SoftwareKeys) -> None:
        self._keys = keys
        self._serial = 2**70

    def key(self, algorithm: KeyAlgorithm = KeyAlgorithm.SM2) -> Signer:
        self._serial += 1
        return self._keys.signer(self._keys.generate(f"k{self._serial}", algorithm))

    def template(
        self, name: str, key: Signer, issuer: Entity | None, *extensions: ext.Extension
    ) -> CertificateTemplate:
        self._serial += 1
        subject = DistinguishedName.of({"C": "CN", "O": "测试机构", "CN": name})
        issuing_key = issuer.signer if issuer else key
        return CertificateTemplate(
            serial_number=self._serial,
            signature_algorithm=issuing_key.algorithm,
            issuer=issuer.certificate.subject if issuer else subject,
            not_before=EPOCH - timedelta(days=100),
            not_after=EPOCH + timedelta(days=1000),
            subject=subject,
            public_key_der=key.public_key_der,
            extensions=(
                *extensions,
                ext.subject_key_identifier(key_identifier(key.public_key_der)),
                ext.authority_key_identifier(key_identifier(issuing_key.public_key_der)),
            ),
        )

    def entity(
        self,
        name: str,
        issuer: Entity | None,
        *extensions: ext.Extension,
        algorithm: KeyAlgorithm = KeyAlgorithm.SM2,
        **changes: object,
    ) -> Entity:
        """An entity whose template has ``changes``."""
        key = self.key(algorithm)
        template = replace(self.template(name, key, issuer, *extensions), **changes)
        der = signed(certificate_tbs(template), issuer.signer if issuer else key)
        return Entity(key, Certificate.from_der(der))

    def ca(
        self,
        name: str,
        issuer: Entity | None = None,
        *,
        path_length: int | None = None,
        algorithm: KeyAlgorithm = KeyAlgorithm.SM2,
        **changes: object,
    ) -> Entity:
        constraints = ext.basic_constraints(ca=True, path_length=path_length)
        return self.entity(name, issuer, constraints, ext.key_usage(*CA_USAGE), algorithm=algorithm, **changes)

    def leaf(
        self,
        name: str,
        issuer: Entity,
        *extensions: ext.Extension,
        usage: tuple[str, ...] = ("digitalSignature", "nonRepudiation"),
        algorithm: KeyAlgorithm = KeyAlgorithm.SM2,
        **changes: object,
    ) -> Entity:
        constraints = ext.basic_constraints(ca=False)
        return self.entity(
            name, issuer, constraints, ext.key_usage(*usage), *extensions, algorithm=algorithm, **changes
        )


def crl_of(
    issuer: Entity,
    *revoked: RevokedEntry,
    this_update: datetime = EPOCH - timedelta(days=1),
    next_update: datetime = EPOCH + timedelta(days=6),
    number: int = 1,
) -> bytes:
    """DER of a CRL."""
    template = CrlTemplate(
        signature_algorithm=issuer.signer.algorithm,
        issuer=issuer.certificate.subject,
        authority_key_id=key_identifier(issuer.signer.public_key_der),
        number=number,
        this_update=this_update,
        next_update=next_update,
        revoked=revoked,
    )
    return signed(crl_tbs(template), issuer.signer)


def flipped(data: bytes, position: int) -> bytes:
    """The data with one bit of one byte changed."""
    return data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :]
