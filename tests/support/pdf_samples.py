"""PDF pages that show one thing each, made by hand so that a test knows what is in them."""

import struct
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pikepdf
import reportlab
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from pikepdf import Array, Dictionary, Name, Stream
from PIL import Image as Picture
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

__all__ = ["SAMPLES", "one_page", "to_bytes"]

FONTS = Path(reportlab.__file__).parent / "fonts"
WENKAI = Path("/usr/share/fonts/truetype/lxgw-wenkai/LXGWWenKai-Regular.ttf")

Resources = dict[str, object]


def to_bytes(document: pikepdf.Pdf) -> bytes:
    stream = BytesIO()
    document.save(stream, deterministic_id=True)
    return stream.getvalue()


def one_page(
    content: str | bytes,
    resources: Callable[[pikepdf.Pdf], Mapping[str, object]] | None = None,
    *,
    size: tuple[float, float] = (300, 200),
    keys: Mapping[str, object] | None = None,
) -> bytes:
    """A PDF with one page of this content."""
    document = pikepdf.new()
    page = document.add_blank_page(page_size=size)
    page.obj["/Contents"] = document.make_stream(content.encode() if isinstance(content, str) else content)
    page.obj["/Resources"] = Dictionary(dict(resources(document)) if resources else {})
    for key, value in (keys or {}).items():
        page.obj[key] = value
    return to_bytes(document)


def helvetica(_: pikepdf.Pdf) -> Resources:
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
    return {"/Font": Dictionary({"/F": font})}


def paths() -> bytes:
    return one_page("""
        1 0 0 RG 4 w 20 20 m 100 20 l 60 90 l s
        0 0 1 RG [12 4 2 4] 3 d 1 J 2 w 120 20 m 180 90 l S [] 0 d 0 J
        0 0.5 0 rg 200 20 80 60 re 220 30 40 40 re f*
        0.9 0.6 0 rg 0 G 1 w 40 120 m 40 160 100 190 120 150 c 140 140 140 110 v 60 100 40 120 y b
        q 3 0 0 0.5 0 0 cm 6 w 0.5 0 0.5 RG 60 230 m 90 380 l 95 250 l S Q
        q 1 j 10 w 0.3 G 210 110 m 240 180 l 270 110 l S Q
    """)


def clips() -> bytes:
    return one_page("""
        q 20 20 100 80 re W n 1 0 0 rg 70 60 m 170 60 l 120 160 l f 0 1 0 rg 0 0 60 60 re f Q
        q 150 100 m 200 180 l 250 100 l h 170 140 m 230 140 l 200 80 l h W* n 0 0 1 rg 140 60 130 130 re f
          1 1 0 rg 190 60 20 140 re f Q
        q 0.7 0.7 -0.7 0.7 80 110 cm 0 0 60 40 re W n 0.2 g -20 -20 60 60 re f Q
    """)


def colors() -> bytes:
    def resources(document: pikepdf.Pdf) -> Resources:
        double = Dictionary(FunctionType=2, Domain=Array([0, 1]), C0=Array([0, 0, 0, 0]), C1=Array([0, 1, 0.5, 0]), N=1)
        spot = Array([Name.Separation, Name("/Rosa"), Name.DeviceCMYK, double])
        program = Stream(document, b"{ 2 copy add 2 div 3 1 roll exch }")
        program["/FunctionType"], program["/Domain"] = 4, Array([0, 1, 0, 1])
        program["/Range"] = Array([0, 1, 0, 1, 0, 1])
        two = Array([Name.DeviceN, Array([Name("/A"), Name("/B")]), Name.DeviceRGB, program])
        indexed = Array([Name.Indexed, Name.DeviceRGB, 1, pikepdf.String(b"\xff\x80\x00\x00\x80\xff")])
        lab = Array([Name.Lab, Dictionary(WhitePoint=Array([0.9505, 1, 1.089]), Range=Array([-100, 100, -100, 100]))])
        spaces = {"/Spot": spot, "/Two": two, "/Table": indexed, "/Lab": lab}
        return {"/ColorSpace": Dictionary(spaces)}

    return one_page(
        """
        1 0 0 0 k 10 140 40 40 re f 0 1 0 0 k 60 140 40 40 re f 0 0 1 0 k 110 140 40 40 re f
        0 0 0 1 k 160 140 40 40 re f 0.3 0.2 0.6 0.1 k 210 140 40 40 re f
        /Spot cs 1 scn 10 80 40 40 re f 0.4 scn 60 80 40 40 re f /Two cs 0.9 0.2 scn 110 80 40 40 re f
        /Table cs 0 sc 160 80 40 40 re f 1 sc 210 80 40 40 re f
        /Lab cs 60 50 -30 sc 10 20 40 40 re f 80 -40 60 sc 60 20 40 40 re f 0.5 g 110 20 40 40 re f
        """,
        resources,
    )


