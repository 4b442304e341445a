"""QR codes, beside those that segno makes, and read back by a reader."""

import subprocess
from io import BytesIO

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from licence_service.core.qr import modules

FULL = (14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287)
"""Characters that fill a code of level M (ISO/IEC 18004:2015, table 7): segno pads others with an octet too many."""
PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def _by_segno(text: str) -> tuple[str, ...]:
    code = segno.make(text, error="m", micro=False, mask=2)
    return tuple("".join("1" if module else "0" for module in row) for row in code.matrix)


@given(st.sampled_from(FULL).flatmap(lambda size: st.text(PRINTABLE, min_size=size - 1, max_size=size - 1)))
def test_a_full_code_is_the_one_segno_makes(text: str) -> None:
    address = "h" + text  # a lower-case letter keeps segno in the mode that all codes here have
    assert modules(address) == _by_segno(address)


def test_an_address_beyond_ascii_is_coded_too() -> None:
    assert modules("https://证照.example/v/A") == _by_segno("https://证照.example/v/A")


@pytest.mark.interop
@pytest.mark.parametrize("size", [1, 2, 13, 15, 27, 52, 61, 63, 100, 180, 181, 300])
def test_a_reader_reads_codes_of_any_length(size: int) -> None:
    text = ("https://licence.example/v/" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" * 9)[:size]
    rows = [f"{row:0>{len(row) + 4}}0000" for row in modules(text)]
    blank = ["0" * len(rows[0])] * 4
    octets = bytes(0 if module == "1" else 255 for row in (*blank, *rows, *blank) for module in row)
    side = len(rows[0])
    out = BytesIO()
    Image.frombytes("L", (side, side), octets).resize((side * 6, side * 6), Image.Resampling.NEAREST).save(out, "PNG")
    read = subprocess.run(
        ["zbarimg", "--quiet", "--raw", "--oneshot", "-"], input=out.getvalue(), capture_output=True, check=True
    )
    assert read.stdout.decode().rstrip("\n") == text
