import pytest

from ofd import xmlio
from ofd.package.loc import absolute, resolve
from trustcore.errors import MalformedError, RejectedError

OFD = f'xmlns:ofd="{xmlio.NAMESPACE}"'


def parse(body: str) -> xmlio.Element:
    return xmlio.parse(f"<ofd:OFD {OFD}>{body}</ofd:OFD>".encode(), part="OFD.xml")


def code_of(body: bytes) -> str:
    with pytest.raises(MalformedError) as caught:
        xmlio.parse(body, part="OFD.xml")
    return caught.value.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ofd.xml.malformed"),
        (b"<a>", "ofd.xml.malformed"),
        (b"<!DOCTYPE a><a/>", "ofd.xml.doctype"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "ofd.xml.doctype"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "ofd.xml.doctype"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "ofd.xml.doctype"),
        ('<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"), "ofd.xml.encoding"),
        ("<a/>".encode("utf-16"), "ofd.xml.encoding"),
        ('<?xml version="1.0"?><a/>'.encode("utf-16-le"), "ofd.xml.encoding"),
        ('<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16-be"), "ofd.xml.encoding"),
        ('<?xml version="1.0"?><a/>'.encode("utf-32"), "ofd.xml.encoding"),
        (b'<?xml version="1.0" encoding="GBK"?><a/>', "ofd.xml.encoding"),
        (b"<a>" * 257 + b"</a>" * 257, "ofd.xml.malformed"),
        (b"<a>" * 100_000, "ofd.xml.malformed"),
        (b"\xff\xfe<a/>", "ofd.xml.malformed"),
        (b"<a>" + b"<b/>" * 4_000_001 + b"</a>", "ofd.xml.size"),
        (b"<a>" + b"<b c='' d=''/>" * 1_400_000 + b"</a>", "ofd.xml.size"),
    ],
)
def test_dangerous_xml_is_refused(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_the_deepest_nesting_is_read() -> None:
    assert xmlio.local_name(xmlio.parse(b"<a>" * 256 + b"</a>" * 256, part="a")) == "a"


@pytest.mark.parametrize("namespace", [xmlio.NAMESPACE, "http://www.ofdspec.org", ""])
def test_all_namespaces_of_ofd_are_read(namespace: str) -> None:
    root = xmlio.parse(f'<OFD xmlns="{namespace}"><DocRoot>a</DocRoot></OFD>'.encode(), part="OFD.xml")
    assert xmlio.text(xmlio.required(root, "DocRoot")) == "a"


def test_a_repeated_element_is_refused() -> None:
    with pytest.raises(MalformedError, match="repeated"):
        xmlio.child(parse("<ofd:DocRoot>a</ofd:DocRoot><ofd:DocRoot>b</ofd:DocRoot>"), "DocRoot")


def test_an_element_of_another_namespace_is_refused() -> None:
    with pytest.raises(MalformedError) as caught:
        xmlio.child(parse('<x:DocRoot xmlns:x="urn:x">a</x:DocRoot>'), "DocRoot")
    assert caught.value.code == "ofd.xml.namespace"


@pytest.mark.parametrize("markup", ["<!-- -->", "<?x y?>", "<ofd:b/>"])
def test_markup_inside_a_location_is_refused(markup: str) -> None:
    node = xmlio.required(parse(f"<ofd:DocRoot>Doc_0/{markup}Evil.xml</ofd:DocRoot>"), "DocRoot")
    with pytest.raises(MalformedError) as caught:
        xmlio.text(node)
    assert caught.value.code == "ofd.xml.mixed-content"


def test_control_characters_cannot_be_written() -> None:
    with pytest.raises(RejectedError):
        xmlio.element(None, "Title", "a\x00b")


@pytest.mark.parametrize(
    ("location", "holder", "base", "name"),
    [
        ("Doc_0/Document.xml", "OFD.xml", "", "Doc_0/Document.xml"),
        ("/Doc_0/Document.xml", "OFD.xml", "", "Doc_0/Document.xml"),
        ("../Res/a.png", "Doc_0/Pages/Content.xml", "", "Doc_0/Res/a.png"),
        ("./a", "Doc_0/b", "", "Doc_0/a"),
        ("font.ttf", "Doc_0/PublicRes.xml", "Res", "Doc_0/Res/font.ttf"),
        ("font.ttf", "Doc_0/PublicRes.xml", "Res/", "Doc_0/Res/font.ttf"),
        ("font.ttf", "Doc_0/PublicRes.xml", "/Res", "Res/font.ttf"),
        ("/Res/font.ttf", "Doc_0/PublicRes.xml", "Other", "Res/font.ttf"),
        ("font.ttf", "Doc_0/PublicRes.xml", "/", "font.ttf"),
    ],
)
def test_locations_are_resolved(location: str, holder: str, base: str, name: str) -> None:
    assert resolve(location, holder=holder, base=base) == name


@pytest.mark.parametrize("location", ["", "..", "../a", "/../a", "a//b", "//a", "a\\b", "a/../../b"])
def test_locations_that_readers_would_repair_are_refused(location: str) -> None:
    with pytest.raises(MalformedError) as caught:
        resolve(location, holder="OFD.xml")
    assert caught.value.code == "ofd.loc.malformed"


def test_absolute_locations_start_at_the_root() -> None:
    assert absolute("Doc_0/a") == "/Doc_0/a"
