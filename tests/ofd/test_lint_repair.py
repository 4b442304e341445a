"""Repair mends what it can, tells it, changes no picture, and never touches what is signed."""

import io
import zipfile
from collections.abc import Callable

import pytest

from ofd.draw.interpret import page_scene
from ofd.draw.scene import Item
from ofd.fonts.library import installed_fonts
from ofd.gmt0099.integrity import protect
from ofd.lint.reform import cut_deltas, reformed
from ofd.lint.repair import Repaired, repair
from ofd.lint.run import lint
from ofd.model.document import Document
from ofd.package.reader import Package, write_package
from trustcore.errors import ConflictError, RejectedError

from support.ofd_samples import SIGNED_AT, Pki, sample_document, sample_png, seal_document, unpack

DOCUMENT = "Doc_0/Document.xml"
PAGE = "Doc_0/Pages/Page_0/Content.xml"


def drawn(data: bytes) -> list[tuple[Item, ...]]:
    with Document.open(data) as document:
        return [page_scene(document, index, fonts=installed_fonts()).items for index in range(len(document.pages))]


def files_with(name: str, old: str, new: str) -> dict[str, bytes]:
    files = unpack(sample_document())
    assert old.encode() in files[name], files[name]
    files[name] = files[name].replace(old.encode(), new.encode(), 1)
    return files


def mended(files: dict[str, bytes]) -> Repaired:
    data = write_package(files)
    result = repair(data)
    assert drawn(result.data) == drawn(data)
    Package(result.data)
    again = repair(result.data)
    assert again.done == ()
    assert again.data == result.data
    return result


def test_nothing_is_done_to_a_document_that_is_right() -> None:
    result = repair(sample_document())
    assert result.done == ()
    assert result.data == sample_document()


def _old_namespace() -> dict[str, bytes]:
    return {
        name: data.replace(b"http://www.ofdspec.org/2016", b"http://www.ofdspec.org") if name.endswith(".xml") else data
        for name, data in unpack(sample_document()).items()
    }


def _no_prefix() -> dict[str, bytes]:
    return {
        name: data.replace(b"ofd:", b"").replace(b"xmlns:ofd", b"xmlns") if name.endswith(".xml") else data
        for name, data in unpack(sample_document()).items()
    }


def _swapped() -> dict[str, bytes]:
    files = unpack(sample_document())
    text = files[DOCUMENT]
    first = text[text.index(b"<ofd:CommonData>") : text.index(b"</ofd:CommonData>") + len(b"</ofd:CommonData>")]
    files[DOCUMENT] = text.replace(first, b"").replace(b"</ofd:Document>", first + b"</ofd:Document>")
    return files


