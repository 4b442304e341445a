"""Checks of signatures as documents hold them; whether they are right is what :mod:`ofd.verify` says."""

from collections.abc import Iterator, Mapping, Sequence

from ofd.lint import rules_content as rules
from ofd.lint import rules_readers as readers
from ofd.lint.finding import Finding
from ofd.lint.inspection import ElementCheck, Inspection, Place
from ofd.lint.walk import name_of
from ofd.package.loc import absolute
from ofd.ses.info import Generation
from ofd.ses.structure import SealSignature
from trustcore.errors import TrustError

__all__ = ["SignatureChecks"]

_WEAK = frozenset({"MD5", "SHA1", "SHA-1", "1.2.840.113549.2.5", "1.3.14.3.2.26"})
_KNOWN = frozenset(
    {
        "SM3", "SHA256", "SHA-256", "SHA384", "SHA-384", "SHA512", "SHA-512", "1.2.156.10197.1.401",
        "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.2.3",
    }
)  # fmt: skip
_OFDRW_KNOWS = frozenset({"SM3", "1.2.156.10197.1.401", "MD5", "SHA1", "SHA-1", "SHA256", "SHA-256"})
_BARE = 0x02
"""Tag of an INTEGER: a signature value that is SEQUENCE{r, s} and nothing around it."""


class SignatureChecks:
    """Notes what Signatures.xml lists."""

    def __init__(self) -> None:
        """Begin with no signature seen."""
        self.count = 0
        self._values: list[tuple[str, str]] = []

    def checks(self) -> Mapping[str, Sequence[ElementCheck]]:
        """What to call for which element type."""
        return {"Signatures": (self._check_list,), "References": (_check_method,)}

    def judge(self, inspection: Inspection) -> Iterator[Finding]:
        """What can be said of the signature values."""
        for file in inspection.files:
            if file.kind == "signed-value":
                yield from _judge_value(inspection, file.name, file.holder)

    def _check_list(self, place: Place) -> None:
        listed = [item for item in place.node.iterchildren("*") if name_of(item) == "Signature"]
        self.count += len(listed)
        ids = [item.get("ID", "") for item in listed]
        for index, identifier in enumerate(ids):
            if identifier in ids[:index]:
                place.found(rules.SIGNATURE_REPEATED, listed[index], id=identifier)
        used = max((_number(identifier) for identifier in ids), default=0)
        for item in place.node.iterchildren("*"):
            if name_of(item) == "MaxSignId" and _number(item.text or "") < used:
                place.found(rules.SIGNATURE_NUMBER, item, maximum=(item.text or "").strip(), used=used)


def _number(text: str) -> int:
    digits = "".join(char for char in text if char.isascii() and char.isdigit())
    return int(digits) if 0 < len(digits) <= 9 else 0


def _check_method(place: Place) -> None:
    method = place.node.get("CheckMethod", "MD5").removeprefix("urn:oid:")
    if method.upper() in _WEAK:
        place.found(rules.SIGNATURE_METHOD, method=method)
    elif method.upper() not in _KNOWN and not method.startswith("1.2.156.10197.1.401."):
        place.found(rules.SIGNATURE_UNKNOWN_METHOD, method=method)
    if method.upper() not in _OFDRW_KNOWS:
        place.found(readers.OFDRW_CHECK_METHOD, method=method)


def _judge_value(inspection: Inspection, name: str, holder: str) -> Iterator[Finding]:
    try:
        data = inspection.source.read(name)
        signature = SealSignature.parse(data)
    except TrustError:
        try:
            data = inspection.source.read(name)
        except TrustError:
            return
        # SEQUENCE{INTEGER r, INTEGER s}: 30 len 02 …
        if len(data) > 2 and data[0] == 0x30 and data[2] == _BARE and len(data) < 128:
            yield readers.SUWELL_BARE_SIGNATURE.found(name, name=name)
        return
    tbs = signature.to_be_signed
    wanted = absolute(holder)
    if tbs.property_info != wanted and "{" not in tbs.property_info:
        yield readers.SUWELL_PROPERTY.found(name, wanted=wanted, found=tbs.property_info)
    if tbs.version == Generation.V5:
        yield readers.SES_V5.found(name)
    if tbs.seal.info.picture.type.lower() == "ofd":
        yield readers.EASYOFD_NESTED_SEAL.found(name)
