"""Envelope keys for data at rest: SM4 keys made of a machine's random octets and kept under a key in the machines.

A data key has a name and versions. The newest version protects new data; the others open what they protected, for as
long as there is such data. A version is wrapped with SM4-GCM under an SM4 key of the machines (GB/T 36624-2018), bound
to its name and number, or, where no machine has SM4, as an ``SM2Cipher`` (GB/T 35276-2017 §7.2). Re-wrapping changes
that outer key only.

An unwrapped key stays in this process's memory for some minutes at most and is overwritten then, as far as Python lets
us: copies made on the way are not.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.exc import IntegrityError

from hsm.core.profiles import CipherMode
from hsm.core.uri import label_of
from hsm.store import data_keys as store
from hsm.store.data_keys import DataKeyRecord
from trustcore import audit
from trustcore.crypto import sm2, sm4
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import ConflictError, InternalError, MalformedError, NotFoundError, TrustError
from trustcore.protection import FIELD_KEY, DataKey
from trustcore.signing import KeyPurpose, Keys, ensure_key

__all__ = ["DataKeyStatus", "DataKeys", "EnvelopeKeys"]

_KEY_BYTES = 16
_VERSION_BYTES = 4
_LIFETIME_SECONDS = 300.0
_LOOK_AGAIN_SECONDS = 30.0
_MOST = 64
_SM2, _SM4 = "sm2", "sm4-gcm"
_CANNOT = "hsm.machine.cannot"
_OUTER = re.compile(r"-kek-(\d+)(?:-sm2)?$")


class EnvelopeKeys(Keys, Protocol):
    """The keys of the machines, SM4 keys among them."""

    def generate_sm4(self, label: str, *, purpose: KeyPurpose = KeyPurpose.ENCRYPTION) -> str:
        """Make an SM4 key and return its URI."""

    def sm4_encrypt(self, key_uri: str, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b"") -> bytes:
        """Encrypt inside a machine."""

    def sm4_decrypt(self, key_uri: str, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b"") -> bytes:
        """Decrypt inside a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeyStatus:
    """One version of a data key."""

    name: str
    version: int
    current: bool
    """Whether it protects new data."""
    form: str
    key_uri: str
    """Of the key that it is wrapped under."""
    created_at: datetime
    rewrapped_at: datetime | None


@dataclass(slots=True)
class _Open:
    key: bytearray
    until: float


