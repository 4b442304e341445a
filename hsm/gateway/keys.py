"""Keys as callers name them: by label, by URI, by public key or by certificate."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from hsm.core import rights
from hsm.core.rights import KeyFacts
from hsm.core.uri import key_uri, label_of
from hsm.store import keys as store
from hsm.store.keys import KeyRecord
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.database import Database
from trustcore.errors import ForbiddenError, MalformedError, NotFoundError, RejectedError
from trustcore.x509.certificate import Certificate
from trustcore.x509.public_keys import PublicKeyInfo

__all__ = ["KeyDirectory", "KeySource", "algorithm_of", "facts_of"]

_REMEMBERED_SECONDS = 2.0
"""How long another process' change of a key's purpose or state may go unseen here. The machines' keeper, which is
asked at each use, sees a state at once."""
_PREFERRED = (
    SignatureAlgorithm.SM2_SM3,
    SignatureAlgorithm.ECDSA_SHA256,
    SignatureAlgorithm.RSA_SHA256,
    SignatureAlgorithm.RSA_SHA384,
    SignatureAlgorithm.RSA_SHA512,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySource:
    """A public key, in one of three ways."""

    key: str | None = None
    """Label or URI of a key in the machines."""
    public_key_der: bytes | None = None
    """SubjectPublicKeyInfo."""
    certificate_der: bytes | None = None


class KeyDirectory:
    """Finds keys of the machines. Safe to share between threads.

    Args:
        database: where ``hsm_key`` is.
        closed: patterns of labels that the gateway serves to nobody.
    """

    def __init__(self, database: Database, closed: Sequence[str]) -> None:
        self._database = database
        self._closed = tuple(closed)
        self._known: dict[str, tuple[float, KeyRecord]] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> KeyRecord:
        """The key with this label or URI.

        Raises:
            MalformedError: ``hsm.key.…`` for what is neither.
            ForbiddenError: ``hsm.key.closed`` for a key that the gateway serves to nobody.
            NotFoundError: ``hsm.key.not-found``.
        """
        label = label_of(name) if name.startswith("pkcs11:") else name
        key_uri(label)
        self.check_open(label)
        with self._lock:
            known = self._known.get(label)
        if known is not None and time.monotonic() - known[0] < _REMEMBERED_SECONDS:
            return known[1]
        with self._database.transaction() as session:
            record = store.key_record(session, label)
        if record is None or record.created_at is None or record.algorithm == store.WRAPPING_ALGORITHM:
            raise NotFoundError(f"There is no key {label}.", code="hsm.key.not-found", label=label)
        with self._lock:
            self._known[label] = (time.monotonic(), record)
        return record

    def check_open(self, label: str) -> None:
        """Refuse labels of the platform itself. Raises ``ForbiddenError`` (``hsm.key.closed``)."""
        if any(rights.matches(pattern, label) for pattern in self._closed):
            raise ForbiddenError(
                f"The key {label} belongs to the platform itself and is not served.", code="hsm.key.closed", label=label
            )

    def public_key(self, source: KeySource) -> tuple[bytes, KeyRecord | None]:
        """The public key that a caller means, and the record where it is one of the machines'.

        Raises:
            MalformedError: ``hsm.source.…`` when nothing, more than one thing, or something unreadable was given.
        """
        given = [item for item in (source.key, source.public_key_der, source.certificate_der) if item is not None]
        if len(given) != 1:
            raise MalformedError(
                "Give one of a key's name, a public key and a certificate.", code="hsm.source.ambiguous"
            )
        if source.key is not None:
            record = self.find(source.key)
            if record.public_key_der is None:
                raise RejectedError(
                    f"The key {record.label} is secret; it has no public half.", code="hsm.key.secret",
                    label=record.label,
                )  # fmt: skip
            return record.public_key_der, record
        try:
            if source.certificate_der is not None:
                return Certificate.from_der(source.certificate_der).public_key_der, None
            assert source.public_key_der is not None
            PublicKeyInfo.from_der(source.public_key_der)
        except MalformedError as error:
            what = "certificate" if source.certificate_der is not None else "public key"
            raise MalformedError(f"The {what} cannot be read.", code="hsm.source.unreadable") from error
        return source.public_key_der, None


def facts_of(record: KeyRecord) -> KeyFacts:
    """What rights look at."""
    return KeyFacts(label=record.label, purpose=record.purpose)


def algorithm_of(public_key_der: bytes, wanted: SignatureAlgorithm | None = None) -> SignatureAlgorithm:
    """The signature that a public key verifies: with SM3 for SM2, with SHA-256 otherwise, unless another is wanted.

    Raises:
        RejectedError: ``hsm.source.algorithm`` for a key that verifies none of ours, or not the one wanted.
    """
    info = PublicKeyInfo.from_der(public_key_der)
    for algorithm in _PREFERRED:
        if info.serves(algorithm) and wanted in {None, algorithm}:
            return algorithm
    what = wanted or "any signature of this gateway"
    raise RejectedError(f"A key of the kind {info.name} does not verify {what}.", code="hsm.source.algorithm")
