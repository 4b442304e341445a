"""The PINs of the machines, encrypted under a secret that custodians share.

From the secret (16 octets) come, by HKDF (RFC 5869) over HMAC-SM3, one key that proves a reconstructed secret right and
one that encrypts each PIN with SM4-GCM. The proof comes first, so a wrong share never leads to a try of a wrong PIN,
which would lock the token.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from hsm.core.shamir import SECRET_BYTES, SET_ID_BYTES, Share, combine, split
from trustcore.crypto import sm4
from trustcore.errors import MalformedError, RejectedError

__all__ = ["GivenShares", "SealedPins", "open_pins", "seal_pins"]

_FORM = "xinyin-sealed-pins-1"
_SALT_BYTES = 32
_KEY_BYTES = 16
_HASH = "sm3"
_FIELDS = frozenset({"form", "set", "threshold", "shares", "made_at", "salt", "check", "pins"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPins:
    """What lies on the disk; useless without the shares."""

    set_id: bytes
    threshold: int
    shares: int
    """How many custodians there are."""
    made_at: datetime
    salt: bytes
    check: bytes
    """HMAC-SM3 that only the right secret gives."""
    pins: Mapping[str, bytes] = field(repr=False)
    """By name of the machine: nonce ‖ ciphertext ‖ tag."""

    def to_bytes(self) -> bytes:
        """JSON; octets are hexadecimal."""
        content = {
            "form": _FORM,
            "set": self.set_id.hex(),
            "threshold": self.threshold,
            "shares": self.shares,
            "made_at": self.made_at.isoformat(),
            "salt": self.salt.hex(),
            "check": self.check.hex(),
            "pins": {name: sealed.hex() for name, sealed in self.pins.items()},
        }
        return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote. Raises ``MalformedError`` (``hsm.activation.file``)."""
        try:
            content = json.loads(data)
            if not isinstance(content, dict) or set(content) != _FIELDS or content["form"] != _FORM:
                message = "not of this form"
                raise ValueError(message)  # noqa: TRY301 - told like all other damage
            return cls(
                set_id=bytes.fromhex(content["set"]),
                threshold=int(content["threshold"]),
                shares=int(content["shares"]),
                made_at=datetime.fromisoformat(content["made_at"]),
                salt=bytes.fromhex(content["salt"]),
                check=bytes.fromhex(content["check"]),
                pins={str(name): bytes.fromhex(sealed) for name, sealed in dict(content["pins"]).items()},
            )
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise MalformedError(
                "The file of the encrypted PINs is damaged; restore it from the backup, or share the PINs anew.",
                code="hsm.activation.file",
            ) from error


def seal_pins(
    pins: Mapping[str, str], *, threshold: int, count: int, at: datetime, random: Callable[[int], bytes]
) -> tuple[SealedPins, tuple[Share, ...]]:
    """Encrypt PINs under a new secret and share it.

    Args:
        pins: by name of the machine.
        threshold: how many custodians are needed.
        count: how many there are.
        at: now.
        random: source of the secret, the polynomial, salt and nonces.

    Raises:
        RejectedError: ``hsm.share.threshold``.
    """
    secret, set_id, salt = random(SECRET_BYTES), random(SET_ID_BYTES), random(_SALT_BYTES)
    shares = split(
        secret, threshold=threshold, count=count, set_id=set_id,
        coefficients=random(max(threshold - 1, 0) * SECRET_BYTES),
    )  # fmt: skip
    key = _derive(secret, salt, b"pins")[:_KEY_BYTES]
    sealed = {
        name: sm4.seal(key, random(sm4.NONCE_BYTES), pin.encode(), _associated(set_id, name))
        for name, pin in pins.items()
    }
    made = SealedPins(
        set_id=set_id, threshold=threshold, shares=count, made_at=at, salt=salt, check=b"", pins=sealed
    )  # fmt: skip
    return replace(made, check=_check(secret, made)), shares


def open_pins(sealed: SealedPins, shares: tuple[Share, ...]) -> Mapping[str, str]:
    """The PINs by name of the machine.

    Raises:
        RejectedError: ``hsm.share.other-set``, ``hsm.share.duplicate``, ``hsm.share.too-few``; ``hsm.share.wrong`` when
            the shares give another secret than the one shared.
        MalformedError: ``hsm.activation.file`` when an encrypted PIN was changed.
    """
    _check_set(sealed, shares)
    secret = combine(shares)
    if not hmac.compare_digest(_check(secret, sealed), sealed.check):
        raise RejectedError(
            "The shares do not give the secret: one of them was never issued for these machines, or the file of the "
            "encrypted PINs was changed. No PIN was tried.",
            code="hsm.share.wrong",
        )
    key = _derive(secret, sealed.salt, b"pins")[:_KEY_BYTES]
    try:
        return {
            name: sm4.open_sealed(key, data, _associated(sealed.set_id, name)).decode()
            for name, data in sealed.pins.items()
        }
    except MalformedError as error:
        raise MalformedError(
            "An encrypted PIN was changed; restore the file from the backup.", code="hsm.activation.file"
        ) from error


class GivenShares:
    """Shares as custodians give them, one after the other."""

    def __init__(self, sealed: SealedPins) -> None:
        self._sealed = sealed
        self._given: list[Share] = []

    @property
    def missing(self) -> int:
        """How many are still needed."""
        return self._sealed.threshold - len(self._given)

    def add(self, typed: str) -> None:
        """Take one share. One that is refused changes nothing.

        Raises:
            MalformedError: ``hsm.share.…`` for what is no share or mistyped.
            RejectedError: ``hsm.share.other-set``, ``hsm.share.duplicate``.
        """
        share = Share.from_text(typed)
        _check_set(self._sealed, (share,))
        if any(share.index == given.index for given in self._given):
            raise RejectedError("The same share was given twice.", code="hsm.share.duplicate")
        self._given.append(share)

    def open(self) -> Mapping[str, str]:
        """The PINs by name of the machine; raises as :func:`open_pins`."""
        return open_pins(self._sealed, tuple(self._given))


def _check_set(sealed: SealedPins, shares: tuple[Share, ...]) -> None:
    if any((share.set_id, share.threshold) != (sealed.set_id, sealed.threshold) for share in shares):
        raise RejectedError(
            "The share belongs to another set: it was issued before the PINs were last shared, or elsewhere.",
            code="hsm.share.other-set",
        )


def _associated(set_id: bytes, machine: str) -> bytes:
    return set_id + machine.encode()


def _derive(secret: bytes, salt: bytes, purpose: bytes) -> bytes:
    """HKDF with one block of output: 32 octets (RFC 5869 §2)."""
    extracted = hmac.digest(salt, secret, _HASH)
    return hmac.digest(extracted, b"xinyin sealed pins " + purpose + b"\x01", _HASH)


def _check(secret: bytes, sealed: SealedPins) -> bytes:
    said = f"{sealed.set_id.hex()} {sealed.threshold} {sealed.shares} {sealed.made_at.isoformat()}"
    return hmac.digest(_derive(secret, sealed.salt, b"check"), said.encode(), _HASH)
