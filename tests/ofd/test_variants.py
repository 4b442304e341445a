"""The forms in which signed documents are deployed: each has to be verified, or refused, as it deserves.

One test for each line of what implementations got wrong, as their users report it.
"""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from ofd.package.lenient import LenientPackage
from ofd.package.reader import WILD, Package, write_package
from ofd.ses.encode import encode_seal, encode_seal_info, encode_to_be_signed, validation_material
from ofd.ses.structure import Extension, Picture, SealSignature
from ofd.ses.verify import is_signed_by
from ofd.verify.document import verify
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto import sm2
from trustcore.crypto.digests import sm3
from trustcore.report import Report, Status, Verdict

from support.ofd_samples import (
    SIGNED_AT,
    SM2_SM3,
    Pki,
    make_seal,
    sample_document,
    sample_png,
    unpack,
)
from support.ofd_signing import SIGNS, raw_holder, seal_value, sign_anyhow

SIGNATURE = f"{SIGNS}Sign_0/Signature.xml"
OLD, NEW = b"http://www.ofdspec.org", b"http://www.ofdspec.org/2016"


def codes(report: Report, status: Status = Status.FAILED) -> set[str]:
    return {step.code for step in report.steps if step.status is status}


def variants(report: Report) -> set[str]:
    read = next(step for step in report.steps if step.code == "ofd.signature.read")
    return set(read.evidence.get("variants", "").split())


def valid(pki: Pki, data: bytes) -> Report:
    report = verify(data, pki.policy())
    assert report.verdict is Verdict.VALID, report.problems
    return report


def test_the_user_id_is_the_default_one(pki: Pki, document: bytes) -> None:
    """GM/T 0009-2012 §10: 1234567812345678 where nothing else is agreed; another one is another signature."""
    other = sign_with_identifier(pki, document, b"ALICE123@YAHOO.COM")
    assert codes(verify(other, pki.policy())) == {"ofd.signature.value"}
    valid(pki, sign_with_identifier(pki, document, sm2.DEFAULT_ID))


def sign_with_identifier(pki: Pki, document: bytes, identifier: bytes | None) -> bytes:
    """Sealed with a key whose private part is known, so that Z can be made of anything, or left out."""
    holder, raw = raw_holder(pki)

    def value(xml: bytes, name: str) -> bytes:
        to_be_signed = encode_to_be_signed(
            seal_der=make_seal(pki, signers=[holder]),
            at=SIGNED_AT,
            data_hash=sm3(xml),
            property_info=name,
            extensions=validation_material([pki.issuing.certificate.der], pki.crls),
        )
        e = sm3(to_be_signed) if identifier is None else sm2.message_digest(raw.point, to_be_signed, identifier)
        signature = sm2.sign_digest(raw.private_key, e)
        return encoder.sequence(
            to_be_signed,
            encoder.octet_string(holder.certificate.der),
            encoder.oid(SM2_SM3),
            encoder.bit_string(signature),
        )

    return sign_anyhow(document, value)


def test_z_is_always_hashed_in(pki: Pki, document: bytes) -> None:
    """GB/T 32918.2-2016 §6.1: a signature over the bare digest is not an SM2 signature with SM3."""
    assert codes(verify(sign_with_identifier(pki, document, None), pki.policy())) == {"ofd.signature.value"}


def test_signatures_of_64_raw_octets_are_read(pki: Pki, document: bytes) -> None:
    report = valid(pki, sign_anyhow(document, seal_value(pki, form=sm2.signature_to_raw)))
    assert "raw-signature" in variants(report)


def test_a_signature_whose_numbers_are_short_is_not_trimmed(pki: Pki, document: bytes) -> None:
    """r and s are numbers: implementations that strip or miss a zero octet refuse one file in 128."""
    holder, raw = raw_holder(pki)
    seal = make_seal(pki, signers=[holder])
    for number in range(2000):
        to_be_signed = encode_to_be_signed(
            seal_der=seal, at=SIGNED_AT, data_hash=bytes(32), property_info=f"/{number}", extensions=()
        )
        signature = raw.sign(to_be_signed)
        if sm2.signature_to_raw(signature)[0] == 0 or sm2.signature_to_raw(signature)[32] == 0:
            break
    else:
        pytest.fail("no signature with a short number was found")
    for form in (signature, sm2.signature_to_raw(signature)):
        assert is_signed_by(holder.certificate, SM2_SM3, to_be_signed, form)
    assert len(sm2.signature_to_raw(signature)) == 64


