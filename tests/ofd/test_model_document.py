"""Documents are read part by part, as leniently as readers need it, and every guess is a warning."""

from pathlib import Path

import pytest

from ofd.geometry import Box
from ofd.model.actions import (
    GotoAction,
    GotoAttachmentAction,
    MovieAction,
    SoundAction,
    UriAction,
)
from ofd.model.document import Document
from ofd.model.files import StrictFiles
from ofd.model.objects import PathObject
from ofd.package.reader import Package, write_package
from trustcore.errors import MalformedError, NotFoundError, TrustError

from support.ofd_pages import HandMade, part


def open_made(made: HandMade) -> Document:
    return Document.open(made.to_bytes())


def codes_of(document: Document) -> list[str]:
    return [warning.code for warning in document.warnings]


def test_info_is_read_whole() -> None:
    document = open_made(
        HandMade(
            info="<Title>t</Title><Author>a</Author><Subject>s</Subject><Abstract>b</Abstract><CreationDate>2026-01-31"
            "</CreationDate><ModDate>D:2026</ModDate><DocUsage>EBook</DocUsage><Cover>cover.png</Cover><Keywords>"
            "<Keyword>k</Keyword><Keyword>l</Keyword></Keywords><Creator>c</Creator><CreatorVersion>1</CreatorVersion>"
            '<CustomDatas><CustomData Name="n">v</CustomData></CustomDatas>',
            files={"cover.png": b"x"},
        )
    )
    info = document.info
    assert (info.title, info.author, info.subject, info.abstract) == ("t", "a", "s", "b")
    assert (info.created, info.modified, info.usage, info.cover) == ("2026-01-31", "D:2026", "EBook", "cover.png")
    assert (info.keywords, info.creator, info.creator_version) == (("k", "l"), "c", "1")
    assert dict(info.custom) == {"n": "v"}
    assert (document.root.version, document.root.doc_type) == ("1.0", "OFD")


def test_pages_are_a_sequence_and_each_is_read_when_asked_for() -> None:
    made = HandMade(pages=("<PathObject/>", "", ""))
    document = open_made(made)
    assert len(document.pages) == 3
    assert [page.index for page in document.pages] == [0, 1, 2]
    assert document.pages[-1].index == 2
    assert [page.id for page in document.pages[:2]] == ["1000", "1001"]
    assert document.page_index("01001") == 1
    assert document.page_index("5") is None
    with pytest.raises(IndexError):
        document.pages[3]
    with pytest.raises(NotFoundError, match="3 pages"):
        document.page(-1)


def test_a_file_is_read_by_path_and_closed(tmp_path: Path) -> None:
    file = tmp_path / "document.ofd"
    file.write_bytes(HandMade().to_bytes())
    with Document.open(file) as document:
        assert len(document.pages) == 1
    file.write_bytes(b"PK")
    with pytest.raises(TrustError):
        Document.open(file)


def test_the_second_document_of_a_package_can_be_read() -> None:
    made = HandMade(
        root="</DocBody><DocBody><DocInfo><Title>two</Title></DocInfo><DocRoot>Doc_1/Document.xml</DocRoot>",
        files={"Doc_1/Document.xml": part("Document", "<CommonData/><Pages/>")},
    )
    assert Document.open(made.to_bytes(), body=1).info.title == "two"
    with pytest.raises(NotFoundError) as caught:
        Document.open(made.to_bytes(), body=2)
    assert caught.value.code == "ofd.model.no-document"