CASES: dict[str, tuple[str, Callable[[], dict[str, bytes]]]] = {
    "old namespace": ("ofd.lint.part.namespace", _old_namespace),
    "no prefix": ("ofd.lint.reader.easyofd.prefix", _no_prefix),
    "order": ("ofd.lint.schema.order", _swapped),
    "backslash": (
        "ofd.lint.link.lenient",
        lambda: files_with(DOCUMENT, "Pages/Page_0/Content.xml", r"Pages\Page_0\content.xml"),
    ),
    "date": ("ofd.lint.schema.form", lambda: files_with("OFD.xml", ">2030-01-15<", ">D:20300115103000+08'00'<")),
    "document ID": (
        "ofd.lint.schema.form",
        lambda: files_with("OFD.xml", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"),
    ),
    "picture format": ("ofd.lint.picture.format", lambda: files_with("Doc_0/DocumentRes.xml", '"PNG"', '"JPEG"')),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_otherwise_is_mended_and_looks_the_same(case: str) -> None:
    code, make = CASES[case]
    files = make()
    assert code in lint(write_package(files)).codes
    result = mended(files)
    assert code in {item.code for item in result.done}
    assert code not in result.left.codes
    assert result.left.is_clean


def test_the_largest_id_is_raised() -> None:
    files = unpack(sample_document())
    before = files[DOCUMENT]
    start = before.index(b"<ofd:MaxUnitID>") + len(b"<ofd:MaxUnitID>")
    files[DOCUMENT] = before[:start] + b"3" + before[before.index(b"</ofd:MaxUnitID>") :]
    result = mended(files)
    (done,) = result.done
    assert (done.code, done.before, done.entry) == ("ofd.lint.id.maximum", "3", DOCUMENT)
    assert result.data == sample_document() or unpack(result.data)[DOCUMENT].count(done.after.encode())


def test_a_link_to_resources_that_nobody_misses_goes() -> None:
    link = "<ofd:DocumentRes>Nowhere.xml</ofd:DocumentRes>"
    files = files_with(DOCUMENT, "<ofd:DocumentRes>", f"{link}<ofd:DocumentRes>")
    (done,) = mended(files).done
    assert (done.code, done.before) == ("ofd.lint.link.dangling", "Nowhere.xml")
    files = unpack(sample_document())
    del files["Doc_0/DocumentRes.xml"]
    missed = repair(write_package(files))
    assert missed.done == ()
    assert {"ofd.lint.link.dangling", "ofd.lint.reference.missing"} <= missed.left.codes


def test_a_package_that_strict_readers_refuse_is_packed_anew() -> None:
    data = b"junk in front" + sample_document()
    result = repair(data)
    assert unpack(result.data) == unpack(sample_document())
    assert result.done[0].code == "ofd.lint.package.unreadable"
    assert drawn(result.data) == drawn(sample_document())


def test_names_in_gbk_become_readable_for_everybody() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in unpack(sample_document()).items():
            archive.writestr(name, data)
        archive.writestr("Doc_0/XXXX.txt", b"text")
    raw = stream.getvalue().replace(b"XXXX", "附件".encode("gbk"))
    assert "Doc_0/附件.txt" in Package(repair(raw).data)


def test_parts_of_other_namespaces_stay_as_they_are() -> None:
    files = _old_namespace()
    extensions = (
        '<ofd:Extensions xmlns:ofd="http://www.ofdspec.org"><ofd:Extension AppName="a" RefId="1">'
        '<ofd:Data><plain a="1">text</plain><x:y xmlns:x="urn:x"/></ofd:Data></ofd:Extension></ofd:Extensions>'
    )
    files["Doc_0/Extensions.xml"] = extensions.encode()
    link = b"<ofd:Extensions>Extensions.xml</ofd:Extensions></ofd:Document>"
    files[DOCUMENT] = files[DOCUMENT].replace(b"</ofd:Document>", link)
    text = unpack(mended(files).data)["Doc_0/Extensions.xml"]
    assert b'<plain a="1">text</plain>' in text
    assert b'xmlns:x="urn:x"' in text
    assert b"ofdspec.org/2016" in text


def test_a_signed_document_is_refused_however_broken_its_signature(pki: Pki) -> None:
    sealed = seal_document(pki, sample_document())
    files = unpack(sealed)
    without = {name: data for name, data in files.items() if not name.startswith("Doc_0/Signs/")}
    odd = files | {"OFD.xml": files["OFD.xml"].replace(b"/Doc_0/Signs/Signatures.xml", b"/nowhere.xml")}
    listed = protect(sample_document(), signer=pki.signer.signer, certificate=pki.signer.certificate, at=SIGNED_AT)
    for data in (sealed, b"junk" + sealed, write_package(without), write_package(odd), listed):
        with pytest.raises(ConflictError) as caught:
            repair(data)
        assert caught.value.code == "ofd.repair.signed"


def test_a_document_that_lost_content_is_not_repaired() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in unpack(sample_document()).items():
            archive.writestr(name, data)
    data = bytearray(stream.getvalue())
    position = data.index(sample_png())
    data[position + 20] ^= 0xFF
    with pytest.raises(RejectedError) as caught:
        repair(b"junk" + bytes(data))
    assert caught.value.code == "ofd.repair.damaged"


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("date", "D:20200131121314+08'00'", "2020-01-31"),
        ("date", "2020-1-31 08:00:00", "2020-01-31"),
        ("date", "2020年1月31日", "2020-01-31"),
        ("datetime", "2020-01-31 8:09:10.5", "2020-01-31T08:09:10"),
        ("date", "yesterday", None),
        ("date", "2020-13-31", None),
        ("docid", "{01234567-89AB-cdef-0123-456789abcdef}", "0123456789ABcdef0123456789abcdef"),
        ("docid", "", None),
        ("path", "M0,0L10-5.5C", "M 0 0 L 10 -5.5 C"),
        ("path", "m 0 0", None),
        ("path", "M 0 0 L 1", None),
        ("bool", "TRUE", None),
    ],
)
def test_values_are_rewritten_only_when_their_meaning_is_clear(kind: str, before: str, after: str | None) -> None:
    assert reformed(kind, before) == after


def test_surplus_deltas_are_cut() -> None:
    assert cut_deltas("g 3 4.2 5", 2) == "4.2 4.2"
    assert cut_deltas("g", 2) is None