def test_a_seal_with_a_raw_signature_is_read(pki: Pki, document: bytes) -> None:
    children = [child.raw for child in parse(make_seal(pki)).children]
    raw = sm2.signature_to_raw(parse(children[3]).bit_string())
    seal = encoder.sequence(*children[:3], encoder.bit_string(raw))
    valid(pki, sign_anyhow(document, seal_value(pki, seal_der=seal), files={"Seal.esl": seal}))


def test_an_explicit_false_and_a_default_left_out_are_read_and_never_encoded_again(pki: Pki, document: bytes) -> None:
    material = validation_material([pki.issuing.certificate.der], pki.crls)
    explicit = sign_anyhow(document, seal_value(pki, extensions=material))
    valid(pki, explicit)

    def without_default(der: bytes) -> bytes:
        node = parse(der)
        extensions = b"".join(
            encoder.sequence(*(child.raw for child in item.children if child.tag != 0x01))
            for item in node[5][0].children
        )
        return encoder.sequence(
            *(child.raw for child in node.children[:5]), encoder.explicit(0, encoder.tlv(0x30, extensions))
        )

    report = valid(pki, sign_anyhow(document, seal_value(pki, extensions=material, rewrite=without_default)))
    assert "default-left-out" in variants(report)


def test_lengths_that_are_not_the_shortest_are_verified_as_received(pki: Pki, document: bytes) -> None:
    """BER where DER is asked for: the received octets are what was signed."""

    def long_form(der: bytes) -> bytes:
        body = parse(der).content
        return b"\x30\x84" + len(body).to_bytes(4, "big") + body

    valid(pki, sign_anyhow(document, seal_value(pki, rewrite=long_form)))


def test_the_seal_file_may_be_absent_or_there(pki: Pki, document: bytes) -> None:
    seal = make_seal(pki)
    absent = valid(pki, sign_anyhow(document, seal_value(pki, seal_der=seal)))
    assert "ofd.seal.file" not in {step.code for step in absent.steps}
    there = valid(pki, sign_anyhow(document, seal_value(pki, seal_der=seal), files={"Seal.esl": seal}))
    assert "ofd.seal.file" in codes(there, Status.PASSED)


@pytest.mark.parametrize("kind", ["ofd", "OFD", "svg", "Jpg", "bmp", "gif"])
def test_a_picture_of_any_kind_is_part_of_the_seal(pki: Pki, document: bytes, kind: str) -> None:
    picture = sample_document() if kind.lower() == "ofd" else sample_png()
    seal = seal_with(pki, Picture(type=kind, data=picture, width_mm=40, height_mm=30))
    valid(pki, sign_anyhow(document, seal_value(pki, seal_der=seal)))


def seal_with(pki: Pki, picture: Picture, *, extensions: tuple[Extension, ...] = ()) -> bytes:
    info = encode_seal_info(
        vendor="Xinyin",
        seal_code="1",
        name="某局",
        certificates=[pki.signer.certificate.der],
        created=SIGNED_AT - timedelta(days=10),
        valid_from=SIGNED_AT - timedelta(days=10),
        valid_until=SIGNED_AT + timedelta(days=300),
        picture=picture,
        extensions=extensions,
    )
    return encode_seal(
        info,
        certificate_der=pki.maker.certificate.der,
        signature_algorithm_oid=SM2_SM3,
        signature_der=pki.maker.signer.sign(info),
    )


def test_the_picture_is_drawn_in_the_boundary_whatever_size_the_seal_names(pki: Pki, document: bytes) -> None:
    """The size of the picture is no rule for the place on the page; the signed Boundary is."""
    seal = seal_with(pki, Picture(type="PNG", data=sample_png(), width_mm=10, height_mm=90))
    report = valid(pki, sign_anyhow(document, seal_value(pki, seal_der=seal)))
    assert "ofd.stamp.page" in codes(report, Status.PASSED)


def test_an_extension_of_the_tax_authority_is_read(pki: Pki, document: bytes) -> None:
    tax = Extension(oid="1.2.156.10197.6.7.2.2.1", value=b"2.1")
    seal = seal_with(pki, Picture(type="PNG", data=sample_png(), width_mm=40, height_mm=30), extensions=(tax,))
    valid(pki, sign_anyhow(document, seal_value(pki, seal_der=seal)))


