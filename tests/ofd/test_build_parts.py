"""What documents hold beside drawings: annotations, navigation, colours, composites, versions; writing in pieces."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from PIL import ImageCms

from ofd.build.annotations import AnnotationType, Remarks
from ofd.build.canvas import LayerType
from ofd.build.colors import ColorSpaceType, SpaceColor
from ofd.build.document import DocumentBuilder, Placement, destination
from ofd.build.watermarks import Watermark
from ofd.draw.interpret import page_scene
from ofd.draw.scene import Cap, Color, ImageItem, OriginKind, PathItem, SolidPaint, Stroke, TextItem
from ofd.fonts.faces import FontStack, find_fonts
from ofd.fonts.library import FontLibrary
from ofd.geometry import Box
from ofd.model.actions import Action, GotoAction, GotoAttachmentAction, MovieAction, SoundAction, UriAction
from ofd.model.attached import Extension, ExtensionProperty
from ofd.model.document import Document
from ofd.model.navigation import Bookmark, OutlineItem, Permissions, Preferences
from ofd.model.pages import PageArea
from ofd.package.reader import Package
from ofd.package.zip_write import PackageWriter
from ofd.verify.reachable import find_reachable
from trustcore.errors import ConflictError, MalformedError, RejectedError

from support.ofd_samples import sample_png, unpack

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NAMES = {"o": "http://www.ofdspec.org/2016"}


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


@pytest.fixture(scope="module")
def library() -> FontLibrary:
    return FontLibrary()


def builder(fonts: FontStack, **options: object) -> DocumentBuilder:
    given = {"doc_id": "0" * 32, "title": "题", "created": datetime(2030, 1, 15, tzinfo=UTC), "fonts": fonts} | options
    return DocumentBuilder(**given)  # type: ignore[arg-type] # handed on as they are


def rich(fonts: FontStack, **options: object) -> DocumentBuilder:
    """A document with everything that documents can hold."""
    made = builder(
        fonts,
        author="甲",
        subject="乙",
        abstract="丙",
        keywords=("信", "印"),
        modified=datetime(2030, 2, 1, tzinfo=UTC),
        usage="Normal",
        metadata={"A": "1"},
        **options,
    )
    template = made.template()
    template.line((0, 10), (210, 10))
    first = made.page(templates=[(template, Placement.BACKGROUND)])
    second = made.page(size_mm=(297, 210))
    third = made.page(area=PageArea(physical=Box(0, 0, 100, 100), content=Box(10, 10, 80, 80)))
    first.text("第一页", x_mm=20, y_mm=30, size_mm=6)
    attachment = made.attach("附件.xml", b"<a/>", format="xml")
    sound = made.media(b"ID3 sound", kind="Audio", format="mp3")
    film = made.media(b"film", kind="Video", format="mp4")
    made.link(first, UriAction(uri="https://example.org/", base="x", target="y"), box_mm=(20, 24, 18, 8))
    made.link(first, GotoAttachmentAction(attachment=attachment, new_window=False), box_mm=(50, 24, 18, 8))
    note = made.annotate(
        second,
        AnnotationType.HIGHLIGHT,
        box_mm=(30, 40, 50, 10),
        remarks=Remarks(creator="审核人", remark="请核对", parameters={"k": "v"}, printed=False, no_zoom=True),
    )
    note.rectangles([(30, 40, 50, 10)], fill=(255, 255, 0))
    space = made.color_space(ColorSpaceType.CMYK, palette=[(0, 0, 0, 255), (255, 0, 0, 0)])
    made.color_space(ColorSpaceType.RGB, profile=PROFILE)
    second.path("M 0 0 L 20 0 L 20 20 C", box_mm=(10, 10, 20, 20), fill=SpaceColor(space=space, index=1), stroke=None)
    second.path(
        "M 0 0 L 20 0 L 20 20 C",
        box_mm=(40, 10, 20, 20),
        fill=SpaceColor(space=space, value=(0, 255, 255, 0), alpha=128),
        stroke=None,
    )
    pen = Stroke(paint=SolidPaint(color=Color.of(0, 0, 0)), width=2, cap=Cap.ROUND, dash=(4, 2))
    base = made.draw_param(pen=pen)
    param = made.draw_param(stroke=(0, 128, 0), fill=(1, 2, 3), relative=base)
    second.layer(LayerType.FOREGROUND, draw_param=param)
    second.text("前景", x_mm=20, y_mm=150, size_mm=6)
    stamp = made.composite(width_mm=20, height_mm=10)
    stamp.image(sample_png(), box_mm=(0, 0, 20, 10))
    third.place(stamp, box_mm=(5, 5, 20, 10))
    third.place(stamp, box_mm=(5, 50, 40, 20))
    third.on(Action(event="PO", act=SoundAction(resource=str(sound), volume=80)))
    third.on(Action(event="PO", act=MovieAction(resource=str(film))))
    made.outlines = (
        OutlineItem(
            title="第一章",
            actions=(Action(event="CLICK", act=GotoAction(destination=destination(first, box_mm=(0, 30, 0, 0)))),),
            children=(
                OutlineItem(
                    title="第一节",
                    expanded=False,
                    actions=(Action(event="CLICK", act=GotoAction(bookmark="这里")),),
                ),
            ),
        ),
    )
    made.bookmarks = (Bookmark(name="这里", destination=destination(second, kind="FitR", box_mm=(1, 2, 3, 4))),)
    made.permissions = Permissions(
        edit=False, copies=3, valid_from="2030-01-01T00:00:00", valid_until="2031-01-01T00:00:00"
    )
    made.preferences = Preferences(page_mode="UseOutlines", page_layout="OnePage", hide_toolbar=True, zoom=1.5)
    region = (
        ("M", (0.0, 0.0)),
        ("L", (9.0, 0.0)),
        ("C", (9.0, 1.0, 9.0, 2.0, 9.0, 9.0)),
        ("Q", (1.0, 1.0, 0.0, 0.0)),
        ("Z", ()),
    )
    made.actions = (Action(event="DO", act=GotoAction(destination=destination(third, kind="Fit")), region=region),)
    made.extend(
        Extension(
            app_name="信印",
            company="C",
            app_version="1",
            date="2030-01-15",
            ref_id=str(first.id),
            properties=(ExtensionProperty(name="p", type="string", value="v"),),
            data=(b'<x xmlns="urn:x">1</x>',),
        ),
        {"more.bin": b"12"},
    )
    made.record_version("1.0", "初稿")
    made.cover(sample_png(), suffix="png")
    return made


def test_everything_written_is_read_back(fonts: FontStack, library: FontLibrary) -> None:
    document = Document.open(rich(fonts).to_bytes())
    for index in range(3):
        assert not page_scene(document, index, fonts=library).warnings
    info = document.info
    assert (info.author, info.abstract, info.keywords) == ("甲", "丙", ("信", "印"))
    assert (info.modified, info.usage, info.cover) == ("2030-02-01", "Normal", "Doc_0/Cover.png")
    (chapter,) = document.outlines
    assert chapter.destination is not None
    assert document.page_index(chapter.destination.page) == 0
    assert chapter.children[0].title == "第一节"
    assert not chapter.children[0].expanded
    assert document.bookmarks[0].destination.right == 4
    assert document.permissions == Permissions(
        edit=False, copies=3, valid_from="2030-01-01T00:00:00", valid_until="2031-01-01T00:00:00"
    )
    assert document.preferences.page_mode == "UseOutlines"
    assert document.preferences.zoom == 1.5
    (opened,) = document.actions
    assert opened.event == "DO"
    assert [operator for operator, _ in opened.region] == ["M", "L", "C", "Q", "Z"]
    assert document.attachments[0].file == "Doc_0/Attachs/attachment_1.xml"
    (extension,) = document.extensions
    assert extension.properties[0].value == "v"
    assert b"urn:x" in extension.data[0]
    assert extension.files == ("Doc_0/Extensions/Extension_0/more.bin",)
    (version,) = document.versions
    content = document.version_content(version)
    assert content is not None
    assert content.document == "Doc_0/Document.xml"
    assert "Doc_0/Pages/Page_0/Content.xml" in content.files.values()
    acts = [action.act for action in document.page(2).actions]
    assert isinstance(acts[0], SoundAction)
    assert isinstance(acts[1], MovieAction)
    assert not document.warnings


def test_annotations_are_shown_and_hold_what_is_known_of_them(fonts: FontStack, library: FontLibrary) -> None:
    document = Document.open(rich(fonts).to_bytes())
    address, attachment = document.annotations(0)
    assert address.type == "Link"
    assert [action.act for action in address.objects[0].actions] == [  # type: ignore[union-attr] # a figure
        UriAction(uri="https://example.org/", base="x", target="y")
    ]
    assert attachment.objects[0].actions[0].act == GotoAttachmentAction(attachment="A1", new_window=False)  # type: ignore[union-attr]
    (note,) = document.annotations(1)
    assert (note.creator, note.remark, note.parameters, note.print) == ("审核人", "请核对", {"k": "v"}, False)
    (shown,) = [
        item
        for item in page_scene(document, 1, fonts=library).items
        if isinstance(item, PathItem) and item.origin.kind is OriginKind.ANNOTATION
    ]
    assert shown.matrix.apply(*shown.path[0][1]) == (30, 40)


def test_colour_spaces_and_draw_parameters_reach_the_page(fonts: FontStack, library: FontLibrary) -> None:
    items = page_scene(Document.open(rich(fonts).to_bytes()), 1, fonts=library).items
    by_index, by_value = (item.fill for item in items[:2] if isinstance(item, PathItem))
    assert by_index == SolidPaint(color=Color.of(0, 1, 1))
    assert isinstance(by_value, SolidPaint)
    assert [round(part, 2) for part in by_value.color] == [1, 0, 0, 0.5]
    (text,) = (item for item in items if isinstance(item, TextItem))
    assert text.fill == SolidPaint(color=Color.of(1 / 255, 2 / 255, 3 / 255))


def test_a_composite_is_stored_once_and_shown_where_it_is_placed(fonts: FontStack, library: FontLibrary) -> None:
    package = rich(fonts).to_bytes()
    pictures = [
        item for item in page_scene(Document.open(package), 2, fonts=library).items if isinstance(item, ImageItem)
    ]
    assert [(item.matrix.e, item.matrix.f, item.matrix.a, item.matrix.d) for item in pictures] == [
        (5, 5, 20, 10),
        (5, 50, 40, 20),
    ]
    units = etree.fromstring(unpack(package)["Doc_0/DocumentRes.xml"]).xpath(
        "//o:CompositeGraphicUnit", namespaces=NAMES
    )
    assert len(units) == 1


def test_children_of_the_document_stand_in_the_order_of_the_schema(fonts: FontStack) -> None:
    parts = unpack(rich(fonts).to_bytes())
    root = etree.fromstring(parts["Doc_0/Document.xml"])
    assert [etree.QName(node).localname for node in root] == [
        "CommonData",
        "Pages",
        "Outlines",
        "Permissions",
        "Actions",
        "VPreferences",
        "Bookmarks",
        "Annotations",
        "Attachments",
        "Extensions",
    ]
    info = etree.fromstring(parts["OFD.xml"]).xpath("//o:DocInfo/*", namespaces=NAMES)
    assert [etree.QName(node).localname for node in info] == [
        "DocID",
        "Title",
        "Author",
        "Subject",
        "Abstract",
        "CreationDate",
        "ModDate",
        "DocUsage",
        "Cover",
        "Keywords",
        "Creator",
        "CustomDatas",
    ]


def test_everything_stored_is_linked(fonts: FontStack) -> None:
    package = Package(rich(fonts).to_bytes())
    reachable = find_reachable(package)
    versions = {name for name in package.names if "/Versions/" in name}
    assert set(package.names) - set(reachable.parts) <= versions
    assert not reachable.missing
    assert not reachable.problems


def test_a_watermark_covers_the_page_and_lies_above_it(fonts: FontStack, library: FontLibrary) -> None:
    made = builder(fonts)
    page = made.page()
    page.text("正文", x_mm=20, y_mm=20, size_mm=5)
    made.add_watermark(Watermark(text="机密"), page)
    items = page_scene(Document.open(made.to_bytes()), 0, fonts=library).items
    marks = [item for item in items if item.origin.kind is OriginKind.ANNOTATION]
    assert len(marks) > 20
    assert items[0].origin.kind is OriginKind.PAGE
    with pytest.raises(RejectedError, match="too often"):
        made.add_watermark(Watermark(text="密", size_mm=0.3, gap_mm=(0.1, 0.1)), page)


def test_a_file_has_the_same_octets_as_the_document_in_memory(fonts: FontStack, tmp_path: Path) -> None:
    rich(fonts).write_to(tmp_path / "a.ofd")
    assert (tmp_path / "a.ofd").read_bytes() == rich(fonts).to_bytes()


def test_pages_written_while_drawing_are_the_same_pages(fonts: FontStack, library: FontLibrary, tmp_path: Path) -> None:
    path, attached = tmp_path / "s.ofd", tmp_path / "long.bin"
    attached.write_bytes(bytes(600_000))
    with PackageWriter(path) as writer:
        made = builder(fonts, writer=writer)
        made.attach("long", attached, format="bin")
        for number in range(5):
            page = made.page()
            page.text(f"第{number}页𠮷", x_mm=20, y_mm=20, size_mm=5)
            page.image(sample_png(number + 3), box_mm=(20, 40, 10, 10))
            made.flush()
            with pytest.raises(ConflictError, match="written already"):
                page.line((0, 0), (1, 1))
        made.finish()
    document = Document.open(path.read_bytes())
    assert len(document.pages) == 5
    for number in range(5):
        drawn = page_scene(document, number, fonts=library)
        assert not drawn.warnings
        assert "".join(g.text for i in drawn.items if isinstance(i, TextItem) for g in i.glyphs) == f"第{number}页𠮷"
    with Package.open(path) as package:
        assert package.size("Doc_0/Attachs/attachment_1.bin") == 600_000
        assert set(find_reachable(package).parts) == set(package.names)


def test_a_document_that_is_written_while_drawn_has_no_other_form(fonts: FontStack, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="before its end"):
        builder(fonts).flush()
    with PackageWriter(tmp_path / "x.ofd") as writer:
        made = builder(fonts, writer=writer)
        made.page()
        with pytest.raises(ConflictError, match="into a file"):
            made.to_bytes()
        made.finish()


def test_what_cannot_be_written_is_refused(fonts: FontStack) -> None:
    made = builder(fonts)
    page = made.page()
    with pytest.raises(RejectedError, match="bits"):
        made.color_space(ColorSpaceType.RGB, bits=7)
    with pytest.raises(RejectedError, match="bits"):
        made.color_space(ColorSpaceType.RGB, palette=[(1, 2)])
    with pytest.raises(RejectedError, match="width and a height"):
        made.annotate(page, AnnotationType.PATH, box_mm=(0, 0, 0, 1))
    with pytest.raises(RejectedError, match="width and a height"):
        made.page(size_mm=(0, 1))
    with pytest.raises(RejectedError, match="alphanumeric"):
        made.media(b"", kind="Audio", format="../mp3")
    made.extend(Extension(app_name="a", ref_id="1", data=(b"<not xml",)))
    with pytest.raises(MalformedError, match="not XML"):
        made.to_bytes()
