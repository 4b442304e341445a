"""A key ceremony as a file that people review and then follow to the letter.

The file (TOML 1.0) says who takes part, which machines are there, what must not exist before and which keys are made.
:func:`parse` reads it strictly, :mod:`hsm.core.ceremony_plan` makes the numbered steps of it, and :func:`file_digest`
is what reviewers sign off: SM3 over the octets of the file, which ``openssl dgst -sm3`` computes as well.

The roles and controls are those that RFC 3647 §4.5.2, §4.6.1 and §4.6.2 ask a certification practice statement about.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from hsm.core.ceremony_lines import line_of
from hsm.core.shamir import MAX_SHARES
from hsm.core.uri import key_uri
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.errors import MalformedError, TrustError
from trustcore.signing import KeyPurpose
from trustcore.x509.names import DistinguishedName

__all__ = [
    "MIN_REVIEWERS",
    "Before",
    "Ceremony",
    "ExpectedMachine",
    "Occasion",
    "Person",
    "PlannedKey",
    "Role",
    "Sharing",
    "file_digest",
    "parse",
]

MIN_REVIEWERS = 2
_MAX_FILE_BYTES = 64 * 1024
_NO_LABEL_IN_LOC = {"function-after", "function-before"}


class Role(StrEnum):
    """What a person does in a ceremony."""

    MASTER = "master"
    """主持人: leads through the steps and confirms them."""
    OPERATOR = "operator"
    """操作员: types."""
    WITNESS = "witness"
    """见证人: watches that what happens is what the file says."""
    CUSTODIAN = "custodian"
    """密钥分管员: keeps one share of the activation secret."""
    REVIEWER = "reviewer"
    """审核人: approves the file beforehand and need not come."""


def _plain(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        message = "must be one line without control characters and without blanks around it"
        raise ValueError(message)
    return value


def _label(value: str) -> str:
    try:
        key_uri(value)
    except TrustError as error:
        raise ValueError(error.detail.rstrip(".")) from error
    return value


def _subject(value: str) -> str:
    try:
        return DistinguishedName.from_text(value).text
    except TrustError as error:
        raise ValueError(error.detail.rstrip(".")) from error


_Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)]
_Label = Annotated[str, AfterValidator(_plain), AfterValidator(_label)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, strict=False)


class Occasion(_Table):
    """``[ceremony]``: what it is."""

    title: _Text
    purpose: _Text
    place: _Text
    rehearsal: bool = False
    """Only software machines, whose serial numbers may be left out; the transcript says so on every page."""


class Person(_Table):
    """``[[person]]``: who takes part."""

    name: _Text
    role: Role
    organisation: _Text | None = None


class ExpectedMachine(_Table):
    """``[[machine]]``: an encryption machine as its label plate and its acceptance record describe it."""

    name: _Text
    """Name in the settings."""
    serial: _Text | None = None
    manufacturer: _Text | None = None
    model: _Text | None = None
    library: _Text | None = None


class PlannedKey(_Table):
    """``[[key]]``: a key pair to be made."""

    label: _Label
    algorithm: KeyAlgorithm
    purpose: KeyPurpose
    usage_limit: Annotated[int, Field(ge=1, le=10**15)] | None = None
    """How often it may be used in its life."""
    machines: tuple[_Text, ...] | None = Field(default=None, min_length=1)
    """Machines that hold it in the end; all by default."""
    request_subject: Annotated[_Text, AfterValidator(_subject)] | None = None
    """RFC 4514 name for a PKCS #10 request that the parent authority gets."""

    @model_validator(mode="after")
    def _signs(self) -> Self:
        if self.request_subject is not None and self.purpose is KeyPurpose.ENCRYPTION:
            message = "a key for encryption signs no certificate request"
            raise ValueError(message)
        return self


class Before(_Table):
    """``[before]``: what must be true before the first key is made."""

    absent: tuple[_Label, ...] = ()
    """Labels that no key may have; those of the keys to be made are meant anyway."""


class Sharing(_Table):
    """``[activation]``: among how many custodians the activation secret of the machines is shared."""

    threshold: int = Field(ge=2, le=MAX_SHARES)
    shares: int = Field(ge=2, le=MAX_SHARES)


