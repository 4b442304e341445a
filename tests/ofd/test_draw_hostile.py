import io
import random
import re
import zipfile

import pytest
from lxml import etree

from ofd.build.document import DocumentBuilder
from ofd.convert.ofd_to_pdf import ofd_to_pdf
from ofd.draw.page import sealed_scene
from ofd.draw.png import to_png
from ofd.draw.seals import Seals
from ofd.draw.svg import to_svg
from ofd.fonts.faces import find_fonts
from ofd.fonts.library import installed_fonts
from ofd.model.document import Document
from trustcore.errors import TrustError

from support.ofd_samples import SIGNED_AT, unpack
from support.scenes import everything

NUMBERS = (b"0", b"-1", b"1e300", b"nan", b"999999999", b"0.0000001", b"", b"x")


@pytest.fixture(scope="module")
def sources(sealed: bytes) -> list[dict[str, bytes]]:
    builder = DocumentBuilder(doc_id="5" * 32, title="x", created=SIGNED_AT, fonts=find_fonts())
    page = builder.page()
    for item in everything().items:
        page.draw(item)
    return [unpack(sealed), unpack(builder.to_bytes())]


def mutated(entries: dict[str, bytes], chance: random.Random) -> bytes:
    """A package in which a few numbers or octets are others."""
    changed = dict(entries)
    for _ in range(chance.randint(1, 4)):
        name = chance.choice(list(changed))
        data = bytearray(changed[name])
        places = [match.span() for match in re.finditer(rb"-?\d+\.?\d*", data)] if name.endswith(".xml") else []
        if places and chance.random() < 0.8:
            start, end = chance.choice(places)
            data[start:end] = chance.choice(NUMBERS)
        elif data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        changed[name] = bytes(data)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, data in changed.items():
            package.writestr(name, bytes(data))
    return out.getvalue()


@pytest.mark.parametrize("seed", range(12))
def test_mutated_documents_are_drawn_or_refused(sources: list[dict[str, bytes]], seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    for entries in sources:
        package = mutated(entries, chance)
        try:
            document = Document.open(package)
            seals = Seals(document, fonts=installed_fonts())
            for index in range(len(document.page_links)):
                scene = sealed_scene(document, index, fonts=installed_fonts(), seals=seals)
                etree.fromstring(to_svg(scene).encode())
                to_png(scene, dpi=25)
            ofd_to_pdf(package, io.BytesIO())
        except TrustError as error:
            assert error.code.startswith("ofd.")  # noqa: PT017 - most are drawn
