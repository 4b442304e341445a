"""Personal data at rest: encrypted with SM4-GCM, looked up by keyed HMAC-SM3.

Identity numbers and phone numbers are stored only through a :class:`FieldCipher`. The field cipher's key is random,
wrapped to an SM2 key inside the machines and kept wrapped in the database (:func:`open_field_cipher`), so a copy of
the database alone shows nothing.
"""

import base64
import hmac
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import LargeBinary, String, select
from sqlalchemy.orm import Mapped, mapped_column

from trustcore import audit
from trustcore.crypto import sm2, sm4
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.database import Database, Model, UtcDateTime
from trustcore.signing import KeyPurpose, Keys, ensure_key

__all__ = ["DataKey", "FieldCipher", "open_field_cipher"]

_KEY_LABEL = "xinyin-data-protection"
_KEY_BYTES = 16


class FieldCipher:
    """Encrypts single fields. Safe to share between threads.

    Args:
        key: 16 bytes; the keys for encryption and for look-up are derived from it.
        random: source of nonces.
    """

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        self._encryption_key = sm3(b"xinyin field encryption" + key)[:_KEY_BYTES]
        self._lookup_key = sm3(b"xinyin field lookup" + key)
        self._random = random

    def encrypt(self, text: str) -> str:
        """Base64 of nonce, ciphertext and tag; another value each time."""
        return base64.b64encode(sm4.seal(self._encryption_key, self._random(sm4.NONCE_BYTES), text.encode())).decode()

    def decrypt(self, sealed: str) -> str:
        """The text of :meth:`encrypt`. ``MalformedError`` (``crypto.sm4.tag``) when it was changed."""
        return sm4.open_sealed(self._encryption_key, base64.b64decode(sealed)).decode()

    def lookup(self, text: str) -> str:
        """Hex of the keyed HMAC-SM3 (GB/T 15852.2-2024): equal texts give equal values; useless without the key."""
        return hmac.new(self._lookup_key, text.encode(), "sm3").hexdigest()


class DataKey(Model):
    """The key for data at rest, wrapped to a key inside the machines."""

    __tablename__ = "core_data_key"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    key_uri: Mapped[str] = mapped_column(String(300))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    """``SM2Cipher`` of the 16-byte key."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


def open_field_cipher(database: Database, keys: Keys, clock: Callable[[], datetime]) -> FieldCipher:
    """The installation's field cipher; its key is made at the first call.

    Of two processes that start at once, one stores its key and both use that one.
    """
    with database.transaction() as session:
        row = session.get(DataKey, _KEY_LABEL)
    if row is None:
        row = _make_key(database, keys, clock)
    return FieldCipher(keys.decrypt(row.key_uri, row.wrapped), keys.random)


def _make_key(database: Database, keys: Keys, clock: Callable[[], datetime]) -> DataKey:
    uri = ensure_key(keys, _KEY_LABEL, KeyAlgorithm.SM2, purpose=KeyPurpose.ENCRYPTION)
    point = sm2.public_point(keys.signer(uri).public_key_der)
    wrapped = sm2.encrypt(point, keys.random(_KEY_BYTES))
    with database.transaction() as session:
        row = session.scalars(select(DataKey).where(DataKey.name == _KEY_LABEL)).one_or_none()
        if row is None:
            row = DataKey(name=_KEY_LABEL, key_uri=uri, wrapped=wrapped, created_at=clock())
            session.add(row)
            audit.record(session, at=clock(), actor="system", action="core.data-key.created", subject=_KEY_LABEL)
    return row
