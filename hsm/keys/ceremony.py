"""Key ceremonies: reviewed, followed step by step, and signed.

Everything here can be killed at any point and gone on with: a step is reserved, then done, then recorded, then
confirmed, each in a transaction of its own, and a step that was cut off is done again. Only one kind of step changes
anything, the making of a key. It is reserved while no key has the label, so whatever has the label afterwards is what
the ceremony made, and is never made twice.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import datetime

from hsm.core.approvals import check_person
from hsm.core.ceremony import Ceremony, file_digest, parse
from hsm.core.ceremony_plan import PlannedStep, StepKind, plan
from hsm.core.ceremony_transcript import Review, TranscriptFacts, transcript_bytes
from hsm.keys.ceremony_acts import CeremonyActs, actor
from hsm.keys.ceremony_signing import AuditSigner
from hsm.keys.ceremony_states import (
    CeremonyStatus,
    StepState,
    Transcript,
    check_reviews,
    done_step,
    out_of_order,
    planned_step,
    public_subject,
    resumed,
    step_state,
)
from hsm.store import ceremony as store
from hsm.store.ceremony import CeremonyRecord, StepRecord
from trustcore import audit
from trustcore.crypto.digests import sm3
from trustcore.database import Database
from trustcore.errors import ConflictError, NotFoundError, RejectedError

__all__ = ["Ceremonies"]

_ID_BYTES = 4
_LIST_LIMIT = 100


class Ceremonies:
    """The ceremonies of an installation.

    Args:
        database: where they are recorded.
        acts: does the steps.
        audit_signer: signs the transcripts.
        random: makes numbers of ceremonies.
        four_eyes: whether reviewers have to be persons who proved who they are, and each a different one.
        clock: aware UTC time.
    """

    def __init__(
        self,
        database: Database,
        *,
        acts: CeremonyActs,
        audit_signer: AuditSigner,
        random: Callable[[int], bytes],
        four_eyes: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._acts = acts
        self._audit_signer = audit_signer
        self._random = random
        self._four_eyes = four_eyes
        self._clock = clock

    def review(self, data: bytes, reviewer: str, *, login: str) -> tuple[Review, ...]:
        """Record that a person approves this file, and return all approvals of it. Approving twice is no error.

        Args:
            data: the file.
            reviewer: name as in the file.
            login: ``user:`` and an identifier for a person who proved who he is, or else whoever typed.

        Raises:
            MalformedError: ``hsm.ceremony.file``.
            RejectedError: ``hsm.ceremony.reviewer`` for somebody the file does not name.
            ForbiddenError: ``hsm.approval.person`` where reviewers have to prove who they are.
            ConflictError: ``hsm.ceremony.begun``; ``hsm.ceremony.same-person`` when the same person approves under two
                names.
        """
        file, digest, now = parse(data), file_digest(data), self._clock()
        if reviewer not in {person.name for person in file.person}:
            raise RejectedError(
                "The file does not name the reviewer; only persons of the file approve it.",
                code="hsm.ceremony.reviewer",
            )
        if self._four_eyes:
            check_person(login)
        with self._database.transaction() as session:
            store.hold(session, digest)
            if store.by_digest(session, digest) is not None:
                raise ConflictError("The ceremony of this file has begun already.", code="hsm.ceremony.begun")
            others = [done for done in store.reviews(session, digest) if done.reviewer != reviewer]
            if self._four_eyes and login in {done.login for done in others}:
                raise ConflictError(
                    "The same person approved this file under another name; somebody else has to.",
                    code="hsm.ceremony.same-person",
                )
            title = file.ceremony.title
            if store.add_review(session, digest, reviewer, title=title, login=login, at=now):
                audit.record(
                    session, at=now, actor=login, action="hsm.ceremony.reviewed", subject=digest.hex(),
                    facts={"reviews": str(len(store.reviews(session, digest)))},
                )  # fmt: skip
            return tuple(store.reviews(session, digest))

    def begin(self, data: bytes, *, rehearsal: bool) -> str:
        """Begin the ceremony of a file, or go on with it where it was cut off; its number.

        Raises:
            MalformedError: ``hsm.ceremony.file``.
            RejectedError: ``hsm.ceremony.changed`` when the file is not the one that was approved,
                ``hsm.ceremony.not-reviewed``, ``hsm.ceremony.machines``, ``hsm.ceremony.rehearsal``.
            ConflictError: ``hsm.ceremony.finished``; ``hsm.ceremony.begun`` when it was begun as a rehearsal and is
                none now, or the other way round.
        """
        file, digest, now = parse(data), file_digest(data), self._clock()
        rehearsal = rehearsal or file.ceremony.rehearsal
        self._check_machines(file, rehearsal=rehearsal)
        identifier = f"{now:%Y%m%d}-{self._random(_ID_BYTES).hex()}"
        with self._database.transaction() as session:
            store.hold(session, digest)
            earlier = store.by_digest(session, digest)
            if earlier is not None:
                return resumed(earlier, rehearsal=rehearsal)
            check_reviews(
                file.ceremony.title, digest, store.reviews(session, digest),
                approved=store.titled_digest(session, file.ceremony.title),
            )  # fmt: skip
            record = CeremonyRecord(
                id=identifier, file=data, file_digest=digest, title=file.ceremony.title, rehearsal=rehearsal,
                software=bool(self._acts.software & {machine.name for machine in file.machine}), started_at=now,
                finished_at=None, transcript=None, public_key_der=None, signature=None,
                cms=None,
            )  # fmt: skip
            store.add(session, record)
            audit.record(
                session, at=now, actor=actor(identifier), action="hsm.ceremony.begun", subject=identifier,
                facts={"file-sm3": digest.hex(), "rehearsal": str(rehearsal).lower()},
            )  # fmt: skip
        return identifier

    def file(self, identifier: str) -> Ceremony:
        """The file of a ceremony. Raises ``NotFoundError`` (``hsm.ceremony.not-found``)."""
        return parse(self._record(identifier).file)

    def ceremonies(self) -> tuple[CeremonyStatus, ...]:
        """The newest hundred ceremonies."""
        found = []
        with self._database.transaction() as session:
            for record in store.newest(session, limit=_LIST_LIMIT):
                done = store.steps(session, record.id).values()
                found.append(
                    CeremonyStatus(
                        id=record.id, title=record.title, rehearsal=record.rehearsal, started_at=record.started_at,
                        finished_at=record.finished_at, confirmed=sum(s.confirmed_at is not None for s in done),
                        steps=len(plan(parse(record.file))),
                    )
                )  # fmt: skip
        return tuple(found)

    def steps(self, identifier: str) -> tuple[StepState, ...]:
        """All steps as they stand. Raises ``NotFoundError`` (``hsm.ceremony.not-found``)."""
        record = self._record(identifier)
        with self._database.transaction() as session:
            done = store.steps(session, identifier)
        return tuple(step_state(planned, done.get(planned.number)) for planned in plan(parse(record.file)))

    def act(self, identifier: str, number: int) -> StepState:
        """Do the next step and record what was found; one that was found as expected is not done again.

        Raises whatever the machines raise, ``RejectedError`` (``hsm.approval.needed``) when two persons have to agree
        to the making of a key first, and ``ConflictError`` (``hsm.ceremony.order``, ``hsm.ceremony.key-exists``).
        """
        file, planned, reserved = self._reserve(identifier, number)
        state = step_state(planned, reserved)
        if reserved.actual is not None and not state.differs:
            return state
        actual = self._acts.do(identifier, file, planned)
        with self._database.transaction() as session:
            store.lock(session, identifier)
            meanwhile = step_state(planned, store.steps(session, identifier)[number])
            if meanwhile.actual is None or meanwhile.differs:
                store.act(session, identifier, number, actual=actual, at=self._clock())
            return step_state(planned, store.steps(session, identifier)[number])

    def confirm(self, identifier: str, number: int, person: str) -> StepState:
        """Record that a person present confirms a step that was found as expected. Confirming twice is no error.

        Raises:
            RejectedError: ``hsm.ceremony.mismatch``, ``hsm.ceremony.person``.
            ConflictError: ``hsm.ceremony.order`` for a step that was not done.
        """
        file = self.file(identifier)
        planned = planned_step(file, number)
        if person not in {present.name for present in file.present}:
            raise RejectedError(
                "Only a person whom the file names and who is present confirms a step.", code="hsm.ceremony.person"
            )
        now = self._clock()
        with self._database.transaction() as session:
            state = step_state(planned, store.steps(session, identifier).get(number))
            if state.actual is None:
                raise out_of_order(number)
            if state.differs:
                raise RejectedError(
                    f"Step {number} was not found as expected ({', '.join(state.differs)}); see to it and do it again.",
                    code="hsm.ceremony.mismatch",
                    step=number,
                )
            if state.confirmed_by is None:
                store.confirm(session, identifier, number, person=person, at=now)
                audit.record(
                    session, at=now, actor=actor(identifier), action="hsm.ceremony.step-confirmed", subject=identifier,
                    facts={"step": str(number), "kind": planned.kind.value, "about": public_subject(planned)},
                )  # fmt: skip
            return step_state(planned, store.steps(session, identifier)[number])

    def transcript(self, identifier: str) -> Transcript:
        """The signed transcript of a ceremony whose steps are all confirmed; signed at the first call.

        Raises:
            NotFoundError: ``hsm.ceremony.not-found``.
            ConflictError: ``hsm.ceremony.unfinished``.
        """
        record = self._record(identifier)
        if record.transcript is None:
            record = self._finish(record)
        if record.signature is None:
            record = self._sign(record)
        assert record.transcript is not None
        assert record.signature is not None
        assert record.public_key_der is not None
        requests = {
            state.planned.subject: base64.b64decode(state.actual["request"])
            for state in self.steps(identifier)
            if state.planned.kind is StepKind.REQUEST and state.actual is not None
        }
        return Transcript(
            id=identifier, file=parse(record.file), data=record.transcript, signature=record.signature,
            public_key_der=record.public_key_der, cms=record.cms, requests=requests,
        )  # fmt: skip

    def machines(self) -> Mapping[str, Mapping[str, str]]:
        """What every machine says of itself, by name: what a file says of it. Raises what the machines raise."""
        return {name: self._acts.look_at(name) for name in self._acts.machines}

    def audit_key(self) -> bytes:
        """SubjectPublicKeyInfo of the key that signs transcripts; made at the first call."""
        return self._audit_signer.public_key_der()

    def _finish(self, record: CeremonyRecord) -> CeremonyRecord:
        now = self._clock()
        with self._database.transaction() as session:
            store.lock(session, record.id)
            current = store.by_id(session, record.id)
            if current is not None and current.transcript is not None:
                return current
            done = store.steps(session, record.id)
            steps = [done_step(planned, done.get(planned.number)) for planned in plan(parse(record.file))]
            facts = TranscriptFacts(
                id=record.id, file=record.file, rehearsal=record.rehearsal, software=record.software,
                reviews=store.reviews(session, record.file_digest), steps=steps, started_at=record.started_at,
                finished_at=now,
            )  # fmt: skip
            transcript = transcript_bytes(facts)
            store.finish(session, record.id, transcript=transcript, at=now)
            audit.record(
                session, at=now, actor=actor(record.id), action="hsm.ceremony.finished", subject=record.id,
                facts={"transcript-sm3": sm3(transcript).hex()},
            )  # fmt: skip
        return self._record(record.id)

    def _sign(self, record: CeremonyRecord) -> CeremonyRecord:
        assert record.transcript is not None
        made = self._audit_signer.sign(record.transcript)
        with self._database.transaction() as session:
            current = store.by_id(session, record.id)
            if current is None or current.signature is None:
                store.sign(
                    session, record.id, public_key_der=made.public_key_der, signature=made.signature, cms=made.cms
                )
                audit.record(
                    session, at=self._clock(), actor=actor(record.id), action="hsm.ceremony.signed", subject=record.id
                )
        return self._record(record.id)

    def _record(self, identifier: str) -> CeremonyRecord:
        with self._database.transaction() as session:
            record = store.by_id(session, identifier)
        if record is None:
            raise NotFoundError(f"There is no key ceremony {identifier}.", code="hsm.ceremony.not-found")
        return record

    def _check_machines(self, file: Ceremony, *, rehearsal: bool) -> None:
        named = {machine.name for machine in file.machine}
        if named != set(self._acts.machines):
            raise RejectedError(
                "The file names other machines than the settings: a key would go into machines that nobody reviewed "
                f"({', '.join(sorted(named ^ set(self._acts.machines)))}).",
                code="hsm.ceremony.machines",
            )
        if rehearsal and not self._acts.software.issuperset(named):
            raise RejectedError(
                "A rehearsal runs on software machines only, and the settings name real ones.",
                code="hsm.ceremony.rehearsal",
            )

    def _reserve(self, identifier: str, number: int) -> tuple[Ceremony, PlannedStep, StepRecord]:
        file = self.file(identifier)
        planned = planned_step(file, number)
        with self._database.transaction() as session:
            store.lock(session, identifier)
            done = store.steps(session, identifier)
            if any(not (before := done.get(n)) or not before.confirmed_at for n in range(1, number)):
                raise out_of_order(number)
            if number not in done:
                if planned.kind is StepKind.GENERATE and store.has_key(session, planned.subject):
                    raise ConflictError(
                        f"A key with the label {planned.subject} was made outside the ceremony after it began; it is "
                        "not taken for the ceremony's.",
                        code="hsm.ceremony.key-exists",
                        label=planned.subject,
                    )
                store.begin_step(session, identifier, number, at=self._clock())
            return file, planned, store.steps(session, identifier)[number]
