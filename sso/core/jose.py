"""JSON Web Signatures with ES256: made by a :class:`~trustcore.signing.Signer`, verified strictly (RFC 7515, RFC 7518).

One algorithm, three header parameters (``alg``, ``typ``, ``kid``), keys only of our own set: what a token says of its
own key (``jku``, ``jwk``, ``x5u``, ``x5c``) or of critical extensions is refused rather than ignored.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from trustcore.errors import InternalError, UnauthenticatedError

__all__ = ["ALGORITHM", "KeySet", "TokenType", "compact", "public_jwk", "signing_input", "verify"]

ALGORITHM = "ES256"
_COORDINATE_BYTES = 32
_MAX_TOKEN = 8192


class TokenType(StrEnum):
    """``typ``: a token of one kind is never taken for one of another (RFC 8725 §3.11)."""

    ID_TOKEN = "JWT"
    ACCESS_TOKEN = "at+jwt"


@dataclass(frozen=True, slots=True)
class KeySet:
    """Public keys that signatures are verified with, by ``kid``."""

    jwks: tuple[Mapping[str, str], ...]

    def find(self, kid: object) -> Mapping[str, str] | None:
        """The key with this identifier."""
        return next((jwk for jwk in self.jwks if jwk["kid"] == kid), None)

    def as_json(self) -> dict[str, object]:
        """The JWK Set document (RFC 7517 §5)."""
        return {"keys": [dict(jwk) for jwk in self.jwks]}


def public_jwk(public_key_der: bytes) -> Mapping[str, str]:
    """The JWK of a P-256 SubjectPublicKeyInfo, with its RFC 7638 thumbprint for ``kid``."""
    try:
        key = load_der_public_key(public_key_der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InternalError("The token signing key cannot be read.", code="sso.key.unreadable") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise InternalError("The token signing key is not on P-256.", code="sso.key.curve")
    numbers = key.public_numbers()
    point = {
        "kty": "EC",
        "crv": "P-256",
        "x": _base64url(numbers.x.to_bytes(_COORDINATE_BYTES, "big")),
        "y": _base64url(numbers.y.to_bytes(_COORDINATE_BYTES, "big")),
    }
    return point | {"use": "sig", "alg": ALGORITHM, "kid": ECKey.import_key(dict(point)).thumbprint()}


def signing_input(claims: Mapping[str, object], *, typ: TokenType, kid: str) -> bytes:
    """What is signed (RFC 7515 §5.1)."""
    header = {"alg": ALGORITHM, "typ": typ, "kid": kid}
    return f"{_base64url(_json(header))}.{_base64url(_json(claims))}".encode("ascii")


def compact(signed: bytes, signature_der: bytes) -> str:
    """The compact serialization, with the DER signature turned into r‖s (RFC 7518 §3.4)."""
    r, s = decode_dss_signature(signature_der)
    raw = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
    return f"{signed.decode('ascii')}.{_base64url(raw)}"


def verify(token: str, keys: KeySet, *, typ: TokenType) -> dict[str, Any]:
    """Claims of a token that one of ``keys`` signed. What the claims say is for the caller to check.

    Raises:
        UnauthenticatedError: ``auth.token.malformed``, ``.header``, ``.key-unknown`` or ``.signature``.
    """
    if len(token) > _MAX_TOKEN or not token.isascii():
        raise _refused("malformed")
    try:
        signature = jws.extract_compact(token.encode("ascii"))
    except (JoseError, ValueError) as error:
        raise _refused("malformed") from error
    header = signature.headers()
    if header.keys() != {"alg", "typ", "kid"} or header.get("alg") != ALGORITHM or header.get("typ") != typ:
        raise _refused("header")
    jwk = keys.find(header.get("kid"))
    if jwk is None:
        raise _refused("key-unknown")
    try:
        genuine = jws.validate_compact(signature, ECKey.import_key(dict(jwk)), algorithms=[ALGORITHM])
        claims = json.loads(signature.payload or b"") if genuine else None
    except (JoseError, ValueError) as error:
        raise _refused("signature") from error
    if not isinstance(claims, dict):
        raise _refused("signature")
    return claims


def _refused(reason: str) -> UnauthenticatedError:
    return UnauthenticatedError("The token is not one of ours.", code=f"auth.token.{reason}")


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
