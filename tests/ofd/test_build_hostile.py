"""Whatever a document's parts say, editing and merging answer with a code and never with a crash."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from ofd.build.annotations import AnnotationType
from ofd.build.document import DocumentBuilder, Placement, destination
from ofd.build.editing import DocumentEditor
from ofd.build.merging import Selection, merge
from ofd.fonts.faces import FontStack, find_fonts
from ofd.model.actions import UriAction
from ofd.model.info import Info
from ofd.model.navigation import Bookmark
from ofd.package.reader import write_package
from trustcore.errors import TrustError

from support.ofd_samples import sample_png, unpack

VALUES = (b"0", b"-1", b"x", b"", b"9" * 20, b"../..", b"/", b"1e5", b"nan", "一".encode(), b" ", b"1 2 inf 4")
INFO = Info(doc_id="1" * 32, created="2030-01-01")
_VALUE = re.compile(rb'"([^"]*)"|>([^<]+)<')
_TAG = re.compile(rb"</?ofd:[^>]*>")


@cache
def fonts() -> FontStack:
    return find_fonts()


@cache
def parts() -> dict[str, bytes]:
    made = DocumentBuilder(doc_id="0" * 32, title="题", created=datetime(2030, 1, 15, tzinfo=UTC), fonts=fonts())
    template = made.template()
    template.line((0, 9), (210, 9))
    for number in range(3):
        page = made.page(templates=[(template, Placement.BACKGROUND)])
        page.text(f"第{number}页", x_mm=20, y_mm=30, size_mm=6)
        page.image(sample_png(), box_mm=(20, 40, 10, 10))
        made.link(page, UriAction(uri="urn:x"), box_mm=(20, 24, 18, 8))
        made.bookmarks = (*made.bookmarks, Bookmark(name=str(number), destination=destination(page)))
    made.attach("a", b"1", format="txt")
    return unpack(made.to_bytes())


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, bytes]:
    """The parts of a document, one of them with another value, without an element, or with another octet."""
    found = dict(parts())
    name = draw(st.sampled_from([name for name in found if name.endswith(".xml")]))
    data = found[name]
    kind = draw(st.sampled_from(["value", "value", "value", "element", "octet", "part"]))
    if kind == "value":
        match = draw(st.sampled_from(list(_VALUE.finditer(data))))
        start, end = match.span(match.lastindex or 1)
        found[name] = data[:start] + draw(st.sampled_from(VALUES)) + data[end:]
    elif kind == "element":
        start, end = draw(st.sampled_from(list(_TAG.finditer(data)))).span()
        found[name] = data[:start] + draw(st.sampled_from([b"", data[start:end] * 2])) + data[end:]
    elif kind == "octet":
        at = draw(st.integers(0, len(data) - 1))
        found[name] = data[:at] + draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :]
    else:
        del found[name]
    return found


def edited(package: bytes) -> bytes:
    editor = DocumentEditor(package, fonts=fonts(), today=date(2030, 3, 1))
    editor.add_page(at=0)
    editor.annotate(1, AnnotationType.PATH, box_mm=(1, 1, 5, 5)).line((1, 1), (2, 2))
    editor.attach("b", b"2", format="txt")
    editor.page_box(1)
    editor.remove_page(2)
    return editor.to_bytes()


def merged(package: bytes) -> bytes:
    return merge([Selection(source=package, pages=(2, 0))], INFO)


@settings(max_examples=120, deadline=None)
@given(found=damaged())
def test_a_damaged_document_is_changed_or_refused(found: dict[str, bytes]) -> None:
    package = write_package(found)
    for change in (edited, merged):
        with suppress(TrustError):
            assert change(package)


def test_a_whole_document_is_changed() -> None:
    package = write_package(parts())
    assert edited(package)
    assert merged(package)
