"""The gateway of another installation as this one's keys: the HTTP twin of :class:`hsm.service.HsmService`.

A process without machines of its own, an application server in another zone, gets :class:`HsmClient` where it would get
the service: both are :class:`trustcore.signing.Keys`. Transport is the SDK that business systems use
(:mod:`hsm.sdk.xinyin_hsm`); here its errors become those of the product.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar
from urllib.parse import quote

from hsm.core.uri import key_uri, label_of
from hsm.sdk import xinyin_hsm as sdk
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import DIGESTS, SIGNATURES, KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import digest, sm3
from trustcore.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    LimitedError,
    MalformedError,
    NotFoundError,
    RejectedError,
    TrustError,
    UnauthenticatedError,
)
from trustcore.signing import KeyPurpose, Signer

__all__ = ["GatewaySigner", "HsmClient"]

_T = TypeVar("_T")
_RANDOM_AT_ONCE = 65_536
_MALFORMED_STATUS = 400
_KINDS: tuple[tuple[type[sdk.GatewayError], type[TrustError]], ...] = (
    (sdk.UnauthenticatedError, UnauthenticatedError),
    (sdk.ForbiddenError, ForbiddenError),
    (sdk.NotFoundError, NotFoundError),
    (sdk.ConflictError, ConflictError),
    (sdk.LimitedError, LimitedError),
    (sdk.BusyError, BusyError),
)


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of the gateway as errors of the product, with the code that the gateway gave."""
    try:
        yield
    except sdk.GatewayError as error:
        raise _translate(error) from error


def _translate(error: sdk.GatewayError) -> TrustError:
    code = error.code if error.code.startswith(("hsm.", "auth.", "crypto.")) else f"hsm.gateway.{error.code}"
    facts = {name: value for name, value in error.facts.items() if isinstance(value, (str, int))}
    for raised, kind in _KINDS:
        if isinstance(error, raised):
            return kind(error.detail, code=code, **facts)
    kind = MalformedError if error.status == _MALFORMED_STATUS else RejectedError
    return kind(error.detail, code=code, **facts)


class GatewaySigner:
    """A :class:`trustcore.signing.Signer` whose key is behind a gateway. Safe to share between threads."""

    def __init__(self, gateway: sdk.Gateway, public_key: sdk.PublicKey, certificate: bytes | None = None) -> None:
        self._gateway = gateway
        self._label = public_key.label
        self._details = SIGNATURES[KeyAlgorithm(public_key.algorithm).signature]
        self._digest_bytes = DIGESTS[self._details.digest].size_bytes
        self._z = b""
        if self._details.algorithm is SignatureAlgorithm.SM2_SM3:
            self._z = sm2.z_value(sm2.public_point(public_key.der))
        self.public_key_der = public_key.der
        self.certificate = certificate

    def __repr__(self) -> str:
        return f"GatewaySigner({self._label!r}, {self.algorithm.value!r})"

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What :meth:`sign` computes."""
        return self._details.algorithm

    def sign(self, message: bytes) -> bytes:
        """Sign a message; only its digest travels."""
        if self._z:
            return self.sign_digest(sm3(self._z + message))
        return self.sign_digest(digest(self._details.digest, message))

    def sign_digest(self, message_digest: bytes) -> bytes:
        """Sign a digest; for SM2 e. Raises ``MalformedError`` (``hsm.digest.length``) for one of another length."""
        self._check(message_digest)
        with _translated():
            return self._gateway.sign(self._label, digest=message_digest).octets

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests, answers in order; the first that cannot be signed raises."""
        for item in digests:
            self._check(item)
        with _translated():
            results = self._gateway.sign_many(self._label, digests=digests)
        signatures: list[bytes] = []
        for result in results:
            if isinstance(result, sdk.GatewayError):
                raise _translate(result) from result
            signatures.append(result.octets)
        return signatures

    def _check(self, message_digest: bytes) -> None:
        if len(message_digest) != self._digest_bytes:
            raise MalformedError(
                f"A digest to be signed with {self.algorithm} has {self._digest_bytes} bytes, "
                f"not {len(message_digest)}.",
                code="hsm.digest.length",
                expected=self._digest_bytes,
            )


class HsmClient:
    """A :class:`trustcore.signing.Keys` over a gateway. Safe to share between threads.

    Args:
        gateway: with a token or client credentials for it.
    """

    def __init__(self, gateway: sdk.Gateway) -> None:
        self._gateway = gateway

    def generate(self, label: str, algorithm: KeyAlgorithm, *, purpose: KeyPurpose = KeyPurpose.SIGNING) -> str:
        """Make a key pair in the machines behind the gateway, and return its URI.

        Raises ``ConflictError`` (``hsm.key.exists``) when the label is taken, ``ForbiddenError`` when the application
        may not make keys.
        """
        key_uri(label)
        body = {"label": label, "algorithm": algorithm.value, "purpose": purpose.value}
        with _translated():
            return str(self._gateway.call("POST", "/v1/keys", body)["uri"])

    def find(self, label: str, *, purpose: KeyPurpose | None = None) -> str | None:
        """URI of the key with this label, or ``None``. Raises ``RejectedError`` (``hsm.key.purpose``)."""
        key_uri(label)
        try:
            found = self._ask(lambda: self._gateway.call("GET", f"/v1/public-keys/{quote(label, safe='')}"))
        except NotFoundError:
            return None
        if purpose not in {None, found["purpose"]}:
            raise RejectedError(
                f"The key {label} is for {found['purpose']} and not for {purpose}.", code="hsm.key.purpose", label=label
            )
        return str(found["uri"])

    def signer(self, key_uri: str, *, certificate: bytes | None = None) -> Signer:
        """A signer with this key. Raises ``NotFoundError`` (``hsm.key.not-found``)."""
        label = label_of(key_uri)
        return GatewaySigner(self._gateway, self._ask(lambda: self._gateway.public_key(label)), certificate)

    def decrypt(self, key_uri: str, ciphertext_der: bytes) -> bytes:
        """Decrypt an ``SM2Cipher`` (GB/T 35276-2017 §7.2) behind the gateway."""
        label = label_of(key_uri)
        return self._ask(lambda: self._gateway.decrypt(label, ciphertext_der))

    def random(self, length: int) -> bytes:
        """Random octets from a machine behind the gateway."""
        if length < 0:
            raise MalformedError("Nobody gives less than no random bytes.", code="hsm.random.length")
        parts = (min(_RANDOM_AT_ONCE, length - start) for start in range(0, length, _RANDOM_AT_ONCE))
        return b"".join(self._ask(partial(self._gateway.random, part)) for part in parts)

    def close(self) -> None:
        """Close the connections."""
        self._gateway.close()

    @staticmethod
    def _ask(ask: Callable[[], _T]) -> _T:
        with _translated():
            return ask()