def _ramp(*colors: tuple[float, ...]) -> Dictionary:
    parts = [
        Dictionary(FunctionType=2, Domain=Array([0, 1]), C0=Array(a), C1=Array(b), N=1) for a, b in pairwise(colors)
    ]
    if len(parts) == 1:
        return parts[0]
    bounds = [index / len(parts) for index in range(1, len(parts))]
    return Dictionary(
        FunctionType=3,
        Domain=Array([0, 1]),
        Functions=Array(parts),
        Bounds=Array(bounds),
        Encode=Array([0, 1] * len(parts)),
    )


def gradients() -> bytes:
    def resources(_: pikepdf.Pdf) -> Resources:
        both = Array([True, True])
        ramp = _ramp((1, 0, 0), (1, 1, 0), (0, 0.4, 1))
        axial = Dictionary(ShadingType=2, ColorSpace=Name.DeviceRGB, Coords=Array([0, 0, 80, 0]), Function=ramp)
        radial = Dictionary(
            ShadingType=3, ColorSpace=Name.DeviceRGB, Coords=Array([40, 40, 5, 50, 40, 38]), Function=ramp, Extend=both
        )
        skewed = Dictionary(PatternType=2, Shading=axial, Matrix=Array([1, 0.5, -0.8, 1, 120, 20]))
        plain = Dictionary(PatternType=2, Shading=radial, Matrix=Array([1.5, 0, 0, 0.9, 190, 10]))
        return {
            "/Shading": Dictionary({"/Axial": axial, "/Radial": radial}),
            "/Pattern": Dictionary({"/Skewed": skewed, "/Plain": plain}),
            **helvetica(_),
        }

    return one_page(
        """
        q 10 10 80 60 re W n 1 0 0 1 10 10 cm /Axial sh Q
        /Pattern cs /Skewed scn 100 10 80 80 re f /Plain scn 200 10 90 80 re f
        q 1 0 0 1 10 100 cm 0 0 90 90 re W n /Radial sh Q
        /Pattern CS /Skewed SCN 8 w 120 120 m 180 190 l S
        BT /F 40 Tf 1 0 0 1 190 130 Tm /Pattern cs /Skewed scn (Ink) Tj ET
        """,
        resources,
    )


def meshes() -> bytes:
    def mesh(document: pikepdf.Pdf, kind: int, data: bytes, **keys: object) -> Stream:
        stream = Stream(document, data)
        common = {"/ShadingType": kind, "/ColorSpace": Name.DeviceRGB, "/BitsPerCoordinate": 16, "/BitsPerComponent": 8}
        common |= {"/Decode": Array([0, 100, 0, 100, 0, 1, 0, 1, 0, 1])}
        for key, value in {**common, **{f"/{name}": item for name, item in keys.items()}}.items():
            stream[key] = value
        return stream

    def vertex(x: float, y: float, *color: int) -> bytes:
        return struct.pack(">HH3B", round(x * 655.35), round(y * 655.35), *color)

    def resources(document: pikepdf.Pdf) -> Resources:
        corners = [(0, 0, 255, 0, 0), (90, 0, 0, 255, 0), (45, 90, 0, 0, 255), (95, 95, 255, 255, 0)]
        free = b"".join(bytes([flag]) + vertex(*corner) for flag, corner in zip((0, 0, 0, 1), corners, strict=True))
        lattice = b"".join(vertex(*corner) for corner in (corners[0], corners[1], corners[2], corners[3]))
        edge = [(10, 10), (0, 40), (30, 60), (10, 90), (40, 100), (60, 70), (90, 90), (100, 60), (70, 40), (90, 10)]
        edge += [(60, 0), (40, 30)]
        colors = bytes([255, 0, 0, 255, 255, 0, 0, 255, 0, 0, 0, 255])
        coons = b"\x00" + b"".join(struct.pack(">HH", round(x * 655), round(y * 655)) for x, y in edge) + colors
        by_place = Stream(document, b"{ 2 copy mul 3 1 roll }")
        by_place["/FunctionType"], by_place["/Domain"] = 4, Array([0, 1, 0, 1])
        by_place["/Range"] = Array([0, 1, 0, 1, 0, 1])
        plane = Dictionary(
            ShadingType=1, ColorSpace=Name.DeviceRGB, Function=by_place, Matrix=Array([90, 0, 0, 90, 5, 5])
        )
        found = {
            "/Free": mesh(document, 4, free, BitsPerFlag=8),
            "/Lattice": mesh(document, 5, lattice, VerticesPerRow=2),
            "/Coons": mesh(document, 6, coons, BitsPerFlag=8),
            "/Plane": plane,
        }
        return {"/Shading": Dictionary(found)}

    places = (("/Free", 0, 0), ("/Lattice", 100, 0), ("/Coons", 200, 0), ("/Plane", 0, 100))
    return one_page("".join(f"q 1 0 0 1 {x} {y} cm {key} sh Q\n" for key, x, y in places), resources)


