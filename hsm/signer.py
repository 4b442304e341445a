"""A key in the machines, as the rest of the product sees it."""

from collections.abc import Callable, Sequence
from functools import partial

from hsm.machine import MachineKey
from hsm.pool import Pool, RepeatableMachine
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import DIGESTS, SIGNATURES, SignatureAlgorithm
from trustcore.crypto.digests import digest, sm3
from trustcore.errors import MalformedError

__all__ = ["PoolSigner"]

_MOST_TOGETHER = 64
_FEWEST_TOGETHER = 4
_CHUNKS_PER_MACHINE = 2


def _no_limit(_signatures: int) -> None:
    """Let every signature pass."""


class PoolSigner:
    """A :class:`trustcore.signing.Signer` over a key of the pool. Safe to share between threads.

    Args:
        pool: the machines.
        key: the key pair.
        holders: names of the machines that hold it now; asked at each call, because replication adds some.
        certificate: DER certificate over the key, where one was given.
        spend: called before so many signatures; raises when the key may not make them.
    """

    def __init__(
        self,
        pool: Pool,
        key: MachineKey,
        holders: Callable[[], Sequence[str]],
        certificate: bytes | None = None,
        *,
        spend: Callable[[int], None] = _no_limit,
    ) -> None:
        self._pool = pool
        self._key = key
        self._holders = holders
        self._details = SIGNATURES[key.algorithm.signature]
        self._digest_bytes = DIGESTS[self._details.digest].size_bytes
        self._z = (
            sm2.z_value(sm2.public_point(key.public_key_der))
            if self._details.algorithm is SignatureAlgorithm.SM2_SM3
            else b""
        )
        self._spend = spend
        self.certificate = certificate

    def __repr__(self) -> str:
        return f"PoolSigner({self._key.reference.label!r}, {self.algorithm.value!r})"

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What :meth:`sign` computes."""
        return self._details.algorithm

    @property
    def public_key_der(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        return self._key.public_key_der

    def sign(self, message: bytes) -> bytes:
        """Sign a message; for SM2 with Z of the default identifier, which is computed once per signer."""
        if self._z:
            return self.sign_digest(sm3(self._z + message))
        return self.sign_digest(digest(self._details.digest, message))

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a digest; for SM2 e. Raises ``MalformedError`` (``hsm.digest.length``) for one of another length."""
        self._check(digest)
        self._spend(1)
        return self._pool.run(
            self._holders(), lambda machine: machine.sign_digest(self._key, digest), key=self._key, signatures=1
        )

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests, answers in order; all machines that hold the key share them."""
        for item in digests:
            self._check(item)
        if not digests:
            return []
        self._spend(len(digests))
        holders = self._holders()
        size = _chunk_size(len(digests), len(holders))
        chunks = [digests[start : start + size] for start in range(0, len(digests), size)]
        answers = self._pool.run_all(
            holders, [(partial(_sign_chunk, self._key, chunk), len(chunk)) for chunk in chunks], key=self._key
        )
        return [signature for answer in answers for signature in answer]

    def _check(self, digest: bytes) -> None:
        if len(digest) != self._digest_bytes:
            raise MalformedError(
                f"A digest to be signed with {self.algorithm} has {self._digest_bytes} bytes, not {len(digest)}.",
                code="hsm.digest.length",
                expected=self._digest_bytes,
            )


def _sign_chunk(key: MachineKey, digests: Sequence[bytes], machine: RepeatableMachine) -> list[bytes]:
    return machine.sign_digests(key, digests)


def _chunk_size(count: int, machines: int) -> int:
    """How many signatures one call makes: enough to pay for its way, few enough that every machine gets some."""
    even = -(-count // max(machines * _CHUNKS_PER_MACHINE, 1))
    return min(max(even, _FEWEST_TOGETHER), _MOST_TOGETHER)