class Ceremony(_Table):
    """A whole file."""

    ceremony: Occasion
    person: tuple[Person, ...] = Field(min_length=1)
    machine: tuple[ExpectedMachine, ...] = Field(min_length=1)
    key: tuple[PlannedKey, ...] = Field(min_length=1)
    before: Before = Before()
    activation: Sharing | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for problem in (*_problems_of_people(self), *_problems_of_things(self)):
            raise ValueError(problem)
        return self

    @property
    def master(self) -> Person:
        """Who leads."""
        return next(person for person in self.person if person.role is Role.MASTER)

    def holders(self, key: PlannedKey) -> tuple[str, ...]:
        """Names of the machines that hold a key in the end, in the order of the file."""
        return tuple(m.name for m in self.machine if key.machines is None or m.name in key.machines)

    @property
    def present(self) -> tuple[Person, ...]:
        """Who has to be there: all but mere reviewers."""
        return tuple(person for person in self.person if person.role is not Role.REVIEWER)


def _twice(values: Sequence[str]) -> str | None:
    return next((value for value, count in Counter(values).items() if count > 1), None)


def _problems_of_people(file: Ceremony) -> Sequence[str]:
    roles = Counter(person.role for person in file.person)
    problems = []
    if (name := _twice([person.name for person in file.person])) is not None:
        problems.append(f"person.name: {name} is named twice; one person has one role")
    if roles[Role.MASTER] != 1:
        problems.append(f"person.role: there is one master of ceremony, not {roles[Role.MASTER]}")
    if not roles[Role.WITNESS]:
        problems.append("person.role: at least one person is a witness")
    if len(file.person) < MIN_REVIEWERS + 1:
        problems.append("person: at least three persons take part: two approve the file, and not the master alone")
    if file.activation is not None:
        if file.activation.threshold > file.activation.shares:
            problems.append("activation.threshold: no more shares can be needed than there are")
        if roles[Role.CUSTODIAN] != file.activation.shares:
            problems.append(
                f"activation.shares: {file.activation.shares} shares need as many custodians, and the file names "
                f"{roles[Role.CUSTODIAN]}"
            )
    return problems


def _problems_of_things(file: Ceremony) -> Sequence[str]:
    problems = []
    if (name := _twice([machine.name for machine in file.machine])) is not None:
        problems.append(f"machine.name: {name} is named twice")
    if (label := _twice([key.label for key in file.key])) is not None:
        problems.append(f"key.label: {label} is named twice")
    names = {machine.name for machine in file.machine}
    problems += [
        f"key.machines: the key {key.label} is to be held by machines that the file does not describe"
        for key in file.key
        if not names.issuperset(key.machines or ())
    ]
    if not file.ceremony.rehearsal:
        problems += [
            f"machine.serial: the serial number of {machine.name} is missing; only a rehearsal can do without"
            for machine in file.machine
            if machine.serial is None
        ]
    return problems


def file_digest(data: bytes) -> bytes:
    """What reviewers approve: SM3 (GB/T 32905-2016) over the octets of the file."""
    return sm3(data)


def parse(data: bytes) -> Ceremony:
    """Read a file.

    Raises:
        MalformedError: ``hsm.ceremony.file``: one sentence that names the line, where there is one, and the field.
    """
    try:
        if len(data) > _MAX_FILE_BYTES:
            raise _wrong(f"The ceremony file is larger than {_MAX_FILE_BYTES // 1024} KiB.")
        text = data.decode("utf-8")
        return Ceremony.model_validate(tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _wrong(f"Line {line} of the ceremony file is not UTF-8.", line=line) from error
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"The ceremony file is not TOML: {str(error).rstrip('.')}.") from error
    except ValidationError as error:
        raise _sentence(text, error) from error


def _wrong(sentence: str, **facts: str | int) -> MalformedError:
    return MalformedError(sentence, code="hsm.ceremony.file", **facts)


def _sentence(text: str, error: ValidationError) -> MalformedError:
    first = error.errors(include_url=False, include_input=False)[0]
    path = tuple(part for part in first["loc"] if part not in _NO_LABEL_IN_LOC)
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not path:
        named = re.match(r"([a-z]+(?:\.[a-z_]+)?): (.*)", message, re.DOTALL)
        return _wrong(f"The ceremony file is refused, {message}.", field=named[1] if named else "")
    # People count tables from 1.
    field = ".".join(str(part + 1 if isinstance(part, int) else part) for part in path)
    line = line_of(text, path)
    where = f"Line {line} of the ceremony file, {field}" if line else f"The ceremony file, {field}"
    what = "is missing" if first["type"] == "missing" else message[0].lower() + message[1:]
    what = "is not known" if first["type"] == "extra_forbidden" else what
    return _wrong(f"{where}: {what}.", field=field, line=line)
