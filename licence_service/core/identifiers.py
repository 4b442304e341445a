"""The GB/T 36904-2018 licence identifier: build it strictly, read it leniently with a diagnosis.

    1.2.156.3005.2 . <type code 21> . <issuer code 18> . <serial> . <version 3> . <check 1>

Built from deployed practice (live identifiers of several provinces whose check characters were recomputed), unverified
against the standard's text. Live identifiers deviate in known ways, so reading never answers a bare “wrong”.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from stdnum.cn import uscc
from stdnum.iso7064 import mod_37_36

from trustcore.errors import MalformedError

__all__ = ["ROOT_OID", "Diagnosis", "LicenceIdentifier", "ParsedIdentifier", "build_identifier", "parse_identifier"]

ROOT_OID = "1.2.156.3005.2"
"""电子证照根代码, the first part of every identifier (GB/T 36904-2018)."""

_ROOT_3003 = "1.2.156.3003.2"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TYPE_CODE = re.compile(r"[0-9A-Z]{18}[0-9]{3}")
_SERIAL = re.compile(r"[0-9A-Z]{1,64}")
_VERSION = re.compile(r"[0-9]{3}")
_CHECK = re.compile(r"[0-9A-Z]")
_LIVE = re.compile(r"1\.2\.156\.3005\.2\.([0-9A-Z]{21})\.([0-9A-Z]{1,32})\.([0-9A-Z]{1,64})\.([0-9]{3})\.([0-9A-Z])")
_LIVE_3003 = re.compile(
    r"1\.2\.156\.3003\.2\.([0-9A-Z]{1,32})\.(?:([0-9A-Z]{18})\.)?([0-9A-Z]{1,64})\.([0-9]{2,3})\.([0-9A-Z])"
)
_LONGEST = 200


class Diagnosis(StrEnum):
    """What an identifier met in the wild is."""

    STANDARD = "standard"
    """As GB/T 36904-2018 is practised by everyone else."""
    LETTER_PLUS_ONE = "letter-plus-one"
    """Check character of a generator that counts A as 11; genuine, but other software refuses it."""
    OID_3003 = "oid-3003"
    """Root 1.2.156.3003.2 with the root inside the check and mostly a two-digit version: an older vendor form."""
    ISSUER_NOT_USCC = "issuer-not-uscc"
    """The issuer is not a unified social credit code (often a six-digit division); the check is right."""
    BAD = "bad"
    """Mistyped or invented: no known rule gives this check character, or it is no identifier at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceIdentifier:
    """The parts of an identifier."""

    type_code: str
    """证照类型代码: the defining authority's credit code and three digits."""
    issuer_code: str
    """颁发机构代码: credit code of who issues."""
    serial: str
    """流水号, 0-9A-Z, never used twice by one issuer for one type."""
    version: str
    """版本号, three digits."""
    check: str
    """校验位, ISO 7064 MOD 37,36."""

    def __str__(self) -> str:
        """The identifier as it is written."""
        return f"{ROOT_OID}.{self.type_code}.{self.issuer_code}.{self.serial}.{self.version}.{self.check}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedIdentifier:
    """An identifier as it was met, and what it is."""

    text: str
    diagnosis: Diagnosis
    identifier: LicenceIdentifier | None
    """The parts, where the text has the shape of an identifier with the standard root."""
    expected_check: str | None
    """The check character the standard asks for, where the text has the shape of an identifier."""


def build_identifier(*, type_code: str, issuer_code: str, serial: str, version: str = "001") -> LicenceIdentifier:
    """Make an identifier with its check character (GB/T 36904-2018).

    Raises:
        MalformedError: ``licence.identifier.malformed`` when a part breaks its form; credit codes are checked by
            GB 32100-2015.
    """
    for name, text, good in (
        ("type code", type_code, bool(_TYPE_CODE.fullmatch(type_code)) and uscc.is_valid(type_code[:18])),
        ("issuer code", issuer_code, _is_credit_code(issuer_code)),
        ("serial", serial, bool(_SERIAL.fullmatch(serial))),
        ("version", version, bool(_VERSION.fullmatch(version))),
    ):
        if not good:
            raise MalformedError(
                f"The {name} {text[:40]!r} cannot be part of a licence identifier.",
                code="licence.identifier.malformed",
                part=name,
            )
    check = mod_37_36.calc_check_digit(type_code + issuer_code + serial + version)
    return LicenceIdentifier(type_code=type_code, issuer_code=issuer_code, serial=serial, version=version, check=check)


def parse_identifier(text: str) -> ParsedIdentifier:
    """Read an identifier and say what it is; never raises."""
    text = text.strip()[:_LONGEST]
    if match := _LIVE.fullmatch(text):
        type_code, issuer_code, serial, version, check = match.groups()
        identifier = LicenceIdentifier(
            type_code=type_code, issuer_code=issuer_code, serial=serial, version=version, check=check
        )
        body = type_code + issuer_code + serial + version
        expected = mod_37_36.calc_check_digit(body)
        return ParsedIdentifier(
            text=text, diagnosis=_diagnose(identifier, body, expected), identifier=identifier, expected_check=expected
        )
    if _LIVE_3003.fullmatch(text):
        body, check = text.replace(".", "")[:-1], text[-1]
        expected = mod_37_36.calc_check_digit(body)
        diagnosis = Diagnosis.OID_3003 if check == expected else Diagnosis.BAD
        return ParsedIdentifier(text=text, diagnosis=diagnosis, identifier=None, expected_check=expected)
    return ParsedIdentifier(text=text, diagnosis=Diagnosis.BAD, identifier=None, expected_check=None)


def _diagnose(identifier: LicenceIdentifier, body: str, expected: str) -> Diagnosis:
    if identifier.check == expected:
        return Diagnosis.STANDARD if _is_credit_code(identifier.issuer_code) else Diagnosis.ISSUER_NOT_USCC
    if identifier.check == _letter_plus_one(body):
        return Diagnosis.LETTER_PLUS_ONE
    return Diagnosis.BAD


def _letter_plus_one(body: str) -> str:
    """Check character of the deployed generator that counts A as 11.

    It also takes a sum above 37 modulo 37 first where the character is a letter above A's old value, and maps the
    result one place lower; on letters only, so identifiers of digits come out one lower than the standard asks.
    """
    product = 36
    for character in body:
        value = _ALPHABET.index(character)
        if character.isalpha():
            value += 1
        total = product + value
        if character.isalpha() and total > 37:
            total %= 37
        product = (total % 36 or 36) * 2 % 37
    return _ALPHABET[(36 - product) % 36]


def _is_credit_code(text: str) -> bool:
    return len(text) == 18 and text == uscc.compact(text) and uscc.is_valid(text)