def test_a_critical_extension_that_is_not_known_cannot_be_judged(pki: Pki, document: bytes) -> None:
    """It may say for what the seal must not be used."""
    limit = Extension(oid="1.2.3", critical=True, value=b"up to 100 yuan")
    seal = seal_with(pki, Picture(type="PNG", data=sample_png(), width_mm=40, height_mm=30), extensions=(limit,))
    material = (*validation_material([pki.issuing.certificate.der], pki.crls), limit)
    for value, code in (
        (seal_value(pki, seal_der=seal), "ofd.seal.extension"),
        (seal_value(pki, extensions=material), "ofd.signature.extension"),
    ):
        report = verify(sign_anyhow(document, value), pki.policy())
        assert [step.code for step in report.problems] == [code]
        assert report.verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize(
    "method",
    [
        "SM3",
        "sm3",
        "1.2.156.10197.1.401",
        "1.2.156.10197.1.401.1",
        "1.2.156.10197.1.401.2",
        "urn:oid:1.2.156.10197.1.401",
    ],
)
def test_the_digest_is_known_by_name_and_by_oid(pki: Pki, document: bytes, method: str) -> None:
    valid(pki, sign_anyhow(document, seal_value(pki), check_method=method))


def test_no_digest_named_means_md5_and_is_refused(pki: Pki, document: bytes) -> None:
    """The default of the standard is broken; the length of the digests shows nothing."""
    data = sign_anyhow(
        document, seal_value(pki), rewrite=lambda xml: xml.replace(' CheckMethod="1.2.156.10197.1.401"', "")
    )
    assert "ofd.reference.method" in codes(verify(data, pki.policy()))


def relative_locations(xml: str) -> str:
    return xml.replace(f"/{SIGNS}Sign_0/", "")


def test_locations_may_be_relative_to_their_file(pki: Pki, document: bytes) -> None:
    data = sign_anyhow(
        document,
        seal_value(pki),
        rewrite=relative_locations,
        rewrite_list=lambda xml: xml.replace(f'BaseLoc="/{SIGNS}', 'BaseLoc="'),
    )
    valid(pki, data)


def test_references_may_be_relative_to_signature_xml(pki: Pki, document: bytes) -> None:
    data = sign_anyhow(
        document, seal_value(pki), rewrite=lambda xml: xml.replace('FileRef="/Doc_0/', 'FileRef="../../')
    )
    valid(pki, data)


@pytest.mark.parametrize("namespace", [OLD, b""])
def test_the_older_namespace_and_none_are_read(pki: Pki, document: bytes, namespace: bytes) -> None:
    files = unpack(document)
    for name in [name for name in files if name.endswith(".xml") and b"ofd:" in files[name]]:
        if namespace:
            files[name] = files[name].replace(NEW, namespace)
        else:
            files[name] = files[name].replace(b' xmlns:ofd="' + NEW + b'"', b"").replace(b"ofd:", b"")

    def rename(xml: str) -> str:
        if namespace:
            return xml.replace(NEW.decode(), namespace.decode())
        return xml.replace(f' xmlns:ofd="{NEW.decode()}"', "").replace("ofd:", "")

    package = write_package(files)
    if not namespace:
        root = Package(package).read("OFD.xml").replace(b"</DocBody>", b"<Signatures>/%s</Signatures></DocBody>")
        root = root.replace(b"%s", f"{SIGNS}Signatures.xml".encode())
        listed = b"<Signatures><MaxSignId>1</MaxSignId></Signatures>"
        package = Package(package).with_files({"OFD.xml": root, f"{SIGNS}Signatures.xml": listed})
        data = sign_without_prefix(pki, package)
    else:
        data = sign_anyhow(package, seal_value(pki), rewrite=rename, rewrite_list=rename)
    valid(pki, data)


def sign_without_prefix(pki: Pki, package: bytes) -> bytes:
    """Signature.xml and Signatures.xml without prefix and namespace."""
    opened = Package(package)
    folder = f"{SIGNS}Sign_0/"
    listed = opened.read(f"{SIGNS}Signatures.xml").replace(
        b"</Signatures>", f'<Signature ID="s001" BaseLoc="/{folder}Signature.xml"/></Signatures>'.encode()
    )
    opened = Package(opened.with_files({f"{SIGNS}Signatures.xml": listed}))
    references = "".join(
        f'<Reference FileRef="/{name}"><CheckValue>'
        f"{b64encode(sm3(opened.read(name))).decode()}</CheckValue></Reference>"
        for name in opened.names
    )
    page = opened.read("Doc_0/Document.xml").decode()
    page_id = page[page.index("<Page ID=") :].split('"')[1]
    xml = (
        f"<Signature><SignedInfo><SignatureMethod>{SM2_SM3}</SignatureMethod>"
        f'<References CheckMethod="SM3">{references}</References>'
        f'<StampAnnot ID="1" PageRef="{page_id}" Boundary="1 1 9 9"/></SignedInfo>'
        f"<SignedValue>SignedValue.dat</SignedValue></Signature>"
    ).encode()
    value = seal_value(pki)(xml, f"/{folder}Signature.xml")
    return opened.with_files({f"{folder}Signature.xml": xml, f"{folder}SignedValue.dat": value})


