"""Holders of keys that are not SM2 keys, issued by the PKI of the OFD tests."""

from datetime import timedelta
from functools import cache

from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.signing import Signer
from trustcore.x509 import extensions
from trustcore.x509.build import CertificateTemplate, certificate_tbs, signed
from trustcore.x509.certificate import Certificate
from trustcore.x509.names import DistinguishedName
from trustcore.x509.public_keys import key_identifier

from support.ofd_samples import SIGNED_AT, Holder, make_keys, sample_pki


@cache
def holder_of(algorithm: KeyAlgorithm, *, serial: int = 100) -> Holder:
    """A certificate of the sample PKI for a new key of this kind; the same one for the same arguments."""
    keys = make_keys()
    return certified(keys.signer(keys.generate(f"{algorithm}-{serial}", algorithm)), serial=serial)


def certified(signer: Signer, *, serial: int) -> Holder:
    """A certificate of the sample PKI for a key."""
    issuer = sample_pki().issuing
    template = CertificateTemplate(
        serial_number=serial,
        signature_algorithm=SignatureAlgorithm.SM2_SM3,
        issuer=issuer.certificate.subject,
        not_before=SIGNED_AT - timedelta(days=30),
        not_after=SIGNED_AT + timedelta(days=365),
        subject=DistinguishedName.from_text(f"CN={signer.algorithm} {serial},O=Test,C=CN"),
        public_key_der=signer.public_key_der,
        extensions=(
            extensions.basic_constraints(ca=False),
            extensions.key_usage("digitalSignature", "nonRepudiation"),
            extensions.subject_key_identifier(key_identifier(signer.public_key_der)),
            extensions.authority_key_identifier(issuer.certificate.subject_key_identifier or b""),
        ),
    )
    return Holder(certificate=Certificate.from_der(signed(certificate_tbs(template), issuer.signer)), signer=signer)
