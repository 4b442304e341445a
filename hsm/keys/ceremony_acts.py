"""What is done in the steps of a key ceremony."""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from hsm.core.ceremony import Ceremony, PlannedKey
from hsm.core.ceremony_plan import PlannedStep, StepKind
from hsm.core.ceremony_transcript import key_facts
from hsm.machine import Machine, MachineKey
from hsm.pool import Pool
from hsm.store import ceremony as store
from hsm.store import keys as key_store
from hsm.store.keys import KeyRecord
from trustcore.crypto.digests import sm3
from trustcore.crypto.verify import verify_digest
from trustcore.database import Database
from trustcore.errors import ConflictError, NotFoundError
from trustcore.signing import Keys
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import build_request

__all__ = ["CeremonyActs", "MakeKey", "actor"]

MakeKey = Callable[[PlannedKey, str], object]
"""Makes a key as the file describes it; the second argument is the actor for the audit trail."""


def actor(identifier: str) -> str:
    """Who acts, for the audit trail."""
    return f"ceremony:{identifier}"


class CeremonyActs:
    """Does the steps. Each may be done again; a key is made only while nothing has its label.

    Args:
        database: where the keys are recorded.
        pool: the machines.
        keys: the keys in them.
        make_key: makes a key.
        sharing: threshold and number of the shares of the activation secret, or ``None`` when it is not shared.
        software: names of the software machines.
    """

    def __init__(
        self,
        database: Database,
        pool: Pool,
        keys: Keys,
        *,
        make_key: MakeKey,
        sharing: Callable[[], Mapping[str, str] | None],
        software: Collection[str],
    ) -> None:
        self._database = database
        self._pool = pool
        self._keys = keys
        self._make_key = make_key
        self._sharing = sharing
        self.machines = pool.names
        """Names of all machines."""
        self.software = frozenset(software)
        """Names of the software machines."""

    def do(self, identifier: str, file: Ceremony, planned: PlannedStep) -> Mapping[str, str]:
        """Do one step; what was found, by name. Raises whatever the machines raise."""
        subject = planned.subject
        acts: dict[StepKind, Callable[[], Mapping[str, str]]] = {
            StepKind.PERSON: lambda: planned.expected,
            StepKind.MACHINE: lambda: self.look_at(subject),
            StepKind.ABSENT: lambda: self._look_for(subject),
            StepKind.ACTIVATION: lambda: self._sharing() or {"threshold": "", "shares": ""},
            StepKind.GENERATE: lambda: self._generate(identifier, file, subject),
            StepKind.PROVE: lambda: self._prove(identifier, file.holders(_key_of(file, subject)), subject),
            StepKind.REQUEST: lambda: self._request(planned),
            StepKind.CLOSE: dict,
        }
        return acts[planned.kind]()

    def _look_for(self, label: str) -> Mapping[str, str]:
        with self._database.transaction() as session:
            return {"present": "yes" if store.has_key(session, label) else "no"}

    def look_at(self, name: str) -> Mapping[str, str]:
        """What a machine says of itself."""
        info = self._pool.ask(name, lambda machine: machine.connect())
        return {
            "serial": info.serial.strip(),
            "manufacturer": info.manufacturer.strip(),
            "model": info.model.strip(),
            "library": info.library.strip(),
            "software": "yes" if name in self.software else "no",
        }

    def _generate(self, identifier: str, file: Ceremony, label: str) -> Mapping[str, str]:
        if self._keys.find(label) is None:
            # Another terminal at this ceremony may be making it, too: what counts is who asked for the key.
            try:
                self._make_key(_key_of(file, label), actor(identifier))
            except ConflictError:
                if self._keys.find(label) is None:
                    raise
        record = self._key(label)
        with self._database.transaction() as session:
            if store.requester(session, record.uri) != actor(identifier):
                raise ConflictError(
                    f"The key with the label {label} was made outside the ceremony after it began; it is not taken for "
                    "the ceremony's.",
                    code="hsm.ceremony.key-exists",
                    label=label,
                )
        facts = {
            "algorithm": record.algorithm,
            "purpose": record.purpose.value,
            "machines": " ".join(machine.name for machine in file.machine if machine.name in record.machines),
            "uri": record.uri,
        }
        if record.usage_limit is not None:
            facts["usage_limit"] = str(record.usage_limit)
        return facts | key_facts(record.key.public_key_der)

    def _prove(self, identifier: str, machines: Sequence[str], label: str) -> Mapping[str, str]:
        key = self._key(label).key
        digest = sm3(f"{identifier} {label}".encode())
        signed = [
            name
            for name in machines
            if verify_digest(
                key.public_key_der, key.algorithm.signature, digest,
                self._pool.ask(name, partial(_sign_in, key=key, digest=digest)),
            )
        ]  # fmt: skip
        return {"signed": " ".join(signed)}

    def _request(self, planned: PlannedStep) -> Mapping[str, str]:
        signer = self._keys.signer(self._key(planned.subject).uri)
        subject = DistinguishedName.from_text(planned.expected["subject"])
        der = build_request(signer, subject)
        return {"subject": subject.text, "request": base64.b64encode(der).decode(), "request_sm3": sm3(der).hex()}

    def _key(self, label: str) -> KeyRecord:
        with self._database.transaction() as session:
            record = key_store.key_record(session, label)
        if record is None or record.public_key_der is None:
            raise NotFoundError(f"There is no key {label}.", code="hsm.key.not-found", label=label)
        return record


def _key_of(file: Ceremony, label: str) -> PlannedKey:
    return next(key for key in file.key if key.label == label)


def _sign_in(machine: Machine, *, key: MachineKey, digest: bytes) -> bytes:
    return machine.sign_digest(key, digest)
