"""gmssl, an SM2 written in Python alone, re-computes one SM2 signature: the root's over the issuing certificate."""

import importlib.metadata
from pathlib import Path

from asn1crypto import core, x509
from exhibits import Exhibits, der, flipped
from verdict import Verdict

COORDINATE_BYTES = 32


class _Signature(core.Sequence):  # type: ignore[misc]
    _fields = [("r", core.Integer), ("s", core.Integer)]  # noqa: RUF012 - asn1crypto writes into the list


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Compute Z and e with gmssl's own SM3, and verify with its own curve arithmetic."""
    del scratch
    from gmssl import sm2  # noqa: PLC0415 - only this judge loads it

    root = x509.Certificate.load(der(exhibits.trust("sm2-root.pem")))
    issuing = x509.Certificate.load(der(exhibits.trust("sm2-issuing.pem")))
    message = issuing["tbs_certificate"].dump()
    parts = _Signature.load(issuing["signature_value"].native)
    raw = b"".join(parts[name].native.to_bytes(COORDINATE_BYTES, "big") for name in ("r", "s"))
    point: bytes = root.public_key["public_key"].native
    verifier = sm2.CryptSM2(private_key="", public_key="")
    verifier.public_key = point[1:].hex()  # the constructor would strip leading digits 0 and 4 of the coordinate too

    def accepts(signature: bytes, content: bytes) -> bool:
        return bool(verifier.verify_with_sm3(signature.hex(), content))

    altered = {
        "another signature": (flipped(raw, -1), message),
        "another content": (raw, flipped(message, len(message) // 2)),
    }
    return [
        Verdict(
            judge="gmssl",
            version=importlib.metadata.version("gmssl"),
            judged="one SM2 signature with Z: the root's over sm2-issuing.pem",
            problem=None if accepts(raw, message) else "the signature does not verify",
            tampered=", ".join(altered),
            tolerated=tuple(name for name, copy in altered.items() if accepts(*copy)),
        )
    ]
