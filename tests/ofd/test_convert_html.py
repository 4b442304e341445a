"""OFD to HTML: one file that needs nothing, with pages, text, seals and links."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree, html

from ofd.build.document import DocumentBuilder
from ofd.convert.ofd_to_html import ofd_to_html
from ofd.fonts.faces import find_fonts
from ofd.model.actions import Destination, GotoAction, UriAction
from trustcore.errors import NotFoundError, RejectedError, TrustError

from support.ofd_samples import SIGNED_AT

SVG = "{http://www.w3.org/2000/svg}"


def converted(source: bytes | Path, **options: object) -> bytes:
    out = io.BytesIO()
    ofd_to_html(source, out, **options)  # type: ignore[arg-type] - what the test says
    return out.getvalue()


def pages(data: bytes) -> list[etree._Element]:
    return html.fromstring(data).findall(".//section")


@pytest.fixture(scope="module")
def linked() -> bytes:
    builder = DocumentBuilder(doc_id="2" * 32, title="A & <b>", created=SIGNED_AT, fonts=find_fonts())
    first, second = builder.page(), builder.page()
    first.text("第一页 <script>alert(1)</script>", x_mm=20, y_mm=40, size_mm=4)
    second.text("第二页", x_mm=20, y_mm=40, size_mm=8)
    for act, y in (
        (UriAction(uri='https://example.org/?a="><script>'), 50),
        (UriAction(uri="javascript:alert(1)"), 60),
        (GotoAction(destination=Destination(type="Fit", page=str(second.id))), 70),
    ):
        builder.link(first, act, box_mm=(21, y, 42, 8))
    return builder.to_bytes()


def test_each_page_is_a_section_with_its_text_and_seal(sealed: bytes) -> None:
    first, second = pages(converted(sealed))
    assert "有限公司" in "".join(first.itertext())
    assert "第二页" in "".join(second.itertext())
    assert [len(page.findall(".//*[@data-kind='seal']")) for page in (first, second)] == [1, 0]
    assert not html.fromstring(converted(sealed, seals=False)).findall(".//*[@data-kind='seal']")


def test_nothing_is_fetched_and_nothing_runs(linked: bytes, sealed: bytes) -> None:
    for data in (converted(linked), converted(sealed)):
        tree = html.fromstring(data)
        policy = tree.find(".//meta[@http-equiv]")
        assert policy is not None
        assert policy.get("content", "").startswith("default-src 'none'")
        assert not tree.findall(".//script")
        for node in tree.iter(etree.Element):
            assert not any(name.startswith("on") for name in node.attrib)
            source = node.get("href") if node.tag != "a" else None
            assert source is None or source.startswith(("#", "data:"))


def test_names_on_several_pages_do_not_collide(sealed: bytes) -> None:
    named = [node.get("id") for node in html.fromstring(converted(sealed)).iter() if node.get("id")]
    assert len(named) == len(set(named)) > 10


def test_links_lead_where_they_lead_and_harmful_ones_are_left_out(linked: bytes) -> None:
    tree = html.fromstring(converted(linked))
    assert tree.findtext(".//title") == "A & <b>"
    found = [(node.get("href"), node.get("style")) for node in tree.findall(".//section/a")]
    assert found == [
        ('https://example.org/?a="><script>', "left:10.0000%;top:16.8350%;width:20.0000%;height:2.6936%"),
        ("#page-2", "left:10.0000%;top:23.5690%;width:20.0000%;height:2.6936%"),
    ]


def test_some_pages_in_another_order(linked: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.ofd"
    path.write_bytes(linked)
    told: list[tuple[int, int | None]] = []
    both = converted(path, pages=[1, 0], progress=lambda done, total: told.append((done, total)))
    assert [page.get("aria-label") for page in pages(both)] == ["2", "1"]
    assert html.fromstring(both).findall(".//section/a")[1].get("href") == "#page-1"
    assert told == [(1, 2), (2, 2)]
    only = html.fromstring(converted(linked, pages=[0]))
    assert len(only.findall(".//section/a")) == 1, "the other page is not there to lead to"


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda data: converted(data, pages=[]), RejectedError),
        (lambda data: converted(data, pages=[9]), NotFoundError),
        (lambda data: converted(data[:50]), TrustError),
    ],
)
def test_what_cannot_be_converted_is_refused(
    linked: bytes, act: Callable[[bytes], bytes], error: type[TrustError]
) -> None:
    with pytest.raises(error):
        act(linked)
