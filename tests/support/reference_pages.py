"""Documents that show what drawing has to get right, written element for element, for the reviewed pictures.

Each is a whole package: to draw it is to read, interpret and paint it. The pictures lie in ``tests/ofd/reference``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache

from PIL import Image as Pillow

from ofd.build.document import DocumentBuilder
from ofd.draw.page import sealed_scene
from ofd.draw.png import to_picture
from ofd.draw.seals import Seals
from ofd.fonts.faces import FontFace, find_fonts
from ofd.fonts.library import installed_fonts
from ofd.model.document import Document
from ofd.ses.encode import encode_seal, encode_seal_info
from ofd.ses.structure import Picture
from ofd.sign.seal import Protection, prepare
from ofd.sign.stamps import StampAnnotation

from support.ofd_pages import HandMade, part
from support.ofd_samples import SIGNED_AT, SM2_SM3, sample_pki
from support.scenes import gray_mask, jbig2_picture, picture

__all__ = ["DOCUMENTS", "DPI", "drawn"]

DPI = 72
_GAP = 4
RAINBOW = (("0", "255 0 0"), ("0.5", "255 220 0"), ("1", "0 0 255"))
_SEALS = ("PNG", "JPG", "GIF", "BMP", "SVG", "OFD")
_SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 40">'
    b'<ellipse cx="30" cy="20" rx="25" ry="15" fill="#dd7070"/><path d="M0 0H15V10H0z" fill="#00a000"/></svg>'
)


def drawn(package: bytes, *, sealed: bool = True) -> Pillow.Image:
    """All pages of a document, with their seals or without, side by side."""
    fonts = installed_fonts()
    document = Document.open(package)
    seals = Seals(document, fonts=fonts) if sealed else None
    pages = [
        to_picture(sealed_scene(document, index, fonts=fonts, seals=seals), dpi=DPI).convert("RGB")
        for index in range(len(document.page_links))
    ]
    width = sum(page.width for page in pages) + _GAP * (len(pages) - 1)
    whole = Pillow.new("RGB", (width, max(page.height for page in pages)), (128, 128, 128))
    left = 0
    for page in pages:
        whole.paste(page, (left, 0))
        left += page.width + _GAP
    return whole


def _text(box: str, content: str, attributes: str = "", *, font: int = 3, size: float = 6, inner: str = "") -> str:
    return f'<TextObject ID="9" Boundary="{box}" Font="{font}" Size="{size}" {attributes}>{inner}{content}</TextObject>'


def _code(text: str, attributes: str, *, x: float = 0, y: float = 6) -> str:
    return f'<TextCode X="{x}" Y="{y}" {attributes}>{text}</TextCode>'


def _even(text: str, step: float) -> str:
    return _code(text, f'DeltaX="g {max(len(text) - 1, 1)} {step}"')


def _figure(box: str, data: str, attributes: str = "", inner: str = "") -> str:
    content = f"{inner}<AbbreviatedData>{data}</AbbreviatedData>"
    return f'<PathObject ID="8" Boundary="{box}" {attributes}>{content}</PathObject>'


def _area(box: str, paint: str, attributes: str = "") -> str:
    """A filled rectangle with a thin frame; ``paint`` is a colour, attributes of FillColor or what stands in it."""
    _, _, width, height = box.split()
    if paint[0].isdigit():
        paint = f'Value="{paint}"'
    return _figure(
        box,
        f"M 0 0 L {width} 0 L {width} {height} L 0 {height} C",
        f'Fill="true" LineWidth="0.3" {attributes}',
        f"<FillColor {'' if paint.startswith('<') else paint}>{paint if paint.startswith('<') else ''}</FillColor>",
    )


def _stops(stops: Iterable[tuple[str, str]] = RAINBOW) -> str:
    return "".join(f'<Segment Position="{place}"><Color Value="{value}"/></Segment>' for place, value in stops)


def _image(box: str, resource: int, attributes: str = "", inner: str = "") -> str:
    _, _, width, height = box.split()
    ctm = "" if "CTM" in attributes else f'CTM="{width} 0 0 {height} 0 0"'
    return f'<ImageObject ID="7" Boundary="{box}" ResourceID="{resource}" {ctm} {attributes}>{inner}</ImageObject>'


@cache
def _subset() -> bytes:
    return find_fonts().faces[0].subset("内嵌字体ABCabc印章gQ")


def _numbers(text: str) -> str:
    face = FontFace(_subset())
    return " ".join(str(face.glyph(char)) for char in text)


_FONTS = (
    '<Fonts><Font ID="3" FontName="Subset"><FontFile>f.ttf</FontFile></Font><Font ID="4" FontName="宋体"/>'
    '<Font ID="5" FontName="LXGW WenKai" FamilyName="霞鹜文楷"/><Font ID="6" FontName="Arial"/>'
    '<Font ID="10" FontName="Courier New" FixedWidth="true"/></Fonts>'
)


def _made(pages: Sequence[str], *, box: str, public: str = "", document: str = "", files: Mapping[str, bytes]) -> bytes:
    return HandMade(
        pages=tuple(pages),
        box=box,
        public=_FONTS + public,
        document=document,
        files={"Doc_0/Res/f.ttf": _subset(), **files},
    ).to_bytes()


def _texts() -> bytes:
    numbered = (
        '<CGTransform CodePosition="0" CodeCount="4" GlyphCount="4">'
        f"<Glyphs>{_numbers('内嵌字体')}</Glyphs></CGTransform>"
    )
    cluster = (
        f'<CGTransform CodePosition="1" CodeCount="2" GlyphCount="1"><Glyphs>{_numbers("印")}</Glyphs></CGTransform>'
    )
    gradient = f'<FillColor><AxialShd StartPoint="0 0" EndPoint="45 0">{_stops()}</AxialShd></FillColor>'
    green = '<FillColor Value="0 110 0"/>'
    outlined = 'Stroke="true" Fill="false" LineWidth="0.2"'
    rows = (
        _text("5 3 80 9", _even("内嵌字体ABCgQ", 6)),
        _text("5 12 80 9", _even("????", 6), inner=numbered),
        _text("45 12 60 9", _code("A__B", 'DeltaX="6 12 6"'), inner=cluster),
        _text("95 3 60 9", _even("宋体 named", 5), font=4, size=5),
        _text("95 12 60 9", _even("Arial 黑", 4), font=6, size=5),
        _text("95 21 60 9", _even("Courier 𠮷", 3.6), font=10, size=5),
        _text("5 21 85 9", _code("ABCabc", 'DeltaX="g 3 4 10 8"')),
        _text("5 30 60 9", _code("未说位置 abc", ""), font=5, size=5),
        _text("62 30 40 9", _even("HScale印章", 3), 'HScale="0.5"', font=5),
        _text("100 30 55 9", _even("粗体 Bold", 5.5), 'Weight="700"', font=5),
        _text("5 39 55 9", _even("内嵌ABC", 6), 'Weight="700"'),
        _text("45 39 55 9", _even("斜体Italic", 5), 'Italic="true"', font=5, size=5),
        _text("100 39 55 9", _even("描边Out", 6), outlined, font=5, inner='<StrokeColor Value="0 0 200"/>'),
        _text("5 48 60 10", _even("渐变印章内嵌字", 6.5), font=5, size=7, inner=gradient),
        _text("60 48 40 10", _even("半透明", 7), 'Alpha="90"', font=5, size=7, inner=green),
        _text("100 45 40 30", _even("转十五度", 6), 'CTM="0.966 0.259 -0.259 0.966 3 0"', font=5),
        _text("8 62 12 50", _code("竖排文字", 'DeltaY="g 3 7"'), font=5),
        _text("20 62 12 50", _code("卧字ABC", 'DeltaY="g 4 7"', x=2, y=0), 'CharDirection="90"', font=5),
        _text("34 62 12 50", _code("倒立", 'DeltaY="8"', x=6, y=0), 'CharDirection="180"', font=5),
        _text("44 62 12 50", _code("左卧", 'DeltaY="8"', x=6, y=8), 'CharDirection="270"', font=5),
        _text("56 62 12 50", _code("自上而下", "", x=0), 'ReadDirection="90"', font=5),
        _text("68 62 60 12", _code("左往右自", "", x=30), 'ReadDirection="180"', font=5),
        _text("68 76 80 12", _code("第一段", 'DeltaX="6 6"') + _code("另一段", 'DeltaX="6 6"', x=24, y=8), font=5),
        _text("110 62 40 12", _code("剪ABCDE", 'DeltaX="g 5 6"'), font=5),
        _text("68 90 80 14", _even("CTM拉伸", 6), 'CTM="1.8 0 0 1 0 0"', font=5),
    )
    return _made(["".join(rows)], box="0 0 155 108", files={})


def _shadings() -> bytes:
    rows = []
    for row, kind in enumerate(("Direct", "Repeat", "Reflect")):
        for column, extend in enumerate("0123"):
            shading = (
                f'<AxialShd StartPoint="12 4" EndPoint="24 8" MapType="{kind}" MapUnit="6" Extend="{extend}">'
                f"{_stops()}</AxialShd>"
            )
            rows.append(_area(f"{4 + column * 40} {4 + row * 16} 36 13", shading))
    for column, extend in enumerate("0123"):
        shading = (
            f'<RadialShd StartPoint="14 9" StartRadius="2" EndPoint="20 9" EndRadius="9" Extend="{extend}">'
            f"{_stops()}</RadialShd>"
        )
        rows.append(_area(f"{4 + column * 40} 52 36 18", shading))
    ellipse = (
        '<RadialShd StartPoint="18 9" StartRadius="0" EndPoint="18 9" EndRadius="14" Eccentricity="0.85" Angle="30" '
        f'MapType="Reflect" MapUnit="5" Extend="3">{_stops()}</RadialShd>'
    )
    apart = (
        f'<RadialShd StartPoint="6 9" StartRadius="3" EndPoint="26 9" EndRadius="6" Extend="3">{_stops()}</RadialShd>'
    )
    corners = (("0", 2, 2, "255 0 0"), ("0", 34, 2, "0 255 0"), ("0", 18, 16, "0 0 255"), ("1", 34, 16, "255 255 0"))
    points = "".join(
        f'<Point X="{x}" Y="{y}" EdgeFlag="{flag}"><Color Value="{color}"/></Point>' for flag, x, y, color in corners
    )
    free = f'<GouraudShd Extend="1">{points}<BackColor Value="230 230 230"/></GouraudShd>'
    grid = "".join(
        f'<Point X="{4 + 14 * (n % 3)}" Y="{2 + 14 * (n // 3) + (n % 3) % 2 * 2}"><Color Value="{color}"/></Point>'
        for n, color in enumerate(("255 0 0", "0 200 0", "0 0 255", "255 255 0", "255 255 255", "0 255 255"))
    )
    lattice = f'<LaGouraudShd VerticesPerRow="3">{grid}</LaGouraudShd>'
    for column, shading in enumerate((ellipse, apart, free, lattice)):
        rows.append(_area(f"{4 + column * 40} 73 36 18", shading))
    for column, (method, more) in enumerate(
        (("Normal", ""), ("Row", ""), ("RowAndColumn", ""), ("Normal", 'RelativeTo="Page" CTM="0.8 0.3 -0.3 0.8 3 0"'))
    ):
        triangle = _figure(
            "0 0 6 6", "M 0 0 L 6 0 L 0 6 C", 'Stroke="false" Fill="true"', '<FillColor Value="0 120 0"/>'
        )
        pattern = (
            f'<Pattern Width="6" Height="6" XStep="7" YStep="7" ReflectMethod="{method}" {more}>'
            f"<CellContent>{triangle}</CellContent></Pattern>"
        )
        rows.append(_area(f"{4 + column * 40} 94 36 18", pattern))
    lined = f'<StrokeColor><AxialShd StartPoint="0 0" EndPoint="150 0" Extend="3">{_stops()}</AxialShd></StrokeColor>'
    rows.append(_figure("4 116 156 10", "M 2 5 B 40 -12 110 22 150 5", 'LineWidth="3" Cap="Round"', lined))
    return _made(["".join(rows)], box="0 0 164 128", files={})


def _clips() -> bytes:
    def clip(*areas: str) -> str:
        return f"<Clip>{''.join(areas)}</Clip>"

    def path(box: str, data: str, attributes: str = "") -> str:
        return (
            f'<Area {attributes}><Path Boundary="{box}" Fill="true" Stroke="false">'
            f"<AbbreviatedData>{data}</AbbreviatedData></Path></Area>"
        )

    def clips(*inner: str, follow: str = "") -> str:
        return f"<Clips {follow}>{''.join(inner)}</Clips>"

    paint = f'<AxialShd StartPoint="0 0" EndPoint="45 0" Extend="3">{_stops()}</AxialShd>'
    circle = "M 0 12 A 12 12 0 1 1 24 12 A 12 12 0 1 1 0 12 C"
    left, right = path("2 2 24 24", circle), path("18 2 24 24", circle)
    star = path("4 0 28 28", "M 14 0 L 22 26 L 0 9 L 28 9 L 6 26 C")
    word = (
        '<Area><Text Boundary="0 4 45 24" Font="5" Size="20"><TextCode X="0" Y="18" DeltaX="20">裁剪</TextCode></Text>'
        "</Area>"
    )
    cells = (
        clips(clip(left)),
        clips(clip(left, right)),
        clips(clip(left), clip(right)),
        clips(clip(word)),
        clips(clip(star)),
        clips(clip(word), clip(left, right)),
        clips(clip(path("0 0 10 10", "M 0 0 L 10 0 L 10 10 L 0 10 C", 'CTM="2 0.5 -0.5 2 8 2"'))),
        clips(clip(path("0 0 15 10", "M 0 0 L 15 0 L 15 10 L 0 10 C")), follow='TransFlag="true"'),
        clips(clip(path("0 0 15 10", "M 0 0 L 15 0 L 15 10 L 0 10 C")), follow='TransFlag="false"'),
    )
    rows = []
    for number, inner in enumerate(cells):
        place = f"{4 + number % 3 * 50} {4 + number // 3 * 34} 45 30"
        frame = "M 0 0 L 45 0 L 45 30 L 0 30 C"
        rows.append(_figure(place, frame, 'LineWidth="0.2"', '<StrokeColor Value="170 170 170"/>'))
        turned = 'CTM="1.5 0.3 -0.3 1.5 8 0"' if "TransFlag" in inner else ""
        look = f'Fill="true" Stroke="false" {turned}'
        rows.append(_figure(place, frame, look, f"{inner}<FillColor>{paint}</FillColor>"))
    around = clips(clip(left, right))
    rows.append(f'<CompositeObject ID="30" Boundary="4 106 45 28" ResourceID="40">{around}</CompositeObject>')
    rows.append(_image("54 106 45 28", 50, inner=clips(clip(star), follow='TransFlag="false"')))
    rows.append(_text("104 106 40 28", _even("超出边界的文字", 9), font=5, size=9))
    rows.append(_figure("104 122 20 8", "M -10 4 L 60 4", 'LineWidth="4"', '<StrokeColor Value="200 0 0"/>'))
    inside = _area("0 0 25 28", 'Value="0 90 200"') + _area("20 8 25 28", 'Value="240 160 0" Alpha="180"')
    public = (
        '<CompositeGraphicUnits><CompositeGraphicUnit ID="40" Width="45" Height="28"><Content>'
        f"{inside}</Content></CompositeGraphicUnit></CompositeGraphicUnits>"
        '<MultiMedias><MultiMedia ID="50" Type="Image"><MediaFile>a.png</MediaFile></MultiMedia></MultiMedias>'
    )
    return _made(["".join(rows)], box="0 0 153 138", public=public, files={"Doc_0/Res/a.png": picture("PNG")})


def _boxes() -> bytes:
    """Pages of several boxes.

    OFD has no attribute for the rotation of a page: a page is turned by its box and the CTM of what stands on it. The
    corner of PhysicalBox is the origin of the page's space, so that one at -10, -15 changes nothing; the other boxes
    do not cut anything off.
    """

    def page(area: str, content: str) -> str:
        return f'<Area>{area}</Area><Content><Layer ID="1">{content}</Layer></Content>'

    grid = "".join(
        _figure(f"{x} {y} 10 10", "M 0 0 L 10 0 L 10 10 L 0 10 C", 'LineWidth="0.2"')
        for x in range(0, 60, 20)
        for y in range(0, 80, 20)
    )
    marks = grid + _text("2 2 40 10", _even("左上角", 7), font=5) + _text("30 60 40 10", _even("30,60", 4), font=5)
    turned = (
        '<TextObject ID="9" Boundary="0 0 80 60" Font="5" Size="7" CTM="0 1 -1 0 74 4">'
        '<TextCode X="0" Y="6" DeltaX="g 7 7">横页上的竖排内容</TextCode></TextObject>'
        + _figure("10 5 50 50", "M 5 0 L 45 0 L 45 10 L 5 10 C", 'CTM="0 1 -1 0 30 0"')
    )
    whole = "<PhysicalBox>0 0 60 80</PhysicalBox>"
    pages = (
        marks,
        page("<PhysicalBox>0 0 40 70</PhysicalBox>", marks),
        page("<PhysicalBox>-10 -15 60 80</PhysicalBox>", marks),
        page(
            "<PhysicalBox>0 0 60 80</PhysicalBox><ContentBox>10 10 30 40</ContentBox><CropBox>15 15 30 40</CropBox>",
            marks,
        ),
        page(f"{whole}<ApplicationBox>5 5 40 60</ApplicationBox>", marks),
        page("<PhysicalBox>0 0 80 60</PhysicalBox>", turned),
    )
    return _made(pages, box="0 0 60 80", files={})


def _annotations() -> bytes:
    def note(number: int, kind: str, box: str, inner: str, attributes: str = "") -> str:
        return (
            f'<Annot ID="{number}" Type="{kind}" Creator="x" LastModDate="2030-01-15" {attributes}>'
            f'<Appearance Boundary="{box}">{inner}</Appearance></Annot>'
        )

    watermark = "".join(
        _text(
            f"{x} {y} 60 40",
            _even("水印样本", 9),
            'Alpha="60" CTM="0.87 -0.5 0.5 0.87 0 20"',
            font=5,
            size=9,
            inner='<FillColor Value="200 0 0"/>',
        )
        for x in (0, 55)
        for y in (-5, 35)
    )
    marked = _area("0 0 60 8", 'Value="255 255 0"', 'Stroke="false" BlendMode="Multiply"').replace("LineWidth", "Name")
    curve = _figure("0 0 40 20", "M 0 10 Q 20 -10 40 10", 'LineWidth="1"', '<StrokeColor Value="0 0 220"/>')
    link = _figure("0 0 30 7", "M 0 0 L 30 0 L 30 7 L 0 7 C", 'LineWidth="0.3"', '<StrokeColor Value="0 0 255"/>')
    stamp = _area("0 0 24 12", 'Value="220 60 60" Alpha="160"', 'Stroke="false"')
    notes = (
        note(61, "Highlight", "5 12 60 8", marked),
        note(62, "Path", "70 30 40 20", curve),
        note(63, "Link", "5 40 30 7", link),
        note(64, "Stamp", "75 55 24 12", stamp),
        note(65, "Path", "5 55 24 12", stamp, 'Visible="false"'),
        note(66, "Watermark", "0 0 115 75", watermark),
    )
    template = _area("0 0 115 75", 'Value="235 245 255"') + _text("5 64 90 9", _even("背景模板 background", 5), font=5)
    front = _area("95 2 18 8", 'Value="255 200 0"') + _text("96 2 20 9", _even("前景", 5), font=5, size=5)
    page = (
        '<Template TemplateID="70" ZOrder="Background"/><Template TemplateID="71" ZOrder="Foreground"/><Content>'
        f'<Layer ID="2" Type="Foreground">{_area("40 24 20 12", "0 160 0")}</Layer>'
        f'<Layer ID="1">{_text("6 12 70 9", _even("高亮文字 body", 6), font=5)}'
        f"{_area('35 20 20 12', '200 0 0')}{_text('6 40 40 9', _even('链接 link', 4), font=5, size=5)}</Layer>"
        f'<Layer ID="3" Type="Background">{_area("30 28 20 12", "0 0 200")}</Layer></Content>'
    )
    files = {
        "Doc_0/Annotations.xml": part(
            "Annotations", '<Page PageID="1000"><FileLoc>Annots/Page_0/Annotation.xml</FileLoc></Page>'
        ),
        "Doc_0/Annots/Page_0/Annotation.xml": part("PageAnnot", "".join(notes)),
        "Doc_0/Tpls/Tpl_0/Content.xml": part("Page", f'<Content><Layer ID="4">{template}</Layer></Content>'),
        "Doc_0/Tpls/Tpl_1/Content.xml": part("Page", f'<Content><Layer ID="5">{front}</Layer></Content>'),
    }
    return HandMade(
        pages=(page,),
        box="0 0 115 75",
        public=_FONTS,
        common='<TemplatePage ID="70" BaseLoc="Tpls/Tpl_0/Content.xml"/>'
        '<TemplatePage ID="71" BaseLoc="Tpls/Tpl_1/Content.xml"/>',
        document="<Annotations>Annotations.xml</Annotations>",
        files={"Doc_0/Res/f.ttf": _subset(), **files},
    ).to_bytes()


def _composites() -> bytes:
    modes = (
        *("Normal", "Multiply", "Screen", "Overlay", "Darken", "Lighten"),
        *("ColorDodge", "ColorBurn", "HardLight", "SoftLight", "Difference", "Exclusion"),
    )
    rows = []
    for number, mode in enumerate(modes):
        x, y = 4 + number % 6 * 24, 4 + number // 6 * 24
        below = f'<AxialShd StartPoint="0 0" EndPoint="20 0">{_stops()}</AxialShd>'
        rows.append(_area(f"{x} {y} 20 20", below, 'Stroke="false"').replace('LineWidth="0.3"', ""))
        rows.append(
            _figure(
                f"{x} {y} 20 20",
                "M 10 2 L 18 18 L 2 18 C",
                f'Fill="true" Stroke="false" BlendMode="{mode}"',
                '<FillColor Value="120 180 90"/>',
            )
        )
    rows += [
        '<CompositeObject ID="30" Boundary="4 54 30 20" ResourceID="40"/>',
        '<CompositeObject ID="31" Boundary="40 54 45 30" ResourceID="40" CTM="1.5 0 0 1.5 0 0"/>',
        '<CompositeObject ID="32" Boundary="90 54 40 34" ResourceID="40" CTM="0.87 0.5 -0.5 0.87 12 0" Alpha="128"/>',
        '<CompositeObject ID="33" Boundary="4 78 30 20" ResourceID="41" DrawParam="45"/>',
        f'<PageBlock ID="34">{_area("46 90 14 8", "0 150 150")}</PageBlock>',
        _figure("66 88 20 10", "M 1 5 L 19 5", 'DrawParam="45"'),
        _area("92 90 12 8", 'Value="200" ColorSpace="46"'),
        _area("106 90 12 8", 'Value="0 255 255 0" ColorSpace="47"'),
        _area("120 90 12 8", 'Index="1" ColorSpace="48"'),
    ]
    inside = (
        _area("0 0 20 12", 'Value="220 0 0"')
        + _area("12 6 16 12", 'Value="0 0 220"')
        + _text("2 8 30 9", _even("复合", 5), font=5, size=5)
    )
    outer = (
        '<CompositeObject ID="42" Boundary="0 0 15 10" ResourceID="40" CTM="0.5 0 0 0.5 0 0"/>'
        '<PathObject ID="43" Boundary="14 2 16 16"><AbbreviatedData>M 2 2 L 14 14 M 2 14 L 14 2</AbbreviatedData>'
        "</PathObject>"
    )
    public = (
        '<CompositeGraphicUnits><CompositeGraphicUnit ID="40" Width="30" Height="20"><Content>'
        f"{inside}</Content></CompositeGraphicUnit>"
        f'<CompositeGraphicUnit ID="41" Width="30" Height="20"><Content>{outer}</Content></CompositeGraphicUnit>'
        "</CompositeGraphicUnits>"
        '<DrawParams><DrawParam ID="45" Relative="49" LineWidth="1.5"/><DrawParam ID="49" Cap="Round">'
        '<StrokeColor Value="0 130 0"/></DrawParam></DrawParams>'
        '<ColorSpaces><ColorSpace ID="46" Type="GRAY"/><ColorSpace ID="47" Type="CMYK"/>'
        '<ColorSpace ID="48" Type="RGB"><Palette><CV>0 0 0</CV><CV>255 0 255</CV></Palette></ColorSpace></ColorSpaces>'
    )
    return _made(["".join(rows)], box="0 0 148 102", public=public, files={})


def _images() -> bytes:
    pictures = {
        50: ("a.png", picture("PNG")),
        51: ("b.png", picture("PNG", "RGBA")),
        52: ("c.jpg", picture("JPEG")),
        53: ("d.gif", picture("GIF", "P")),
        54: ("e.bmp", picture("BMP")),
        55: ("f.tif", picture("TIFF", "L")),
        56: ("g.jb2", jbig2_picture()),
        57: ("h.jpg", picture("JPEG", "CMYK")),
        58: ("m.png", gray_mask()),
        59: ("wrong.jpg", picture("PNG")),
    }
    rows = [_area("0 0 150 92", 'Value="225 235 245"', 'Stroke="false"')]
    for number, resource in enumerate((50, 51, 52, 53, 54, 55, 56, 57)):
        rows.append(_image(f"{4 + number % 4 * 36} {4 + number // 4 * 24} 30 20", resource))
    border = '<Border LineWidth="1" HorizonalCornerRadius="5" VerticalCornerRadius="4"><BorderColor Value="0 0 200"/>'
    rows += [
        _image("4 52 30 20", 50, 'ImageMask="58"'),
        _image("40 52 30 20", 50, inner=f"{border}</Border>"),
        _image("76 52 30 20", 52, inner='<Border LineWidth="0.5" DashPattern="2 1"/>'),
        _image("108 50 36 30", 52, 'CTM="26 10 -6 17 8 1"'),
        _image("4 76 22 14", 59),
        _image("30 76 22 14", 99, 'Substitution="53"'),
        _image("56 76 22 14", 50, 'Alpha="90"'),
        _image("82 76 22 14", 50, 'CTM="-22 0 0 -14 22 14"'),
    ]
    media = "".join(
        f'<MultiMedia ID="{number}" Type="Image"><MediaFile>{name}</MediaFile></MultiMedia>'
        for number, (name, _) in pictures.items()
    )
    files = {f"Doc_0/Res/{name}": data for name, data in pictures.values()}
    return _made(["".join(rows)], box="0 0 150 92", public=f"<MultiMedias>{media}</MultiMedias>", files=files)


def _lines() -> bytes:
    corner = "M 2 12 L 14 2 L 26 12"
    rows = [
        _figure(f"{4 + n * 32} 4 30 16", corner, f'LineWidth="3" {look}')
        for n, look in enumerate(
            ('Cap="Butt" Join="Miter"', 'Cap="Round" Join="Round"', 'Cap="Square" Join="Bevel"', 'MiterLimit="1.1"')
        )
    ]
    rows += [
        _figure("4 24 120 4", "M 0 2 L 120 2", 'LineWidth="1" DashPattern="4 2"'),
        _figure("4 28 120 4", "M 0 2 L 120 2", 'LineWidth="1" DashPattern="4 2 1 2" DashOffset="3" Cap="Round"'),
        _figure("4 32 120 3", "M 0 1 L 120 1", 'LineWidth="0"'),
        _figure("4 35 120 3", "M 0 0.02 L 2.4 0.02", 'LineWidth="0" CTM="50 0 0 50 0 0"'),
        _figure("4 38 120 3", "M 0 1 L 120 1", 'LineWidth="0.05"'),
        _figure(
            "4 44 30 28",
            "M 15 0 L 24 28 L 0 10 L 30 10 L 6 28 C",
            'Fill="true" Rule="NonZero" LineWidth="0.3"',
            '<FillColor Value="250 180 0"/>',
        ),
        _figure(
            "38 44 30 28",
            "M 15 0 L 24 28 L 0 10 L 30 10 L 6 28 C",
            'Fill="true" Rule="Even-Odd" LineWidth="0.3"',
            '<FillColor Value="250 180 0"/>',
        ),
        _figure("72 44 28 28", "M 2 14 A 12 8 30 1 1 20 22 L 14 14 C", 'Fill="true"', '<FillColor Value="0 170 170"/>'),
        _figure("102 44 28 28", "M 2 20 Q 8 -6 14 20 Q 20 40 26 10 B 24 0 10 0 4 8", 'LineWidth="0.8"'),
        _figure("4 76 60 10", "S 0 5 L 58 5 L 58 8", 'LineWidth="2"', '<StrokeColor Value="200 0 0" Alpha="120"/>'),
        _figure("70 76 60 10", "M 0 5 L 58 5", 'LineWidth="6" CTM="1 0 0.5 0.5 0 2"'),
    ]
    return _made(["".join(rows)], box="0 0 134 90", files={})


@cache
def _seals() -> bytes:
    builder = DocumentBuilder(
        doc_id="2" * 32, title="seal", created=SIGNED_AT, fonts=find_fonts(), page_size_mm=(30, 20)
    )
    own = builder.page()
    own.image(picture("PNG"), box_mm=(0, 0, 30, 20))
    own.text("印", x_mm=14, y_mm=11, size_mm=3)
    pictures = dict(
        zip(
            _SEALS,
            (
                picture("PNG", "RGBA"),
                picture("JPEG"),
                picture("GIF", "P"),
                picture("BMP"),
                _SVG,
                builder.to_bytes(),
            ),
            strict=True,
        )
    )
    lined = "".join(_figure(f"0 {y} 110 2", "M 0 1 L 110 1", 'LineWidth="0.3"') for y in range(4, 80, 6))
    package = _made([lined + _text("10 20 90 9", _even("印章盖在文字之上", 9), font=5)] * 2, box="0 0 110 80", files={})
    for number, kind in enumerate(_SEALS):
        place = StampAnnotation(page=0, x_mm=4 + number % 3 * 35, y_mm=4 + number // 3 * 25, width_mm=30, height_mm=20)
        package = _sealed(package, kind, pictures[kind], [place])
    half = StampAnnotation(page=0, x_mm=95, y_mm=56, width_mm=30, height_mm=20, clip_mm=(0, 0, 15, 20))
    rest = StampAnnotation(page=1, x_mm=-15, y_mm=56, width_mm=30, height_mm=20, clip_mm=(15, 0, 15, 20))
    return _sealed(package, "PNG", pictures["PNG"], [half, rest])


def _sealed(package: bytes, kind: str, data: bytes, stamps: Sequence[StampAnnotation]) -> bytes:
    pki = sample_pki()
    info = encode_seal_info(
        vendor="Xinyin",
        seal_code="11010800000001",
        name="某市市场监督管理局",
        certificates=[pki.signer.certificate.der],
        created=SIGNED_AT,
        valid_from=SIGNED_AT,
        valid_until=SIGNED_AT + timedelta(days=300),
        picture=Picture(type=kind, data=data, width_mm=30, height_mm=20),
    )
    seal_der = encode_seal(
        info,
        certificate_der=pki.maker.certificate.der,
        signature_algorithm_oid=SM2_SM3,
        signature_der=pki.maker.signer.sign(info),
    )
    prepared = prepare(
        package,
        seal_der=seal_der,
        stamps=stamps,
        at=SIGNED_AT,
        certificates=[],
        crls=[],
        protection=Protection.CONTINUE,
    )
    return prepared.complete(pki.signer.signer.sign(prepared.to_be_signed), pki.signer.certificate.der)


DOCUMENTS: Mapping[str, Callable[[], bytes]] = {
    "text": _texts,
    "shadings": _shadings,
    "clips": _clips,
    "boxes": _boxes,
    "annotations": _annotations,
    "composites": _composites,
    "images": _images,
    "lines": _lines,
    "seals": _seals,
}
"""Name of the picture to what makes the document."""
