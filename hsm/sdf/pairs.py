"""Which key pair of an SDF machine became which key: kept outside, because SDF knows numbers and no labels."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy.exc import IntegrityError

from hsm.machine import KeyReference
from hsm.store import sdf as store
from trustcore.database import Database

__all__ = ["KeptPairs", "Pairs"]


class Pairs(Protocol):
    """What a driver asks of the book of pairs."""

    def take(self, reference: KeyReference, public_key_der: bytes) -> bool:
        """Let the key have the pair; ``False`` when another key has it, or had it before it was destroyed."""

    def public_key(self, reference: KeyReference) -> bytes | None:
        """SubjectPublicKeyInfo of the pair that the key has."""

    def release(self, reference: KeyReference) -> bool:
        """End the key; whether it was ever ready, so that its pair is used up."""


class KeptPairs:
    """The book in the database.

    A pair is taken in one transaction before anybody hears of the key, and a pair taken for an attempt that died is
    free again as soon as the request is made anew under another identifier: ``hsm_key`` says which attempt counts.
    """

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def take(self, reference: KeyReference, public_key_der: bytes) -> bool:
        """See :meth:`Pairs.take`."""
        try:
            with self._database.transaction() as session:
                return store.take(session, reference, public_key_der, at=self._clock())
        except IntegrityError:
            return False

    def public_key(self, reference: KeyReference) -> bytes | None:
        """See :meth:`Pairs.public_key`."""
        with self._database.transaction() as session:
            return store.public_key(session, reference)

    def release(self, reference: KeyReference) -> bool:
        """See :meth:`Pairs.release`."""
        with self._database.transaction() as session:
            return store.release(session, reference, at=self._clock())
