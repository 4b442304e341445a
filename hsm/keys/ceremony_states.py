"""Where a key ceremony stands, and what that forbids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hsm.core.ceremony import MIN_REVIEWERS, Ceremony, PlannedKey
from hsm.core.ceremony_plan import PlannedStep, StepKind, differences, plan
from hsm.core.ceremony_transcript import DoneStep, Review
from hsm.store.ceremony import CeremonyRecord, StepRecord
from hsm.store.keys import NewKey
from trustcore.errors import ConflictError, NotFoundError, RejectedError

__all__ = [
    "CeremonyStatus",
    "StepState",
    "Transcript",
    "check_reviews",
    "done_step",
    "new_key",
    "out_of_order",
    "planned_step",
    "public_subject",
    "resumed",
    "step_state",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """One step of a running ceremony."""

    planned: PlannedStep
    actual: Mapping[str, str] | None
    """What was found; none: it was not done yet."""
    differs: tuple[str, ...]
    """Names of what was not found as expected."""
    confirmed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyStatus:
    """One ceremony."""

    id: str
    title: str
    rehearsal: bool
    started_at: datetime
    finished_at: datetime | None
    confirmed: int
    """Steps confirmed."""
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What is left of a ceremony."""

    id: str
    file: Ceremony
    data: bytes
    """The canonical JSON: what is signed."""
    signature: bytes
    """DER SM2 signature."""
    public_key_der: bytes
    cms: bytes | None
    """Detached CMS SignedData over ``data``, where the audit key has a certificate."""
    requests: Mapping[str, bytes]
    """DER certificate requests by label."""


def new_key(planned: PlannedKey) -> NewKey:
    """What the makers of keys are asked for; the key may be used at once."""
    return NewKey(
        label=planned.label,
        algorithm=planned.algorithm.value,
        purpose=planned.purpose,
        usage_limit=planned.usage_limit,
    )


def public_subject(planned: PlannedStep) -> str:
    """What the audit trail says of a step's subject: no person's name."""
    return "" if planned.kind is StepKind.PERSON else planned.subject


def planned_step(file: Ceremony, number: int) -> PlannedStep:
    """Step of this number. Raises ``NotFoundError`` (``hsm.ceremony.not-found``)."""
    steps = plan(file)
    if not 1 <= number <= len(steps):
        raise NotFoundError(f"The ceremony has no step {number}.", code="hsm.ceremony.not-found", step=number)
    return steps[number - 1]


def out_of_order(number: int) -> ConflictError:
    """The refusal of a step whose turn it is not."""
    return ConflictError(
        f"Step {number} cannot be done yet: the steps before it are not all confirmed, or it was not done.",
        code="hsm.ceremony.order",
        step=number,
    )


def step_state(planned: PlannedStep, record: StepRecord | None) -> StepState:
    """A step as it stands."""
    actual = record.actual if record else None
    return StepState(
        planned=planned,
        actual=actual,
        differs=() if actual is None else differences(planned.expected, actual),
        confirmed_by=record.confirmed_by if record else None,
    )


def done_step(planned: PlannedStep, record: StepRecord | None) -> DoneStep:
    """A confirmed step for the transcript. Raises ``ConflictError`` (``hsm.ceremony.unfinished``)."""
    if record is None or record.actual is None or record.acted_at is None or record.confirmed_at is None:
        raise ConflictError(
            f"The ceremony is not finished: step {planned.number} is not confirmed.",
            code="hsm.ceremony.unfinished",
            step=planned.number,
        )
    assert record.confirmed_by is not None
    return DoneStep(
        planned=planned,
        actual=record.actual,
        begun_at=record.begun_at,
        acted_at=record.acted_at,
        confirmed_at=record.confirmed_at,
        confirmed_by=record.confirmed_by,
    )


def resumed(earlier: CeremonyRecord, *, rehearsal: bool) -> str:
    """Number of a ceremony that may go on. Raises ``ConflictError`` (``hsm.ceremony.finished``, ``….begun``)."""
    if earlier.signature is not None:
        raise ConflictError(
            f"The ceremony of this file is finished; its transcript has the number {earlier.id}.",
            code="hsm.ceremony.finished",
            id=earlier.id,
        )
    if earlier.rehearsal != rehearsal:
        raise ConflictError(
            "The ceremony was begun as a rehearsal and is none now, or the other way round.", code="hsm.ceremony.begun"
        )
    return earlier.id


def check_reviews(title: str, digest: bytes, reviews: Sequence[Review], *, approved: bytes | None) -> None:
    """Let pass a file that enough persons approved, or raise ``RejectedError`` (``hsm.ceremony.…``).

    ``approved`` is the digest of the file of the same title that was approved last.
    """
    if not reviews and approved is not None:
        raise RejectedError(
            f"The file is not the one that was approved under the title “{title}”: that had the digest "
            f"{approved.hex()}, this one has {digest.hex()}; have it reviewed again.",
            code="hsm.ceremony.changed",
        )
    if len(reviews) < MIN_REVIEWERS:
        raise RejectedError(
            f"{MIN_REVIEWERS} persons have to approve the file before the ceremony, and {len(reviews)} did; use "
            "“xinyin hsm ceremony review”.",
            code="hsm.ceremony.not-reviewed",
            reviews=len(reviews),
        )