def test_a_local_time_with_a_z_in_the_text_is_never_compared(pki: Pki, document: bytes) -> None:
    """SignatureDateTime prints Beijing time with Z, timeInfo is UTC: eight hours apart in honest files."""
    data = sign_anyhow(
        document,
        seal_value(pki),
        rewrite=lambda xml: xml.replace("20300115173000Z", "2030-01-15 17:30:00"),
    )
    assert valid(pki, data).facts["signed_at"] == "2030-01-15T09:30:00Z"


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b"20300115093000Z", SIGNED_AT),
        (b"20300115093000.123Z", SIGNED_AT),
        (b"20300115173000+0800", SIGNED_AT),
        (b"20300115173000", SIGNED_AT),
        (b"203001150930Z", SIGNED_AT),
    ],
)
def test_the_claimed_time_is_read_in_its_forms_and_without_zone_as_beijing_time(
    pki: Pki, document: bytes, text: bytes, at: datetime
) -> None:
    def with_time(der: bytes) -> bytes:
        children = [child.raw for child in parse(der).children]
        children[2] = encoder.tlv(0x18, text)
        return encoder.sequence(*children)

    report = valid(pki, sign_anyhow(document, seal_value(pki, rewrite=with_time)))
    found = datetime.fromisoformat(report.facts["signed_at"])
    assert found.astimezone(UTC).replace(microsecond=0) == at


def test_whitespace_and_declaration_of_xml_are_part_of_what_was_signed(pki: Pki, document: bytes) -> None:
    """No part is written anew before it is hashed."""

    def odd(xml: str) -> str:
        return '<?xml version="1.0" encoding="utf-8" standalone="no"?>\r\n<!-- c -->' + xml.replace("><", ">\r\n\t<")

    data = sign_anyhow(document, seal_value(pki), rewrite=odd)
    valid(pki, data)
    files = unpack(data)
    files[SIGNATURE] = files[SIGNATURE].replace(b"\r\n", b"\n")
    assert codes(verify(write_package(files), pki.policy())) == {"ofd.signature.data-hash"}


def test_the_list_of_signatures_may_be_left_out(pki: Pki, document: bytes) -> None:
    open_list = valid(pki, sign_anyhow(document, seal_value(pki), closed=False))
    assert "ofd.signature.list-open" in codes(open_list, Status.WARNING)
    closed = valid(pki, sign_anyhow(document, seal_value(pki)))
    assert "ofd.signature.list-open" not in codes(closed, Status.WARNING)


@pytest.mark.parametrize("path", ["Doc_0/Signs/Sign_0/Signature.xml", "Signature.xml", "", '{"ofd.Sign":"/x"}'])
def test_another_form_of_property_info_is_told_and_does_not_fail(pki: Pki, document: bytes, path: str) -> None:
    report = valid(pki, sign_anyhow(document, seal_value(pki, path=lambda _: path)))
    assert "ofd.signature.property-info" in codes(report, Status.WARNING)


@pytest.mark.parametrize("maximum", ["<ofd:MaxSignId>0</ofd:MaxSignId>", "", "<ofd:MaxSignId>s7</ofd:MaxSignId>"])
def test_the_highest_id_of_signatures_may_be_wrong_absent_or_no_number(pki: Pki, document: bytes, maximum: str) -> None:
    data = sign_anyhow(
        document,
        seal_value(pki),
        rewrite_list=lambda xml: xml.replace("<ofd:MaxSignId>9</ofd:MaxSignId>", maximum),
    )
    valid(pki, data)


@pytest.mark.parametrize("identifier", ["1", "01", "001", "s001", "{8F6A-11}"])
def test_ids_of_signatures_may_be_anything(pki: Pki, document: bytes, identifier: str) -> None:
    data = sign_anyhow(
        document, seal_value(pki), rewrite_list=lambda xml: xml.replace('ID="s001"', f'ID="{identifier}"')
    )
    report = valid(pki, data)
    assert all(step.evidence["signature"] == identifier for step in report.steps if "signature" in step.evidence)


def test_ids_of_stamps_may_repeat_those_of_objects(pki: Pki, document: bytes) -> None:
    """They are a space of their own (GB/T 33190-2016 §18.1)."""
    valid(pki, sign_anyhow(document, seal_value(pki), rewrite=lambda xml: xml.replace('ID="s002"', 'ID="1"')))


