"""ofdrw opens, draws and verifies a sealed OFD.

Its container for GB/T 38540-2020 checks the references, the seal beside the signature, ``dataHash`` and the
SM2 signature value; it checks no certificate path, which is BouncyCastle's part.
"""

from pathlib import Path

import ofdrw_peer
from exhibits import Exhibits, altered_member, flipped
from verdict import Verdict

JUDGE = "ofdrw"


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Open and draw the first licence, verify its seal, and show the judge altered packages."""
    version = ofdrw_peer.PROJECT.version()
    licence = exhibits.licences[0]
    page = rendered_page(exhibits)
    page.parent.mkdir(parents=True, exist_ok=True)
    answer = ofdrw_peer.ask(licence.ofd, "v4", page)
    opened = answer.get("pages") == 1 and answer.get("rendered") is True and answer.get("stamps") == 1
    altered = {
        "page content": altered_member(
            licence.ofd, scratch / "page.ofd", "Content.xml", lambda data: flipped(data, -20)
        ),
        "seal": altered_member(licence.ofd, scratch / "seal.ofd", "Seal.esl", lambda data: flipped(data, -1)),
        "Signature.xml": altered_member(licence.ofd, scratch / "signature.ofd", "Signature.xml", _another_space),
        "signature value": altered_member(
            licence.ofd, scratch / "value.ofd", "SignedValue.dat", lambda data: flipped(data, len(data) // 3)
        ),
    }
    tolerated = tuple(name for name, path in altered.items() if ofdrw_peer.ask(path, "v4").get("seal_valid") is True)
    return [
        Verdict(
            judge=JUDGE,
            version=version,
            judged="OFD opens, has one page and one stamp, page 1 rendered to PNG",
            problem=None if opened else str(answer),
            tampered="—",
        ),
        Verdict(
            judge=JUDGE,
            version=version,
            judged="OFD seal: every reference's SM3, Seal.esl, dataHash, SM2 signature (OFDValidator, SES V4)",
            problem=None if answer.get("seal_valid") is True else str(answer.get("problem")),
            tampered=", ".join(altered),
            tolerated=tolerated,
        ),
    ]


def rendered_page(exhibits: Exhibits) -> Path:
    """Where the drawn first page of the first licence is kept; another judge reads its QR code."""
    return exhibits.root / "interop" / "ofdrw-page-1.png"


def _another_space(xml: bytes) -> bytes:
    """The same XML with a blank more after its last element: nothing but the digest can tell."""
    return xml.rstrip() + b"  \n"