def test_outlines_bookmarks_and_actions_lead_to_places() -> None:
    place = '<Dest Type="XYZ" PageID="1000" Left="1" Top="2" Right="3" Bottom="4" Zoom="0"/>'
    document = open_made(
        HandMade(
            document='<Outlines><OutlineElem Title="one" Expanded="false"><Actions><Action Event="CLICK"><Goto>'
            f'{place}</Goto></Action></Actions><OutlineElem Title="two"/></OutlineElem></Outlines><Bookmarks><Bookmark'
            f' Name="b">{place}</Bookmark><Bookmark Name="nowhere"/></Bookmarks><Actions><Action Event="DO"><URI'
            ' URI="http://example.org" Base="b" Target="t"/></Action><Action Event="DO"><GotoA AttachID="5"'
            ' NewWindow="false"/></Action><Action Event="DO"><Sound ResourceID="6" Volume="50" Repeat="true"'
            ' Synchronous="1"/></Action><Action Event="DO"><Movie ResourceID="7" Operator="Stop"/></Action><Action'
            ' Event="DO"><Goto><Bookmark Name="b"/></Goto></Action></Actions>'
        )
    )
    (item,) = document.outlines
    assert (item.title, item.expanded, item.children[0].title) == ("one", False, "two")
    assert item.destination is not None
    assert (item.destination.type, item.destination.page, item.destination.left) == ("XYZ", "1000", 1)
    assert item.children[0].destination is None
    assert [bookmark.name for bookmark in document.bookmarks] == ["b"]
    assert [action.act for action in document.actions] == [
        UriAction(uri="http://example.org", base="b", target="t"),
        GotoAttachmentAction(attachment="5", new_window=False),
        SoundAction(resource="6", volume=50, repeat=True, synchronous=True),
        MovieAction(resource="7", operator="Stop"),
        GotoAction(bookmark="b"),
    ]


def test_the_region_of_an_action_is_a_figure() -> None:
    region = (
        '<Area Start="0 0"><Line Point1="5 0"/><QuadraticBezier Point1="6 1" Point2="5 2"/><CubicBezier Point2="4 4"'
        ' Point3="3 3"/><Arc SweepDirection="true" LargeArc="false" RotationAngle="0" EllipseSize="2 2"'
        ' EndPoint="1 1"/><Move Point1="0 7"/><Close/></Area>'
    )
    action = f'<Action Event="CLICK"><Region>{region}</Region><URI URI="u"/></Action>'
    content = f'<PathObject ID="3" Boundary="0 0 9 9"><Actions>{action}</Actions></PathObject>'
    document = open_made(HandMade(pages=(content,)))
    item = document.page(0).layers[0].objects[0]
    assert isinstance(item, PathObject)
    (read,) = item.actions
    assert [operator for operator, _ in read.region][:4] == ["M", "L", "Q", "C"]
    assert read.region[3] == ("C", (5, 2, 4, 4, 3, 3))
    assert read.region[-2:] == (("M", (0, 7)), ("Z", ()))
    assert read.region_box is not None


def test_permissions_and_preferences_are_read() -> None:
    document = open_made(
        HandMade(
            document='<Permissions><Edit>false</Edit><Signature>0</Signature><Print Printable="false" Copies="3"/>'
            '<ValidPeriod StartDate="2026-01-01T00:00:00" EndDate="2027"/></Permissions><VPreferences>'
            "<PageMode>UseOutlines</PageMode><PageLayout>OneColumn</PageLayout><TabDisplay>FileName</TabDisplay>"
            "<HideToolbar>true</HideToolbar><Zoom>1.5</Zoom></VPreferences>"
        )
    )
    allowed, wished = document.permissions, document.preferences
    assert (allowed.edit, allowed.annotate, allowed.signature, allowed.printable) == (False, True, False, False)
    assert (allowed.copies, allowed.valid_from, allowed.valid_until) == (3, "2026-01-01T00:00:00", "2027")
    assert (wished.page_mode, wished.page_layout, wished.tab_display) == ("UseOutlines", "OneColumn", "FileName")
    assert (wished.hide_toolbar, wished.hide_menubar, wished.zoom) == (True, None, 1.5)