def tilings() -> bytes:
    def resources(document: pikepdf.Pdf) -> Resources:
        colored = Stream(document, b"1 0 0 rg 0 0 8 8 re f 0 0 1 rg 8 8 8 8 re f")
        plain = Stream(document, b"2 2 m 10 2 l 6 9 l f")
        for stream, paint in ((colored, 1), (plain, 2)):
            stream["/PatternType"], stream["/PaintType"], stream["/TilingType"] = 1, paint, 1
            stream["/BBox"], stream["/XStep"], stream["/YStep"] = Array([0, 0, 16, 16]), 16, 16
            stream["/Resources"] = Dictionary()
        plain["/Matrix"] = Array([1, 0.4, -0.4, 1, 3, 5])
        return {
            "/Pattern": Dictionary({"/Colored": colored, "/Plain": plain}),
            "/ColorSpace": Dictionary({"/Over": Array([Name.Pattern, Name.DeviceRGB])}),
        }

    return one_page(
        """/Pattern cs /Colored scn 20 20 110 160 re f
        /Over cs 0 0.6 0.2 /Plain scn 160 20 m 290 60 l 220 190 l f""",
        resources,
    )


def _image(
    document: pikepdf.Pdf, data: bytes, size: tuple[int, int], space: object, bits: int = 8, **keys: object
) -> Stream:
    stream = Stream(document, zlib.compress(data))
    found: Resources = {"/Type": Name.XObject, "/Subtype": Name.Image, "/Width": size[0], "/Height": size[1]}
    found |= {"/BitsPerComponent": bits, "/Filter": Name.FlateDecode}
    if space is not None:
        found["/ColorSpace"] = space
    for key, value in {**found, **{f"/{name}": item for name, item in keys.items()}}.items():
        stream[key] = value
    return stream


def _picture(mode: str = "RGB", size: int = 48) -> Picture.Image:
    base = Picture.linear_gradient("L").resize((size, size))
    picture = Picture.merge("RGB", (base, base.rotate(90), Picture.radial_gradient("L").resize((size, size))))
    return picture.convert(mode)


def _coded(document: pikepdf.Pdf, picture: Picture.Image, kind: str, space: object, **keys: object) -> Stream:
    stream = BytesIO()
    picture.save(
        stream, "JPEG" if kind == "DCTDecode" else "JPEG2000", **({"quality": 95} if kind == "DCTDecode" else {})
    )
    found = _image(document, b"", picture.size, space, **keys)
    found.write(stream.getvalue(), filter=Name("/" + kind))
    return found


