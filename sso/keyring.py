"""The key that signs tokens, in the encryption machines, and the keys that tokens are verified with."""

from collections.abc import Mapping
from threading import Lock

from sso.core import jose
from sso.core.jose import KeySet, TokenType
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.errors import InternalError
from trustcore.signing import Keys, Signer, ensure_key

__all__ = ["Keyring"]


class Keyring:
    """Signs tokens. Safe to share between threads; nothing is asked of a machine before the first use.

    Args:
        keys: the machines.
        label: of the signing key; a P-256 pair is made under it when there is none.
        previous_labels: of keys whose tokens may still be about.
    """

    def __init__(self, keys: Keys, *, label: str, previous_labels: tuple[str, ...] = ()) -> None:
        self._keys = keys
        self._label = label
        self._previous_labels = previous_labels
        self._lock = Lock()
        self._opened: tuple[Signer, KeySet] | None = None

    @property
    def public_keys(self) -> KeySet:
        """The signing key first, then its predecessors."""
        return self._open()[1]

    def sign(self, *tokens: tuple[TokenType, Mapping[str, object]]) -> tuple[str, ...]:
        """Each of the tokens in compact serialization, signed in one call to the machine."""
        signer, public = self._open()
        kid = public.jwks[0]["kid"]
        inputs = [jose.signing_input(claims, typ=typ, kid=kid) for typ, claims in tokens]
        signatures = signer.sign_many([sha256(signed) for signed in inputs])
        return tuple(jose.compact(signed, signature) for signed, signature in zip(inputs, signatures, strict=True))

    def _open(self) -> tuple[Signer, KeySet]:
        with self._lock:
            if self._opened is None:
                signer = self._keys.signer(ensure_key(self._keys, self._label, KeyAlgorithm.EC_P256))
                previous = [self._keys.signer(self._find(label)) for label in self._previous_labels]
                jwks = tuple(jose.public_jwk(one.public_key_der) for one in (signer, *previous))
                self._opened = signer, KeySet(jwks)
            return self._opened

    def _find(self, label: str) -> str:
        uri = self._keys.find(label)
        if uri is None:
            raise InternalError("A token signing key of the settings does not exist.", code="sso.key.not-found")
        return uri