def test_what_is_linked_is_read_when_asked_for() -> None:
    tag = '<t:Root xmlns:t="urn:t"><t:Name kind="k"><ObjectRef PageRef="1000">7</ObjectRef></t:Name></t:Root>'
    document = open_made(
        HandMade(
            document="<Annotations>Annots/Annotations.xml</Annotations><CustomTags>Tags/CustomTags.xml</CustomTags>"
            "<Attachments>Attachs/Attachments.xml</Attachments><Extensions>Extensions.xml</Extensions>",
            root='<Versions><Version ID="v1" Index="1" Current="true" BaseLoc="Doc_0/Versions/V1.xml"/></Versions>',
            files={
                "Doc_0/Annots/Annotations.xml": part(
                    "Annotations", '<Page PageID="1000"><FileLoc>Page_0/Annotation.xml</FileLoc></Page>'
                ),
                "Doc_0/Annots/Page_0/Annotation.xml": part(
                    "PageAnnot",
                    '<Annot ID="50" Type="Stamp" Creator="c" LastModDate="2026-01-31" Subtype="s" Print="false"'
                    ' NoZoom="true" ReadOnly="false"><Remark>r</Remark><Parameters><Parameter Name="p">v</Parameter>'
                    '</Parameters><Appearance Boundary="1 2 3 4"><PathObject ID="51"/></Appearance></Annot>',
                ),
                "Doc_0/Tags/CustomTags.xml": part(
                    "CustomTags", '<CustomTag TypeID="urn:t"><FileLoc>Tag_1.xml</FileLoc></CustomTag>'
                ),
                "Doc_0/Tags/Tag_1.xml": tag.encode(),
                "Doc_0/Attachs/Attachments.xml": part(
                    "Attachments",
                    '<Attachment ID="60" Name="a.txt" Format="txt" Size="1.5" Visible="false" CreationDate="2026">'
                    "<FileLoc>a.txt</FileLoc></Attachment>",
                ),
                "Doc_0/Attachs/a.txt": b"hello",
                "Doc_0/Extensions.xml": part(
                    "Extensions",
                    '<Extension AppName="n" Company="c" AppVersion="1" Date="d" RefId="7"><Property Name="p" Type="t">v'
                    "</Property><Data><x/></Data><ExtendData>Attachs/a.txt</ExtendData></Extension>",
                ),
                "Doc_0/Versions/V1.xml": part(
                    "DocVersion",
                    '<FileList><File ID="1">../Document.xml</File></FileList><DocRoot>../Document.xml</DocRoot>',
                    'ID="v1" Version="1" Name="first" CreationDate="2026-01-31"',
                ),
            },
        )
    )
    (annotation,) = document.annotations(0)
    assert (annotation.id, annotation.type, annotation.creator, annotation.subtype) == ("50", "Stamp", "c", "s")
    assert (annotation.print, annotation.no_zoom, annotation.read_only, annotation.remark) == (False, True, False, "r")
    assert (annotation.boundary, dict(annotation.parameters)) == (Box(1, 2, 3, 4), {"p": "v"})
    (tags,) = document.custom_tags
    (reference,) = document.tag_references(tags)
    assert (reference.namespace, reference.path, reference.object_id) == ("urn:t", ("Root", "Name"), "7")
    assert dict(reference.attributes) == {"kind": "k"}
    (attachment,) = document.attachments
    assert (attachment.name, attachment.file, attachment.visible) == ("a.txt", "Doc_0/Attachs/a.txt", False)
    (extension,) = document.extensions
    assert (extension.app_name, extension.properties[0].value) == ("n", "v")
    assert extension.files == ("Doc_0/Attachs/a.txt",)
    assert b"<x" in extension.data[0]
    (version,) = document.versions
    content = document.version_content(version)
    assert content is not None
    assert (content.name, content.document) == ("first", "Doc_0/Document.xml")
    assert dict(content.files) == {"1": "Doc_0/Document.xml"}
    earlier = document.at_version(version)
    assert earlier is not None
    assert len(earlier.pages) == 1
    assert not document.warnings


def test_resources_are_looked_up_in_the_page_then_the_document_then_the_public_ones() -> None:
    document = open_made(
        HandMade(
            pages=("<PageRes>PageRes.xml</PageRes><Content/>",),
            public='<Fonts><Font ID="3" FontName="public"/><Font ID="4" FontName="public"/></Fonts>',
            document_resources='<Fonts><Font ID="4" FontName="document"/><Font ID="5" FontName="document"/></Fonts>',
            files={
                "Doc_0/Pages/Page_0/PageRes.xml": part("Res", '<Fonts><Font ID="005" FontName="page"/></Fonts>'),
            },
        )
    )
    lookup = document.lookup(document.page(0))
    names = [font.name for identifier in ("3", "4", "5") if (font := lookup.font(identifier))]
    assert names == ["public", "document", "page"]
    assert lookup.font("6") is None
    assert lookup.font(None) is None