def images() -> bytes:
    def resources(document: pikepdf.Pdf) -> Resources:
        rgb, gray, cmyk = _picture(), _picture("L"), _picture("CMYK")
        bits = _picture("1")
        table = pikepdf.String(b"".join(bytes([v * 16, 255 - v * 16, 128]) for v in range(16)))
        nibbles = bytes((x % 16) << 4 | (x + 1) % 16 for _ in range(16) for x in range(0, 16, 2))
        soft = _image(document, Picture.radial_gradient("L").resize((48, 48)).tobytes(), (48, 48), Name.DeviceGray)
        hard = _image(document, bits.tobytes(), (48, 48), None, 1, ImageMask=True)
        found = {
            "/A": _image(document, rgb.tobytes(), (48, 48), Name.DeviceRGB),
            "/B": _image(document, gray.tobytes(), (48, 48), Name.DeviceGray, Decode=Array([1, 0])),
            "/C": _image(document, cmyk.tobytes(), (48, 48), Name.DeviceCMYK),
            "/D": _image(document, bits.tobytes(), (48, 48), Name.DeviceGray, 1),
            "/E": _image(document, nibbles, (16, 16), Array([Name.Indexed, Name.DeviceRGB, 15, table]), 4),
            "/F": _coded(document, rgb, "DCTDecode", Name.DeviceRGB),
            "/G": _coded(document, cmyk, "DCTDecode", Name.DeviceCMYK),
            "/H": _coded(document, rgb, "JPXDecode", Name.DeviceRGB),
            "/I": _image(document, rgb.tobytes(), (48, 48), Name.DeviceRGB, SMask=soft),
            "/J": _coded(document, rgb, "DCTDecode", Name.DeviceRGB, SMask=soft),
            "/K": _image(document, rgb.tobytes(), (48, 48), Name.DeviceRGB, Mask=hard),
            "/L": _image(document, gray.tobytes(), (48, 48), Name.DeviceGray, Mask=Array([0, 100])),
            "/M": _image(document, bits.tobytes(), (48, 48), None, 1, ImageMask=True),
        }
        return {"/XObject": Dictionary(found)}

    content = "0.8 1 0.8 rg 0 0 300 200 re f 0.7 0 0.3 rg\n"
    for index, key in enumerate("ABCDEFGHIJKLM"):
        content += f"q 44 0 0 44 {6 + index % 6 * 49} {150 - index // 6 * 49} cm /{key} Do Q\n"
    content += "q 30 10 -10 30 80 10 cm BI /W 2 /H 2 /BPC 8 /CS /RGB /F /AHx ID FF000000FF000000FFFFFF00> EI Q\n"
    return one_page(content, resources)


def transparency() -> bytes:
    def resources(document: pikepdf.Pdf) -> Resources:
        group = Dictionary(S=Name.Transparency, CS=Name.DeviceRGB)

        def form(data: bytes, box: tuple[int, int, int, int] = (0, 0, 300, 200), **keys: object) -> Stream:
            stream = Stream(document, data)
            stream["/Type"], stream["/Subtype"], stream["/BBox"] = Name.XObject, Name.Form, Array(box)
            for key, value in keys.items():
                stream[f"/{key}"] = value
            return stream

        ramp = Dictionary(
            ShadingType=2, ColorSpace=Name.DeviceGray, Coords=Array([200, 0, 290, 0]), Function=_ramp((0,), (1,))
        )
        fading = form(b"/Ramp sh", Group=group, Resources=Dictionary(Shading=Dictionary({"/Ramp": ramp})))
        states = {
            "/Half": Dictionary(ca=0.5, CA=0.5),
            "/Multiply": Dictionary(BM=Name.Multiply),
            "/Fading": Dictionary(SMask=Dictionary(S=Name.Luminosity, G=fading)),
        }
        pair = b"1 0 0 rg 110 20 50 50 re f 0 0 1 rg 130 40 50 50 re f"
        words = b"0 0 0.6 rg 200 10 90 80 re f 1 g BT /F 18 Tf 215 40 Td (Fading) Tj ET"
        return {
            "/ExtGState": Dictionary(states),
            "/XObject": Dictionary(
                {"/Pair": form(pair, Group=group), "/Words": form(words, Resources=Dictionary(helvetica(document)))}
            ),
            **helvetica(document),
        }

    return one_page(
        """
        0.9 0.9 0.2 rg 0 80 300 40 re f
        q /Half gs 1 0 0 rg 10 60 50 50 re f 0 0 1 RG 10 w 20 40 m 80 100 l S Q
        q /Half gs /Pair Do Q
        q /Multiply gs 0 0.8 0.8 rg 20 110 60 60 re f 1 0.4 0.8 rg 50 90 60 60 re f Q
        q /Fading gs /Words Do 0 0.5 0 rg 200 120 90 50 re f Q
        """,
        resources,
    )


