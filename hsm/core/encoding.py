"""Between the forms of PKCS#11 and those of X.509."""

from hsm.core.profiles import CipherForm
from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import EC_PUBLIC_KEY, P256_CURVE, RSA_ENCRYPTION, SM2_CURVE, KeyAlgorithm
from trustcore.errors import MalformedError

__all__ = [
    "SHA256_DIGEST_INFO",
    "curve_parameters",
    "ec_public_key_der",
    "ecdsa_signature_der",
    "public_point",
    "rsa_public_key_der",
    "rsa_public_numbers",
    "sm2_cipher",
]

SHA256_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 digest in a PKCS #1 v1.5 signature (RFC 8017 §9.2, note 1)."""

_CURVES = {KeyAlgorithm.SM2: SM2_CURVE, KeyAlgorithm.EC_P256: P256_CURVE}
_UNCOMPRESSED = 0x04
_POINT_BYTES = 65
_COORDINATE_BYTES = 32


def curve_parameters(algorithm: KeyAlgorithm) -> bytes:
    """CKA_EC_PARAMS of a key: the DER OBJECT IDENTIFIER of its curve (PKCS#11 v2.40 §2.3.3)."""
    return encoder.oid(_CURVES[algorithm])


def public_point(ec_point: bytes) -> bytes:
    """The 65-byte point of a CKA_EC_POINT.

    PKCS#11 v2.40 §2.3.3 wraps it in an OCTET STRING; machines that give it bare are met too. A bare point begins with
    04, the tag of an OCTET STRING, so the length decides.
    """
    point = ec_point[2:] if len(ec_point) == _POINT_BYTES + 2 and ec_point[:2] == b"\x04\x41" else ec_point
    if len(point) != _POINT_BYTES or point[0] != _UNCOMPRESSED:
        raise MalformedError("The machine's public key is not an uncompressed point.", code="hsm.key.public")
    return point


def ec_public_key_der(algorithm: KeyAlgorithm, point: bytes) -> bytes:
    """SubjectPublicKeyInfo of a point (RFC 5480 §2)."""
    identifier = encoder.sequence(encoder.oid(EC_PUBLIC_KEY), encoder.oid(_CURVES[algorithm]))
    return encoder.sequence(identifier, encoder.bit_string(point))


def rsa_public_key_der(modulus: bytes, exponent: bytes) -> bytes:
    """SubjectPublicKeyInfo of an RSA key (RFC 3279 §2.3.1); the numbers are big-endian and unsigned."""
    numbers = (encoder.integer(int.from_bytes(number, "big")) for number in (modulus, exponent))
    identifier = encoder.sequence(encoder.oid(RSA_ENCRYPTION), encoder.null())
    return encoder.sequence(identifier, encoder.bit_string(encoder.sequence(*numbers)))


def rsa_public_numbers(public_key_der: bytes) -> tuple[bytes, bytes]:
    """CKA_MODULUS and CKA_PUBLIC_EXPONENT of a SubjectPublicKeyInfo, big-endian and without leading zeros."""
    key = reader.parse(reader.parse(public_key_der).children[1].bit_string())
    modulus, exponent = (child.integer() for child in key.children[:2])
    return _unsigned(modulus), _unsigned(exponent)


def _signed(octets: bytes) -> bytes:
    """The content of an INTEGER that is not negative (X.690 §8.3)."""
    shortest = octets.lstrip(b"\0")
    return shortest if shortest and shortest[0] < 0x80 else b"\0" + shortest


def _unsigned(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def ecdsa_signature_der(signature_raw: bytes) -> bytes:
    """``SEQUENCE{r, s}`` (RFC 3279 §2.2.3) of the r ‖ s that PKCS#11 gives, for SM2 as for ECDSA."""
    half = len(signature_raw) // 2
    if not 0 < half <= _COORDINATE_BYTES or len(signature_raw) % 2:
        raise MalformedError("The machine's signature is not r ‖ s.", code="hsm.signature.malformed")
    # Written out, because every signature passes here: no length needs more than one octet.
    r, s = _signed(signature_raw[:half]), _signed(signature_raw[half:])
    return b"\x30%c\x02%c%b\x02%c%b" % (4 + len(r) + len(s), len(r), r, len(s), s)


def sm2_cipher(ciphertext_der: bytes, form: CipherForm) -> bytes:
    """An SM2Cipher (GB/T 35276-2017 §7.2) as a machine reads it. Raises ``MalformedError`` (``hsm.cipher.invalid``)."""
    error = MalformedError("The ciphertext is not an SM2Cipher.", code="hsm.cipher.invalid")
    parts = reader.parse(ciphertext_der).expect(0x30).children
    if [part.tag for part in parts] != [0x02, 0x02, 0x04, 0x04]:
        raise error
    if form is CipherForm.DER:
        return ciphertext_der
    x, y, check_value, body = parts
    try:
        coordinates = b"".join(node.integer().to_bytes(_COORDINATE_BYTES, "big") for node in (x, y))
    except OverflowError:
        raise error from None
    first, second = check_value.octets(), body.octets()
    if form is CipherForm.C1C2C3:
        first, second = second, first
    return bytes([_UNCOMPRESSED]) + coordinates + first + second
