"""Numbers and names of the signature server operations (签名验签服务器, GM/T 0029-2014, GB/T 38629-2020).

The text of the standard is not freely available. Operations, parameters and response codes are those that published
clients and servers of several makers agree on, but for ``PARAMETER``; ``docs/gateway.md`` says which part is whose.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum

from trustcore.x509.certificate import Certificate

__all__ = ["CERTIFICATE_INFO", "SM3_SM2", "CertificateState", "SvsCode", "SvsError", "VerifyLevel"]

SM3_SM2 = 0x00020201
"""SGD_SM3_SM2 (GM/T 0006): the signature method of SM2 with SM3."""


class SvsCode(IntEnum):
    """``respValue``."""

    SUCCESS = 0
    CERTIFICATE_ID = 0x04000001
    """No certificate of this identification."""
    SIGN_METHOD = 0x04000004
    """The signature method is not this key's, or not served."""
    KEY_INDEX = 0x04000005
    """There is no key of this index."""
    CERTIFICATE = 0x04000007
    """The certificate is missing or not acceptable."""
    CERTIFICATE_DECODE = 0x04000008
    CERTIFICATE_EXPIRED = 0x04000009
    CERTIFICATE_NOT_YET = 0x0400000A
    CERTIFICATE_REVOKED = 0x0400000B
    SIGNATURE = 0x0400000C
    """The signature is not right."""
    DATA_FORMAT = 0x0400000D
    INTERNAL = 0x0400000E
    PARAMETER = 0x04000010
    """A parameter is missing or wrong. Ours: published lists agree up to 0x0400000E only."""


class SvsError(Exception):
    """An operation ends with a response code other than success."""

    def __init__(self, code: SvsCode) -> None:
        super().__init__(code.name)
        self.code = code


class CertificateState(IntEnum):
    """``state`` of ValidateCert."""

    VALID = 0
    REVOKED = 1
    UNKNOWN = 2


class VerifyLevel(IntEnum):
    """``verifyLevel``: how far the signer's certificate is looked at."""

    TIME = 0
    TIME_AND_ROOT = 1
    TIME_ROOT_AND_REVOCATION = 2


def _serial(certificate: Certificate) -> str:
    return f"{certificate.serial_number:X}"


CERTIFICATE_INFO: Mapping[int, Callable[[Certificate], str]] = {
    0x01: lambda _certificate: "3",
    0x02: _serial,
    0x05: lambda certificate: certificate.issuer.text,
    0x06: lambda certificate: f"{certificate.not_before:%Y%m%d%H%M%SZ}/{certificate.not_after:%Y%m%d%H%M%SZ}",
    0x07: lambda certificate: certificate.subject.text,
    0x08: lambda certificate: certificate.public_key_der.hex().upper(),
    0x31: lambda certificate: certificate.common_name or "",
    0x35: lambda certificate: f"{certificate.not_before:%Y%m%d%H%M%SZ}",
    0x36: lambda certificate: f"{certificate.not_after:%Y%m%d%H%M%SZ}",
}
"""``info`` of ParseCert by ``infoType`` (GM/T 0006-2012 §5.3.4); hexadecimal in capitals, times in UTC."""
