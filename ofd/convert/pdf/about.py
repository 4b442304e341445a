"""What a PDF says of itself (ISO 32000-2 §14.3): title, author, dates."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pikepdf

from ofd.convert.pdf.encodings import clean_text
from ofd.convert.pdf.streams import dictionary, text_of

__all__ = ["About", "read_about"]

_DATE = re.compile(r"D?:?(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:([-+Zz])(\d{2})?'?(\d{2})?'?)?")
_LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The document information dictionary."""

    title: str = ""
    author: str = ""
    subject: str = ""
    keywords: tuple[str, ...] = ()
    creator: str = ""
    """The program that made the content."""
    created: datetime | None = None
    modified: datetime | None = None


def read_about(document: pikepdf.Pdf) -> About:
    """What a document says of itself."""
    source = dictionary(document.trailer.get("/Info"))
    if source is None:
        return About()

    def said(key: str) -> str:
        return clean_text(text_of(source.get(key)))[:_LONGEST].strip()

    return About(
        title=said("/Title"),
        author=said("/Author"),
        subject=said("/Subject"),
        keywords=tuple(word.strip() for word in re.split(r"[;,，；、]", said("/Keywords")) if word.strip())[:100],
        creator=said("/Creator"),
        created=_moment(said("/CreationDate")),
        modified=_moment(said("/ModDate")),
    )


def _moment(text: str) -> datetime | None:
    """A date of PDF (§7.9.4)."""
    match = _DATE.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, sign, hours, minutes = match.groups()
    zone = UTC
    try:
        if sign in {"+", "-"}:
            distance = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
            zone = timezone(-distance if sign == "-" else distance)
        return datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
    except ValueError:
        return None
