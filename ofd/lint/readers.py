"""Checks of what single products need; the standard does not ask for it."""

import re
from collections.abc import Iterator, Mapping, Sequence

from ofd.lint import rules_readers as rules
from ofd.lint.finding import Finding
from ofd.lint.inspection import ElementCheck, Inspection, Place
from ofd.lint.walk import name_of
from ofd.xmlio import NAMESPACE

__all__ = ["ReaderChecks"]

_PAGE_FOLDER = re.compile(r"Page_(?P<number>[^/]*)/[^/]*$")
_PREFIX = "ofd"
_CHECKED_ROOTS = ("OFD", "Document", "Page", "Res")


class ReaderChecks:
    """Notes how a document is written."""

    def checks(self) -> Mapping[str, Sequence[ElementCheck]]:
        """What to call for which element type."""
        return {"OFD": (_count_bodies, _check_prefix), **dict.fromkeys(_CHECKED_ROOTS[1:], (_check_prefix,))}

    def judge(self, inspection: Inspection) -> Iterator[Finding]:
        """What can be said when all parts were seen."""
        for name, kinds in inspection.reached.items():
            match = _PAGE_FOLDER.search(name)
            if "Page" in kinds and match is not None and not match["number"].isdigit():
                yield rules.OFDRW_PAGE_FOLDER.found(name, name=f"Page_{match['number']}")


def _count_bodies(place: Place) -> None:
    count = sum(name_of(item) == "DocBody" for item in place.node.iterchildren("*"))
    if count > 1:
        place.found(rules.OFDRW_SEVERAL_BODIES, count=count)


def _check_prefix(place: Place) -> None:
    is_root = place.node.getparent() is None
    if is_root and place.node.prefix != _PREFIX and place.node.nsmap.get(place.node.prefix) == NAMESPACE:
        place.found(rules.EASYOFD_PREFIX, prefix=place.node.prefix or "")