def test_draw_parameters_follow_their_chain_and_a_circle_ends() -> None:
    document = open_made(
        HandMade(
            public='<DrawParams><DrawParam ID="1" Relative="2" LineWidth="1"/>'
            '<DrawParam ID="2" Relative="3" Cap="Round"/><DrawParam ID="3" Relative="1"/></DrawParams>'
        )
    )
    assert [item.id for item in document.lookup(document.page(0)).draw_params("1")] == ["1", "2", "3"]


def test_resources_are_read_whole() -> None:
    document = open_made(
        HandMade(
            public='<ColorSpaces><ColorSpace ID="1" Type="cmyk" BitsPerComponent="4" Profile="p.icc"><Palette>'
            "<CV>1 2 3 4</CV><CV>#1 #2 #3 #4</CV></Palette></ColorSpace></ColorSpaces><MultiMedias>"
            '<MultiMedia ID="2" Type="Image" Format="PNG"><MediaFile>i.png</MediaFile></MultiMedia></MultiMedias>'
            '<CompositeGraphicUnits><CompositeGraphicUnit ID="3" Width="4" Height="5"><Thumbnail>2</Thumbnail>'
            '<Content><PathObject ID="9"/></Content></CompositeGraphicUnit></CompositeGraphicUnits>'
            '<Fonts><Font ID="4" FontName="f" FamilyName="g"'
            ' Charset="prc" Bold="true" Italic="1" Serif="false" FixedWidth="true"><FontFile>f.ttf</FontFile></Font>'
            "</Fonts>",
            files=dict.fromkeys(("Doc_0/Res/p.icc", "Doc_0/Res/i.png", "Doc_0/Res/f.ttf"), b"x"),
        )
    )
    lookup = document.lookup(document.page(0))
    space, media, composite, font = (
        lookup.color_space("1"),
        lookup.media("2"),
        lookup.composite("3"),
        lookup.font("4"),
    )
    assert space is not None
    assert (space.type, space.bits_per_component, space.profile) == ("CMYK", 4, "Doc_0/Res/p.icc")
    assert space.palette == ((1, 2, 3, 4), (1, 2, 3, 4))
    assert media is not None
    assert (media.file, media.format) == ("Doc_0/Res/i.png", "PNG")
    assert composite is not None
    assert (composite.width, composite.thumbnail, len(composite.objects)) == (4, "2", 1)
    assert font is not None
    assert (font.file, font.bold, font.italic, font.serif, font.fixed_width) == (
        "Doc_0/Res/f.ttf",
        True,
        True,
        False,
        True,
    )


@pytest.mark.parametrize(
    ("area", "box"),
    [
        ("<Area><PhysicalBox>0 0 100 50</PhysicalBox></Area>", Box(0, 0, 100, 50)),
        ("<Area><PhysicalBox>-10 20 100 50</PhysicalBox></Area>", Box(0, 0, 100, 50)),
        ("<Area><ApplicationBox>1 1 9 9</ApplicationBox></Area>", Box(1, 1, 9, 9)),
        ("<Area><PhysicalBox>0 0 0 0</PhysicalBox></Area>", Box(0, 0, 148, 210)),
        ("", Box(0, 0, 148, 210)),
    ],
)
def test_a_page_has_its_own_size_or_the_documents(area: str, box: Box) -> None:
    document = open_made(HandMade(pages=(f"{area}<Content/>",), box="0 0 148 210"))
    assert document.physical_box(document.page(0)) == box


@pytest.mark.parametrize("namespace", ["http://www.ofdspec.org", "", "http://www.ofdspec.org/2018"])
def test_other_namespaces_are_read(namespace: str) -> None:
    data = HandMade(pages=('<PathObject ID="7"/>',)).to_bytes()
    package = Package(data)
    old = b'xmlns="http://www.ofdspec.org/2016"'
    new = f'xmlns="{namespace}"'.encode() if namespace else b""
    document = Document.open(write_package({name: package.read(name).replace(old, new) for name in package.names}))
    assert len(document.page(0).layers[0].objects) == 1
    assert ("ofd.model.namespace" in codes_of(document)) == namespace.endswith("2018")


