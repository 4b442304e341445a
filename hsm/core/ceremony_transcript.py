"""The transcript of a key ceremony: its canonical form, which the audit key signs.

JSON with sorted keys, without blanks, in UTF-8. It holds the whole ceremony file, so that whoever judges it
(:mod:`hsm.core.ceremony_judgement`) makes the plan anew and compares every step with it.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hsm.core.ceremony import file_digest
from hsm.core.ceremony_plan import PlannedStep
from trustcore.crypto.digests import sha256, sm3
from trustcore.errors import MalformedError

__all__ = ["DoneStep", "Review", "TranscriptFacts", "key_facts", "read_transcript", "transcript_bytes"]

_FORM = "xinyin-key-ceremony-1"
_STEP_FIELDS = frozenset(
    {"number", "kind", "subject", "zh", "en", "expected", "actual", "begun_at", "acted_at", "confirmed_at",
     "confirmed_by"}
)  # fmt: skip
_REVIEW_FIELDS = frozenset({"reviewer", "login", "at"})
_FIELDS = frozenset(
    {"form", "id", "file", "file_sm3", "rehearsal", "software", "reviews", "steps", "started_at", "finished_at"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One person's approval of a file."""

    reviewer: str
    login: str
    """Account of the operating system that recorded it."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneStep:
    """A step as it was done."""

    planned: PlannedStep
    actual: Mapping[str, str]
    begun_at: datetime
    acted_at: datetime
    confirmed_at: datetime
    confirmed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptFacts:
    """Everything a transcript says."""

    id: str
    file: bytes
    rehearsal: bool
    software: bool
    """Some machine was a software machine."""
    reviews: Sequence[Review]
    steps: Sequence[DoneStep]
    started_at: datetime
    finished_at: datetime


def key_facts(public_key_der: bytes) -> dict[str, str]:
    """How a public key stands in a step: base64 of the SubjectPublicKeyInfo and its digests in hexadecimal."""
    return {
        "public_key": base64.b64encode(public_key_der).decode(),
        "public_key_sm3": sm3(public_key_der).hex(),
        "public_key_sha256": sha256(public_key_der).hex(),
    }


def transcript_bytes(facts: TranscriptFacts) -> bytes:
    """The canonical form: what the audit key signs."""
    content = {
        "form": _FORM,
        "id": facts.id,
        "file": facts.file.decode(),
        "file_sm3": file_digest(facts.file).hex(),
        "rehearsal": facts.rehearsal,
        "software": facts.software,
        "reviews": [{"reviewer": r.reviewer, "login": r.login, "at": r.at.isoformat()} for r in facts.reviews],
        "steps": [_step_json(step) for step in facts.steps],
        "started_at": facts.started_at.isoformat(),
        "finished_at": facts.finished_at.isoformat(),
    }
    return _canonical(content)


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _step_json(step: DoneStep) -> dict[str, object]:
    return {
        "number": step.planned.number,
        "kind": step.planned.kind.value,
        "subject": step.planned.subject,
        "zh": step.planned.zh,
        "en": step.planned.en,
        "expected": dict(step.planned.expected),
        "actual": dict(step.actual),
        "begun_at": step.begun_at.isoformat(),
        "acted_at": step.acted_at.isoformat(),
        "confirmed_at": step.confirmed_at.isoformat(),
        "confirmed_by": step.confirmed_by,
    }


def read_transcript(data: bytes) -> Mapping[str, Any]:
    """The content of a transcript in its canonical form, with all its fields and no other.

    Raises ``MalformedError`` (``hsm.ceremony.transcript``).
    """
    try:
        content = json.loads(data)
        whole = _is_whole(content) and _canonical(content) == data
    except (ValueError, RecursionError):
        whole = False
    if not whole:
        raise MalformedError(
            "The file is not a ceremony transcript in its canonical form.", code="hsm.ceremony.transcript"
        )
    found: Mapping[str, Any] = content
    return found


def _is_whole(content: Any) -> bool:  # noqa: ANN401 - JSON of unknown origin
    if not isinstance(content, dict) or set(content) != _FIELDS or content["form"] != _FORM:
        return False
    if any(not isinstance(content[name], bool) for name in ("rehearsal", "software")):
        return False
    if any(not isinstance(content[name], list) for name in ("reviews", "steps")):
        return False
    return all(_is_of(review, _REVIEW_FIELDS) for review in content["reviews"]) and all(
        _is_of(step, _STEP_FIELDS) and _are_texts(step["expected"]) and _are_texts(step["actual"])
        for step in content["steps"]
    )


def _is_of(part: object, fields: frozenset[str]) -> bool:
    return isinstance(part, dict) and set(part) == fields


def _are_texts(part: object) -> bool:
    return isinstance(part, dict) and all(isinstance(value, str) for value in part.values())