def test_the_misspelt_oid_of_sm2_is_read(pki: Pki, document: bytes) -> None:
    valid(pki, sign_anyhow(document, seal_value(pki, algorithm_oid="1.2.156.10197.501")))


def test_the_type_of_a_signature_may_be_left_out_and_means_seal(pki: Pki, document: bytes) -> None:
    valid(pki, sign_anyhow(document, seal_value(pki), kind=""))


def test_the_order_of_elements_does_not_matter(pki: Pki, document: bytes) -> None:
    """Most writers keep no schema order: SignedValue first, MaxUnitID last."""

    def reordered(xml: str) -> str:
        start = xml.index("<ofd:SignedValue>")
        value = xml[start : xml.index("</ofd:Signature>", start)]
        return xml.replace(value, "").replace("<ofd:SignedInfo>", f"{value}<ofd:SignedInfo>", 1)

    valid(pki, sign_anyhow(document, seal_value(pki), rewrite=reordered))


def gbk_names(sealed: bytes) -> bytes:
    """An entry whose name is GBK without the flag that says UTF-8."""
    placeholder = "Doc_0/Res/AAAA.xml"
    return Package(sealed).with_files({placeholder: b"<a/>"}).replace(b"AAAA.xml", "附件".encode("gbk") + b".xml")


def test_names_in_gbk_are_drawn_and_not_verified(pki: Pki, sealed: bytes) -> None:
    """Readers guess the encoding of a name, each in its own way: it can be shown, and cannot be vouched for."""
    data = gbk_names(sealed)
    assert "Doc_0/Res/附件.xml" in LenientPackage(data).names
    report = verify(data, pki.policy())
    assert codes(report) == {"ofd.package.name-encoding"}
    assert "ofd.package.differs.encoding" in codes(report, Status.WARNING)


def test_octets_before_the_package_are_drawn_and_not_verified(pki: Pki, sealed: bytes) -> None:
    """A vendor's files start with a few foreign octets; only its own reader calls them valid."""
    data = b"KINGGRID" + sealed
    assert "OFD.xml" in LenientPackage(data).names
    report = verify(data, pki.policy())
    assert report.verdict is Verdict.INVALID
    assert "ofd.package.differs.prefix" in codes(report, Status.WARNING)


def test_the_seal_inside_the_value_is_the_one_that_counts(pki: Pki, document: bytes) -> None:
    """Seal.esl may be another: the report says so, and what is signed is what stands in SignedValue.dat."""
    other = make_seal(pki, code="other")
    data = sign_anyhow(document, seal_value(pki), files={"Seal.esl": other})
    report = verify(data, pki.policy())
    assert codes(report) == {"ofd.seal.file"}
    value = SealSignature.parse(unpack(data)[f"{SIGNS}Sign_0/SignedValue.dat"])
    assert report.facts["seal_code"] == value.to_be_signed.seal.info.seal_code != "other"


def test_a_list_of_resources_that_was_never_written_is_told(pki: Pki, document: bytes) -> None:
    """A widespread writer links PublicRes.xml and leaves it out."""
    files = unpack(document)
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(
        b"<ofd:PublicRes>", b"<ofd:PublicRes>Missing.xml</ofd:PublicRes><ofd:PublicRes>", 1
    )
    data = sign_anyhow(write_package(files), seal_value(pki))
    report = valid(pki, data)
    assert "ofd.coverage.missing" in codes(report, Status.WARNING)
    added = Package(data).with_files({"Doc_0/Missing.xml": files["Doc_0/PublicRes.xml"]})
    assert "ofd.coverage.shown" in codes(verify(added, pki.policy()))


@pytest.mark.parametrize("boundary", ["150 230 0 42", "150 230", "a b c d", "150 230 nan 42", ""])
def test_a_stamp_without_area_is_told(pki: Pki, document: bytes, boundary: str) -> None:
    data = sign_anyhow(
        document, seal_value(pki), rewrite=lambda xml: xml.replace('Boundary="150 230 42 42"', f'Boundary="{boundary}"')
    )
    assert "ofd.stamp.place" in codes(valid(pki, data), Status.WARNING)


def test_a_package_that_was_opened_leniently_is_not_verified(pki: Pki, sealed: bytes) -> None:
    opened = Package(b"KINGGRID" + sealed, tolerance=WILD)
    assert codes(verify(opened, pki.policy())) == {"ofd.package.lenient"}