def text_states() -> bytes:
    return one_page(
        r"""
        BT /F 18 Tf 10 170 Td (Plain \374\337 \200) Tj 0 -24 Td 2 Tc (spaced) Tj 0 Tc 10 Tw ( two words) Tj 0 Tw
        0 -24 Td 60 Tz (narrow ) Tj 100 Tz 5 Ts (up) Tj -5 Ts (down) Tj 0 Ts
        0 -24 Td [(K) 120 (ern) -400 (ed)] TJ ET
        BT /F 22 Tf 0.7 0.7 -0.7 0.7 190 100 Tm 0 0.4 0.8 rg (turned) Tj ET
        BT /F 22 Tf 1 0 0.4 1 10 60 Tm 0.6 0 0 rg (slanted) Tj 1 Tr 0.5 w 1 0 0 1 120 60 Tm (hollow) Tj
        2 Tr 0 0 1 RG 1 0 0 1 200 60 Tm (both) Tj 3 Tr 1 0 0 1 10 40 Tm (unseen) Tj ET
        q BT /F 40 Tf 7 Tr 10 10 Td (CLIP) Tj ET 1 0 0 rg 0 0 70 60 re f 0 0 1 rg 70 0 90 60 re f Q
        BT 0 Tr -1 0 0 1 290 20 Tm /F 18 Tf (mirror) Tj ET
        """,
        helvetica,
    )


def standard_fonts() -> bytes:
    names = (
        "Helvetica",
        "Helvetica-BoldOblique",
        "Times-Roman",
        "Times-BoldItalic",
        "Courier",
        "Courier-Bold",
        "Symbol",
    )
    names += ("ZapfDingbats", "ArialMT", "TimesNewRomanPS-ItalicMT")

    def resources(_: pikepdf.Pdf) -> Resources:
        fonts = {
            f"/F{i}": Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name("/" + n))
            for i, n in enumerate(names)
        }
        return {"/Font": Dictionary(fonts)}

    lines = "".join(
        f"BT /F{i} 14 Tf 10 {180 - i * 18} Td (Hamburgefonts 123 \\(abc\\)) Tj ET\n" for i in range(len(names))
    )
    return one_page(lines, resources)


def _cff(text: str, *, keyed: bool) -> bytes:
    """A small CFF font: boxes with a notch whose place tells one glyph from another."""
    builder = FontBuilder(1000, isTTF=False)
    names = [".notdef", *(f"glyph{index}" for index in range(1, len(text) + 1))]
    builder.setupGlyphOrder(names)
    charstrings = {}
    for index, name in enumerate(names):
        pen = T2CharStringPen(600, None)
        if index:
            pen.moveTo((50, 0))
            pen.curveTo((50, 300), (100, 650), (300, 700))
            pen.lineTo((550, 700 - 60 * index))
            pen.lineTo((550, 0))
            pen.closePath()
        charstrings[name] = pen.getCharString()
    builder.setupCharacterMap({ord(char): name for char, name in zip(text, names[1:], strict=True)})
    info = {"FullName": "Test"} | ({"ROS": ("Adobe", "Identity", 0)} if keyed else {})
    builder.setupCFF("Test", info, charstrings, {})
    return bytes(builder.font.getTableData("CFF "))


def compact_fonts() -> bytes:
    """CFF in a simple font and in a composite one."""

    def resources(document: pikepdf.Pdf) -> Resources:
        def embedded(kind: Name) -> Dictionary:
            stream = Stream(document, _cff("abcd", keyed=False))
            stream["/Subtype"] = kind
            return Dictionary(Type=Name.FontDescriptor, FontName=Name("/ABCDEF+Test"), Flags=4, FontFile3=stream)

        differences = Array([65, *(Name(f"/glyph{index}") for index in range(1, 5))])
        to_unicode = (
            b"1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0001> <0004> <4e00> endbfrange"
        )
        simple_map = (
            b"1 begincodespacerange <00> <ff> endcodespacerange 2 beginbfchar <41> <0066006c> <42> <62a5> endbfchar"
        )
        simple = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type1,
            BaseFont=Name("/ABCDEF+Test"),
            FirstChar=65,
            Widths=Array([600] * 4),
            FontDescriptor=embedded(Name.Type1C),
            Encoding=Dictionary(Differences=differences),
            ToUnicode=Stream(document, simple_map),
        )
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType0,
            BaseFont=Name("/ABCDEF+Test"),
            CIDSystemInfo=Dictionary(
                Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("Identity"), Supplement=0
            ),
            DW=600,
            W=Array([2, Array([800]), 3, 4, 500]),
            FontDescriptor=embedded(Name.CIDFontType0C),
        )
        composite = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name("/ABCDEF+Test"),
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([descendant]),
            ToUnicode=Stream(document, to_unicode),
        )
        return {"/Font": Dictionary({"/S": simple, "/C": composite})}

    return one_page("BT /S 40 Tf 20 120 Td (ABCD) Tj ET BT /C 40 Tf 20 40 Td <0001000200030004> Tj ET", resources)


