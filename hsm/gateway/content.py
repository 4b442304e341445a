"""What is to be signed: a message or its digest."""

from typing import NamedTuple

from trustcore.crypto import sm2
from trustcore.crypto.algorithms import DIGESTS, SIGNATURES, SignatureAlgorithm
from trustcore.crypto.digests import digest, sm3
from trustcore.errors import MalformedError

__all__ = ["Content", "DigestMaker"]

_LONGEST_IDENTIFIER = 8191
"""In bytes: GB/T 32918.2-2016 §5.5 writes its length in bits in two bytes."""


class Content(NamedTuple):
    """One of a message and a digest; a tuple, because a batch makes a thousand of them."""

    message: bytes | None = None
    digest: bytes | None = None
    """For SM2 e = SM3(Z ‖ M)."""
    identifier: bytes | None = None
    """The signer's SM2 identifier; ``1234567812345678`` where none is given."""


class DigestMaker:
    """Digests for one public key; Z is worked out once for each identifier. Not shared between threads."""

    def __init__(self, algorithm: SignatureAlgorithm, public_key_der: bytes) -> None:
        self._algorithm = algorithm
        self._hash = SIGNATURES[algorithm].digest
        self._size = DIGESTS[self._hash].size_bytes
        self._point = sm2.public_point(public_key_der) if algorithm is SignatureAlgorithm.SM2_SM3 else b""
        self._z: dict[bytes, bytes] = {}

    def make(self, content: Content) -> bytes:
        """The digest that a machine signs.

        Raises:
            MalformedError: ``hsm.content.ambiguous``, ``hsm.content.identifier``, ``hsm.digest.length``.
        """
        if (content.message is None) == (content.digest is None):
            raise MalformedError("Give either a message or its digest.", code="hsm.content.ambiguous")
        if content.identifier is not None:
            self._check_identifier(content)
        if content.digest is not None:
            if len(content.digest) != self._size:
                raise MalformedError(
                    f"A digest for {self._algorithm} has {self._size} bytes, not {len(content.digest)}.",
                    code="hsm.digest.length",
                    expected=self._size,
                )
            return content.digest
        assert content.message is not None
        if not self._point:
            return digest(self._hash, content.message)
        identifier = sm2.DEFAULT_ID if content.identifier is None else content.identifier
        z = self._z.get(identifier)
        if z is None:
            z = self._z[identifier] = sm2.z_value(self._point, identifier)
        return sm3(z + content.message)

    def prepare(self, content: Content) -> bytes | MalformedError:
        """As :meth:`make`, with the error as a value: in a batch it is one item's own."""
        try:
            return self.make(content)
        except MalformedError as error:
            return error

    def _check_identifier(self, content: Content) -> None:
        assert content.identifier is not None
        if content.digest is not None or not self._point:
            raise MalformedError(
                "An identifier goes with a message that is signed with SM2; a digest has it in Z already.",
                code="hsm.content.identifier",
            )
        if len(content.identifier) > _LONGEST_IDENTIFIER:
            raise MalformedError(
                f"An SM2 identifier has at most {_LONGEST_IDENTIFIER} bytes.", code="hsm.content.identifier"
            )