class DataKeys:
    """The data keys of an installation. Safe to share between threads.

    Not for use inside a transaction, because it makes its own; :class:`hsm.keys.ring.DataKeyRing` is.

    Args:
        database: where they are, wrapped.
        keys: the keys of the machines.
        clock: aware UTC time.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        database: Database,
        keys: EnvelopeKeys,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, int], _Open] = OrderedDict()
        self._newest: dict[str, tuple[int, float]] = {}

    def seal(self, name: str, plaintext: bytes, associated: bytes = b"") -> bytes:
        """Encrypt with the newest version, which is made at the first call: version ‖ nonce ‖ ciphertext ‖ tag."""
        version, key = self.current(name)
        head = version.to_bytes(_VERSION_BYTES)
        return head + sm4.seal(key, self._keys.random(sm4.NONCE_BYTES), plaintext, head + associated)

    def open(self, name: str, sealed: bytes, associated: bytes = b"") -> bytes:
        """The plaintext of :meth:`seal`, of any version.

        Raises:
            MalformedError: ``crypto.sm4.tag`` when anything was changed.
            NotFoundError: ``hsm.data-key.not-found`` for a version that was never made.
        """
        head, body = sealed[:_VERSION_BYTES], sealed[_VERSION_BYTES:]
        if len(head) < _VERSION_BYTES:
            raise MalformedError("The encrypted value is cut short.", code="crypto.sm4.tag")
        return sm4.open_sealed(self.key(name, int.from_bytes(head)), body, head + associated)

    def current(self, name: str) -> tuple[int, bytes]:
        """The newest version and its key; made when there is none. Other processes' rotations are seen in 30 s."""
        now = self._monotonic()
        with self._lock:
            known = self._newest.get(name)
        if known is None or now >= known[1]:
            with self._database.transaction() as session:
                version = store.newest(session, name)
            version = version or self._adopt(name) or self._make(name, 1, actor="system")
            with self._lock:
                self._newest[name] = (version, now + _LOOK_AGAIN_SECONDS)
        else:
            version = known[0]
        return version, self.key(name, version)

    def key(self, name: str, version: int) -> bytes:
        """The key of one version. Raises ``NotFoundError`` (``hsm.data-key.not-found``)."""
        with self._lock:
            self._forget_old()
            entry = self._open.get((name, version))
            if entry is not None:
                self._open.move_to_end((name, version))
                return bytes(entry.key)
        key = self._unwrap(self._record(name, version))
        with self._lock:
            self._forget((name, version))
            self._open[name, version] = _Open(bytearray(key), self._monotonic() + _LIFETIME_SECONDS)
            while len(self._open) > _MOST:
                self._forget(next(iter(self._open)))
        return key

    def rotate(self, name: str, *, actor: str) -> int:
        """Make a new version for new data; its number. Of two rotations at once, one makes it and both answer it."""
        version, _ = self.current(name)
        made = self._make(name, version + 1, actor=actor)
        with self._lock:
            self._newest.pop(name, None)
        return made

    def rewrap(self, name: str, *, actor: str) -> int:
        """Bring all versions under a fresh key of the machines; how many. The earlier outer key can be retired then.

        A call that was cut off is made again: what it had done stays, and the rest follows.
        """
        self.current(name)
        with self._database.transaction() as session:
            records = store.records(session, name)
        numbers = {_outer_number(record.key_uri) for record in records}
        # Two outer keys at once are what a re-wrapping leaves that was cut off.
        number = max(numbers) if len(numbers) > 1 else max(numbers) + 1
        for record in records:
            if _outer_number(record.key_uri) == number:
                continue
            form, key_uri, wrapped = self._wrap(name, record.version, self._unwrap(record), number)
            with self._database.transaction() as session:
                store.rewrap(
                    session, name, record.version, form=form, key_uri=key_uri, wrapped=wrapped, at=self._clock()
                )
        self._rewrap_adopted(name, number)
        with self._database.transaction() as session:
            audit.record(
                session, at=self._clock(), actor=actor, action="hsm.data-key.rewrapped", subject=name,
                facts={"versions": str(len(records))},
            )  # fmt: skip
        return len(records)

    def versions(self) -> tuple[DataKeyStatus, ...]:
        """All versions of all data keys, the installation's own from before versions among them."""
        with suppress(NotFoundError):
            self._adopt(FIELD_KEY)
        with self._database.transaction() as session:
            records = store.records(session)
        newest = {record.name: record.version for record in records}
        return tuple(
            DataKeyStatus(
                name=record.name, version=record.version, current=newest[record.name] == record.version,
                form=record.form, key_uri=record.key_uri, created_at=record.created_at,
                rewrapped_at=record.rewrapped_at,
            )
            for record in records
        )  # fmt: skip

    def close(self) -> None:
        """Overwrite what is open."""
        with self._lock:
            for place in list(self._open):
                self._forget(place)

    def _record(self, name: str, version: int) -> DataKeyRecord:
        with self._database.transaction() as session:
            record = store.of_version(session, name, version)
        if record is None:
            raise NotFoundError(
                f"There is no version {version} of the data key {name}.",
                code="hsm.data-key.not-found", name=name, version=version,
            )  # fmt: skip
        return record

    def _adopt(self, name: str) -> int:
        """Take over the key that an installation had before data keys had versions, as version 1; 0 without one."""
        try:
            return self._adopt_now(name)
        except IntegrityError:  # another process just did
            with self._database.transaction() as session:
                return store.newest(session, name)

    def _adopt_now(self, name: str) -> int:
        with self._database.transaction() as session:
            row = session.get(DataKey, name)
            if row is None and name == FIELD_KEY:
                raise NotFoundError(
                    f"The data key {name} is made when an installation is opened first.", code="hsm.data-key.not-found"
                )
            if row is None:
                return 0
            if store.newest(session, name) == 0:
                store.add(
                    session,
                    DataKeyRecord(
                        name=name, version=1, form=_SM2, key_uri=row.key_uri, wrapped=row.wrapped,
                        created_at=row.created_at,
                    ),
                )  # fmt: skip
                audit.record(session, at=self._clock(), actor="system", action="hsm.data-key.adopted", subject=name)
            return store.newest(session, name)

    def _make(self, name: str, version: int, *, actor: str) -> int:
        """Make a version, unless another process just did."""
        with self._database.transaction() as session:
            records = store.records(session, name)
        number = max((_outer_number(record.key_uri) for record in records), default=0) or 1
        form, key_uri, wrapped = self._wrap(name, version, self._keys.random(_KEY_BYTES), number)
        now = self._clock()
        try:
            with self._database.transaction() as session:
                if store.newest(session, name) < version:
                    record = DataKeyRecord(
                        name=name, version=version, form=form, key_uri=key_uri, wrapped=wrapped, created_at=now
                    )
                    store.add(session, record)
                    audit.record(
                        session, at=now, actor=actor, action="hsm.data-key.created", subject=name,
                        facts={"version": str(version), "form": form},
                    )  # fmt: skip
                return store.newest(session, name)
        except IntegrityError:
            with self._database.transaction() as session:
                return store.newest(session, name)

    def _wrap(self, name: str, version: int, key: bytes, number: int) -> tuple[str, str, bytes]:
        """Form, URI of the outer key, and the wrapped key."""
        uri = self._sm4_key(f"{name}-kek-{number}")
        if uri is None:
            return (_SM2, *self._wrap_sm2(name, key, number))
        iv = self._keys.random(sm4.NONCE_BYTES)
        wrapped = self._keys.sm4_encrypt(uri, CipherMode.GCM, key, iv=iv, associated=_bound(name, version))
        return _SM4, uri, iv + wrapped

    def _wrap_sm2(self, name: str, key: bytes, number: int) -> tuple[str, bytes]:
        label = f"{name}-kek-{number}-sm2"
        uri = ensure_key(self._keys, label, KeyAlgorithm.SM2, purpose=KeyPurpose.ENCRYPTION)
        return uri, sm2.encrypt(sm2.public_point(self._keys.signer(uri).public_key_der), key)

    def _sm4_key(self, label: str) -> str | None:
        """URI of the SM4 key with this label, made when there is none; ``None`` where machines have no SM4."""
        try:
            return self._keys.find(label) or self._keys.generate_sm4(label)
        except ConflictError:
            return self._keys.find(label)
        except TrustError as error:
            if error.code == _CANNOT:
                return None
            raise

    def _unwrap(self, record: DataKeyRecord) -> bytes:
        if record.form == _SM2:
            key = self._keys.decrypt(record.key_uri, record.wrapped)
        else:
            iv, wrapped = record.wrapped[: sm4.NONCE_BYTES], record.wrapped[sm4.NONCE_BYTES :]
            bound = _bound(record.name, record.version)
            key = self._keys.sm4_decrypt(record.key_uri, CipherMode.GCM, wrapped, iv=iv, associated=bound)
        if len(key) != _KEY_BYTES:
            raise InternalError(
                f"Version {record.version} of the data key {record.name} is damaged; restore the database.",
                code="hsm.data-key.damaged",
            )
        return key

    def _rewrap_adopted(self, name: str, number: int) -> None:
        """Bring the row that earlier versions of the program read under a fresh key, too."""
        with self._database.transaction() as session:
            if session.get(DataKey, name) is None:
                return
        uri, wrapped = self._wrap_sm2(name, self.key(name, 1), number)
        with self._database.transaction() as session:
            row = session.get_one(DataKey, name)
            row.key_uri, row.wrapped = uri, wrapped

    def _forget_old(self) -> None:
        now = self._monotonic()
        for place in [place for place, entry in self._open.items() if now >= entry.until]:
            self._forget(place)

    def _forget(self, place: tuple[str, int]) -> None:
        entry = self._open.pop(place, None)
        if entry is not None:
            entry.key[:] = bytes(len(entry.key))


def _bound(name: str, version: int) -> bytes:
    """What a wrapped key is authenticated with, so that rows cannot be exchanged."""
    return f"xinyin data key {name} {version}".encode()


def _outer_number(key_uri: str) -> int:
    """Number of the outer key; 0 for one from before they were numbered."""
    found = _OUTER.search(label_of(key_uri))
    return int(found[1]) if found else 0