def type3_fonts() -> bytes:
    """Figures that are outlines, bitmaps, and one with colours of its own."""

    def resources(document: pikepdf.Pdf) -> Resources:
        face = b"\x3c\x42\x81\xa5\x81\x99\x42\x3c"
        bitmap = b"500 0 0 0 500 500 d1 500 0 0 500 0 0 cm BI /W 8 /H 8 /IM true /BPC 1 /D [1 0] ID " + face + b" EI"
        meaning = b"4 beginbfchar <61> <56db> <62> <4e09> <63> <5fc3> <64> <4e8c> endbfchar"
        procedures = {
            "/box": Stream(document, b"600 0 0 0 500 700 d1 0 0 500 700 re f"),
            "/tri": Stream(document, b"600 0 0 0 500 700 d1 0 0 m 500 0 l 250 700 l f"),
            "/pic": Stream(document, bitmap),
            "/two": Stream(document, b"600 0 d0 1 0 0 rg 0 0 250 700 re f 0 0 1 rg 250 0 250 700 re f"),
        }
        font = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type3,
            FontBBox=Array([0, 0, 600, 700]),
            FontMatrix=Array([0.001, 0, 0, 0.001, 0, 0]),
            CharProcs=Dictionary(procedures),
            Encoding=Dictionary(Differences=Array([97, Name.box, Name.tri, Name.pic, Name.two])),
            FirstChar=97,
            LastChar=100,
            Widths=Array([600, 600, 600, 600]),
            ToUnicode=Stream(document, meaning),
            Resources=Dictionary(),
        )
        return {"/Font": Dictionary({"/T": font})}

    return one_page("0 0.5 0 rg BT /T 50 Tf 20 100 Td (abcd) Tj 0.8 0 0 rg 0 -70 Td (cab) Tj ET", resources)


def reportlab_fonts() -> bytes:
    """TrueType and Type 1 programs as a common PDF library embeds them."""
    stream = BytesIO()
    canvas = Canvas(stream, pagesize=(300, 200), invariant=1)
    pdfmetrics.registerFont(TTFont("Vera", str(FONTS / "Vera.ttf")))
    pdfmetrics.registerFont(TTFont("WenKai", str(WENKAI)))
    face = pdfmetrics.EmbeddedType1Face(str(FONTS / "DarkGardenMK.afm"), str(FONTS / "DarkGardenMK.pfb"))
    pdfmetrics.registerTypeFace(face)
    pdfmetrics.registerFont(pdfmetrics.Font("DarkGardenMK", "DarkGardenMK", "WinAnsiEncoding"))
    for y, font, text in (
        (160, "Vera", "TrueType: fi Äß"),
        (110, "WenKai", "电子证照 信印 2026"),
        (60, "DarkGardenMK", "Type One"),
    ):
        canvas.setFont(font, 22)
        canvas.drawString(15, y, text)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def named_fonts() -> bytes:
    """Chinese fonts that are named and not embedded, with a predefined CMap."""
    stream = BytesIO()
    canvas = Canvas(stream, pagesize=(300, 200), invariant=1)
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    canvas.setFont("STSong-Light", 24)
    canvas.drawString(20, 120, "营业执照 统一社会")
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def vertical_text() -> bytes:
    def resources(_: pikepdf.Pdf) -> Resources:
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType0,
            BaseFont=Name("/STSong-Light"),
            CIDSystemInfo=Dictionary(Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("GB1"), Supplement=4),
        )
        font = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name("/STSong-Light-UniGB-UTF16-V"),
            Encoding=Name("/UniGB-UTF16-V"),
            DescendantFonts=Array([descendant]),
        )
        return {"/Font": Dictionary({"/V": font})}

    codes = "中华人民".encode("utf-16-be").hex()
    return one_page(f"BT /V 30 Tf 150 180 Td <{codes}> Tj ET", resources)