def test_foreign_elements_and_comments_are_passed_over() -> None:
    document = open_made(
        HandMade(pages=('<!-- x --><v:PathObject xmlns:v="urn:v" ID="6"/><PathObject ID="7"/><?p i?>',))
    )
    assert [item.id for item in document.page(0).layers[0].objects] == ["7"]


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"<Page><Content><Layer><PathObject ID='1'/></Layer></Content>", 1),
        (b"<Page><Content><Layer><PathObject ID='1' Name='&bad;'/></Layer></Content></Page>", 1),
        ("<?xml version='1.0' encoding='GBK'?><Page><Content><Layer Name='中'/></Content></Page>".encode("gbk"), 0),
        (b"not XML at all", None),
        (b"", None),
        (b"<!DOCTYPE Page [<!ENTITY a 'b'>]><Page><Content><Layer><PathObject/></Layer></Content></Page>", None),
    ],
)
def test_a_damaged_page_is_repaired_or_blank_and_never_an_error(content: bytes, count: int | None) -> None:
    document = open_made(HandMade(files={"Doc_0/Pages/Page_0/Content.xml": content}))
    layers = document.page(0).layers
    assert [len(layer.objects) for layer in layers] == ([] if count is None else [count])
    assert document.warnings


def test_a_missing_page_is_blank_with_a_warning() -> None:
    data = HandMade(pages=("", "")).to_bytes()
    package = Package(data)
    names = [name for name in package.names if "Page_1" not in name]
    document = Document.open(write_package({name: package.read(name) for name in names}))
    assert document.page(1).layers == ()
    assert "ofd.model.missing" in codes_of(document)


@pytest.mark.parametrize(
    "location", ["/Doc_0/Pages/Page_0/Content.xml", "Pages\\Page_0\\Content.xml", "//Doc_0/pages/page_0/content.xml"]
)
def test_crooked_links_are_followed_leniently_and_not_strictly(location: str) -> None:
    made = HandMade(
        pages=('<PathObject ID="7"/>',),
        files={
            "Doc_0/Document.xml": part(
                "Document", f'<CommonData/><Pages><Page ID="1000" BaseLoc="{location}"/></Pages>'
            )
        },
    )
    assert len(open_made(made).page(0).layers) == 1
    strict = Document.strict(Package(made.to_bytes()))
    assert bool(strict.page(0).layers) == (location == "/Doc_0/Pages/Page_0/Content.xml")


def test_without_its_roots_there_is_no_document() -> None:
    with pytest.raises(NotFoundError):
        Document.open(write_package({"a": b"b"}))
    with pytest.raises(MalformedError):
        Document.open(HandMade(files={"Doc_0/Document.xml": b"<!DOCTYPE a><Document/>"}).to_bytes())
    with pytest.raises(NotFoundError):
        Document.open(HandMade(files={"OFD.xml": part("OFD", "<DocBody/>")}).to_bytes())


def test_warnings_are_told_once_and_not_without_end() -> None:
    same = '<PathObject Boundary="x"/>' * 50
    assert len(open_made(HandMade(pages=(same,))).warnings) == 0
    document = open_made(HandMade(pages=(same,)))
    document.page(0)
    assert codes_of(document) == ["ofd.model.value"] * len(codes_of(document))
    assert len(codes_of(document)) <= 2
    different = open_made(HandMade(pages=("".join(f'<PathObject LineWidth="x{n}"/>' for n in range(2000)),)))
    different.page(0)
    assert len(different.warnings) == 1000


def test_only_the_parts_of_the_pages_asked_for_are_read() -> None:
    class Told(StrictFiles):
        def read(self, name: str) -> bytes:
            told.append(name)
            return super().read(name)

    told: list[str] = []
    made = HandMade(pages=("",) * 50)
    document = Document(Told(Package(made.to_bytes())))
    assert told == ["OFD.xml", "Doc_0/Document.xml"]
    document.page(7)
    document.page(7)
    assert told[2:] == ["Doc_0/Pages/Page_7/Content.xml"]
    for _ in document.pages:
        pass
    document.page(7)
    assert told.count("Doc_0/Pages/Page_7/Content.xml") == 3