def _turned(degrees: int) -> Callable[[], bytes]:
    def make() -> bytes:
        content = "BT /F 20 Tf 40 60 Td (Right way up) Tj ET 1 0 0 rg 0 0 30 30 re f 0 0 1 rg 270 170 30 30 re f"
        keys = {"/Rotate": degrees, "/CropBox": Array([10, 20, 280, 190]), "/MediaBox": Array([-20, -10, 300, 200])}
        return one_page(content, helvetica, keys=keys)

    return make


def layers() -> bytes:
    """Optional content: what is off does not show."""
    document = pikepdf.open(
        BytesIO(one_page("/OC /Off BDC 1 0 0 rg 0 0 150 200 re f EMC /OC /On BDC 0 0 1 rg 150 0 150 200 re f EMC"))
    )
    groups = [document.make_indirect(Dictionary(Type=Name.OCG, Name=pikepdf.String(name))) for name in ("off", "on")]
    document.pages[0].obj["/Resources"] = Dictionary(Properties=Dictionary({"/Off": groups[0], "/On": groups[1]}))
    document.Root["/OCProperties"] = Dictionary(OCGs=Array(groups), D=Dictionary(OFF=Array(groups[:1])))
    return to_bytes(document)


def annotations() -> bytes:
    """A stamp whose appearance is turned and stretched, a hidden one, and a check box in its state."""
    document = pikepdf.open(BytesIO(one_page("0.9 g 0 0 300 200 re f", helvetica)))

    def form(content: bytes, **keys: object) -> Stream:
        stream = Stream(document, content)
        stream["/Type"], stream["/Subtype"], stream["/BBox"] = Name.XObject, Name.Form, Array([0, 0, 100, 50])
        for key, value in keys.items():
            stream[f"/{key}"] = value
        return stream

    stamp = form(
        b"1 0 0 RG 4 w 2 2 96 46 re S BT /F 20 Tf 8 18 Td 1 0 0 rg (STAMP) Tj ET",
        Matrix=Array([0, 1, -1, 0, 0, 0]),
        Resources=Dictionary(helvetica(document)),
    )
    states = Dictionary({"/Yes": form(b"0 0.5 0 rg 0 0 100 50 re f"), "/Off": form(b"1 0 0 rg 0 0 100 50 re f")})
    found = [
        Dictionary(Type=Name.Annot, Subtype=Name.Stamp, Rect=Array([20, 20, 90, 180]), AP=Dictionary(N=stamp)),
        Dictionary(Type=Name.Annot, Subtype=Name.Square, Rect=Array([0, 0, 300, 200]), F=2, AP=Dictionary(N=stamp)),
        Dictionary(
            Type=Name.Annot, Subtype=Name.Widget, Rect=Array([150, 50, 250, 100]), AS=Name.Yes, AP=Dictionary(N=states)
        ),
    ]
    found[0]["/Contents"], found[0]["/T"] = pikepdf.String("Approved by 张三"), pikepdf.String("Reviewer")
    kept = [document.make_indirect(item) for item in found]
    document.pages[0].obj["/Annots"] = Array(kept)
    found[2]["/FT"], found[2]["/T"] = Name.Btn, pikepdf.String("box")
    document.Root["/AcroForm"] = Dictionary(Fields=Array(kept[2:]))
    return to_bytes(document)


SAMPLES: dict[str, Callable[[], bytes]] = {
    "paths": paths,
    "clips": clips,
    "colors": colors,
    "gradients": gradients,
    "meshes": meshes,
    "tilings": tilings,
    "images": images,
    "transparency": transparency,
    "text-states": text_states,
    "standard-fonts": standard_fonts,
    "compact-fonts": compact_fonts,
    "type3-fonts": type3_fonts,
    "reportlab-fonts": reportlab_fonts,
    "named-fonts": named_fonts,
    "vertical-text": vertical_text,
    "turned-90": _turned(90),
    "turned-180": _turned(180),
    "turned-270": _turned(270),
    "layers": layers,
    "annotations": annotations,
}
"""Name to what makes the PDF."""
