"""Reading what was written gives back what was meant, and no octets make a reader stumble."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ofd.geometry import Box
from ofd.ses.encode import encode_seal, encode_seal_info, encode_signature, encode_to_be_signed, validation_material
from ofd.ses.encode_first import (
    encode_first_seal,
    encode_first_seal_info,
    encode_first_signature,
    encode_first_to_be_signed,
)
from ofd.ses.structure import CertificateDigest, Extension, Generation, Picture, Seal, SealSignature
from ofd.sign.parts import (
    ListedSignature,
    Reference,
    SignatureDescription,
    StampRecord,
    read_signature,
    with_signature,
    write_signature,
)
from ofd.sign.plain import PlainSignature
from ofd.sign.stamps import Side, opposite_pages, riding, stamp_records
from ofd.sign.validation_data import encode_validation_data, read_validation_data
from ofd.xmlio import parse as parse_xml
from trustcore.asn1 import encoder
from trustcore.errors import RejectedError, TrustError

from support.ofd_samples import SM2_SM3, sample_pki, sealed_sample, unpack
from support.ofd_signing import first_seal

_ascii = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=30)
_names = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable())
_times = st.datetimes(datetime(1951, 1, 1), datetime(2049, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - bounds
    lambda at: at.replace(microsecond=0)
)
_octets = st.binary(min_size=1, max_size=40)
_certificates = st.lists(st.integers(0, 1 << 70).map(encoder.integer).map(encoder.sequence), min_size=1, max_size=3)
_oids = st.lists(st.integers(0, 1 << 40), min_size=1, max_size=5).map(lambda arcs: ".".join(map(str, (1, 2, *arcs))))
_extensions = st.lists(st.builds(Extension, oid=_oids, critical=st.booleans(), value=_octets), max_size=3)
_pictures = st.builds(Picture, type=_ascii, data=_octets, width_mm=st.integers(1, 500), height_mm=st.integers(1, 500))
_digests = st.lists(st.builds(CertificateDigest, type=st.just("SM3"), value=_octets), min_size=1, max_size=3)
_later = st.sampled_from((Generation.V4, Generation.V5))


@settings(deadline=None)
@given(
    st.data(), _ascii, _names, _times, _pictures, _extensions, st.sampled_from(Generation),
)  # fmt: skip
def test_seals_are_read_as_they_were_written(  # noqa: PLR0917 - what varies
    data: st.DataObject,
    code: str,
    name: str,
    created: datetime,
    picture: Picture,
    extensions: list[Extension],
    generation: Generation,
) -> None:
    facts = {
        "vendor": "v",
        "seal_code": code,
        "type": data.draw(st.integers(1, 4)),
        "name": name,
        "created": created,
        "valid_from": created,
        "valid_until": created + timedelta(seconds=data.draw(st.integers(1, 10**7))),
        "picture": picture,
        "extensions": extensions,
    }
    listed: dict[str, object] = {"certificates": data.draw(_certificates)}
    if generation is not Generation.V1 and data.draw(st.booleans()):
        listed = {"certificate_digests": data.draw(_digests)}
    signed = {"certificate_der": b"\x30\x00", "signature_algorithm_oid": SM2_SM3, "signature_der": data.draw(_octets)}
    if generation is Generation.V1:
        info_der = encode_first_seal_info(**facts, **listed)  # type: ignore[arg-type] # tables of keyword arguments
        der = encode_first_seal(info_der, **signed)  # type: ignore[arg-type] # a table of keyword arguments
    else:
        info_der = encode_seal_info(**facts, **listed, generation=generation)  # type: ignore[arg-type] # tables
        der = encode_seal(info_der, **signed)  # type: ignore[arg-type] # a table of keyword arguments
    seal = Seal.parse(der)
    info = seal.info
    assert (seal.der, seal.info_der, seal.generation, seal.variants) == (der, info_der, generation, ())
    assert (info.seal_code, info.type, info.name, info.picture) == (code, facts["type"], name, picture)
    assert (info.created, info.valid_from, info.valid_until) == (created, created, facts["valid_until"])
    assert info.extensions == tuple(extensions)
    assert info.certificates == tuple(listed.get("certificates", ()))  # type: ignore[arg-type] # of the table
    assert info.certificate_digests == tuple(listed.get("certificate_digests", ()))  # type: ignore[arg-type] # of the table
    assert (seal.signature, seal.certificate_der) == (signed["signature_der"], b"\x30\x00")


@settings(deadline=None)
@given(_later, _times, _octets, _ascii, _extensions, st.none() | _octets)
def test_signatures_are_read_as_they_were_written(  # noqa: PLR0917 - what varies
    generation: Generation, at: datetime, data_hash: bytes, path: str, extensions: list[Extension], token: bytes | None
) -> None:
    seal_der = SealSignature.parse(_sealed_value()).to_be_signed.seal.der
    tbs = encode_to_be_signed(
        seal_der=seal_der, at=at, data_hash=data_hash, property_info=path, extensions=extensions, generation=generation
    )
    der = encode_signature(
        tbs, certificate_der=b"\x30\x00", signature_algorithm_oid=SM2_SM3, signature_der=b"s", timestamp_token=token
    )
    read = SealSignature.parse(der)
    inner = read.to_be_signed
    assert (read.to_be_signed_der, read.generation, read.variants, read.timestamp_token) == (tbs, generation, (), token)
    assert (inner.signed_at, inner.data_hash, inner.property_info) == (at, data_hash, path)
    assert (inner.extensions, inner.seal.der) == (tuple(extensions), seal_der)


@settings(deadline=None)
@given(_times, _octets, _ascii, _octets)
def test_first_signatures_are_read_as_they_were_written(
    at: datetime, data_hash: bytes, path: str, signature: bytes
) -> None:
    tbs = encode_first_to_be_signed(
        seal_der=first_seal(sample_pki()), at=at, data_hash=data_hash, property_info=path, certificate_der=b"\x30\x00",
        signature_algorithm_oid=SM2_SM3,
    )  # fmt: skip
    read = SealSignature.parse(encode_first_signature(tbs, signature_der=signature))
    inner = read.to_be_signed
    assert (read.to_be_signed_der, read.generation, read.signature) == (tbs, Generation.V1, signature)
    assert (inner.signed_at, inner.data_hash, inner.property_info) == (at, data_hash, path)


@settings(deadline=None)
@given(_certificates, st.lists(_certificates, max_size=2))
def test_validation_material_is_read_as_it_was_written(certificates: list[bytes], others: list[list[bytes]]) -> None:
    crls = [crl for group in others for crl in group]
    read = read_validation_data(encode_validation_data(certificates, crls))
    assert (set(read.certificates), set(read.crls)) == (set(certificates), set(crls))
    tbs = encode_to_be_signed(
        seal_der=SealSignature.parse(_sealed_value()).to_be_signed.seal.der,
        at=datetime(2030, 1, 1, tzinfo=UTC),
        data_hash=b"h",
        property_info="p",
        extensions=validation_material(certificates, crls),
    )
    der = encode_signature(tbs, certificate_der=b"\x30\x00", signature_algorithm_oid=SM2_SM3, signature_der=b"s")
    inner = SealSignature.parse(der).to_be_signed
    assert (inner.embedded_certificates, inner.embedded_crls) == (
        tuple(dict.fromkeys(certificates)),
        tuple(dict.fromkeys(crls)),
    )


_file_names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\%?#", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in {".", ".."})


@settings(deadline=None)
@given(
    st.lists(st.builds(Reference, name=_file_names, digest=_octets), max_size=5),
    st.lists(st.builds(StampRecord, id=_ascii, page_id=_ascii, boundary=_ascii, clip=st.none() | _ascii), max_size=3),
    st.booleans(),
    _file_names,
)
def test_signature_descriptions_are_read_as_they_were_written(
    references: list[Reference], stamps: list[StampRecord], is_seal: bool, folder: str
) -> None:
    name = f"{folder}/Signature.xml"
    description = SignatureDescription(
        signature_method=SM2_SM3,
        date_time="20300115093000Z",
        check_method="1.2.156.10197.1.401",
        references=tuple(references),
        stamps=tuple(stamps),
        seal=f"{folder}/Seal.esl" if is_seal else None,
        signed_value=f"{folder}/SignedValue.dat",
    )
    assert read_signature(write_signature(description), name=name) == description


@settings(deadline=None)
@given(st.text(st.characters(categories=("Cc",), exclude_characters="\t\n\r"), min_size=1, max_size=1))
def test_names_that_xml_cannot_hold_are_refused(control: str) -> None:
    description = SignatureDescription(
        signature_method="1.2",
        date_time="",
        check_method="",
        references=(Reference(name=f"a{control}", digest=b""),),
        stamps=(),
        seal=None,
        signed_value="v",
    )
    if "\x7f" <= control <= "\x9f":
        assert read_signature(write_signature(description), name="s").references[0].name == f"a{control}"
        return
    with pytest.raises(RejectedError):
        write_signature(description)


@settings(deadline=None)
@given(st.lists(_ascii, min_size=1, max_size=4, unique=True))
def test_lists_of_signatures_grow_by_one(ids: list[str]) -> None:
    octets = None
    for number, identifier in enumerate(ids, start=1):
        existing = None if octets is None else parse_xml(octets, part="Signatures.xml")
        entry = ListedSignature(id=identifier, type="Seal", name=f"Sign_{number}/Signature.xml")
        octets = with_signature(existing, entry, last_number=number)
    assert octets is not None
    root = parse_xml(octets, part="Signatures.xml")
    assert [node.get("ID") for node in root if node.get("ID") is not None] == ids
    assert [node.text for node in root if node.get("ID") is None] == [str(len(ids))]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(50, 1000), st.floats(50, 1000)), min_size=2, max_size=40),
    st.tuples(st.floats(5, 60), st.floats(5, 60)),
    st.sampled_from(Side),
    st.none() | st.integers(2, 12),
)
def test_strips_of_a_riding_seal_make_up_the_seal(
    sizes: list[tuple[float, float]], size: tuple[float, float], side: Side, group: int | None
) -> None:
    boxes = [Box(0, 0, *page) for page in sizes]
    stamps = riding(boxes, size_mm=size, side=side, group=group)
    assert [stamp.page for stamp in stamps] == list(range(len(boxes)))
    along = 0 if side.is_upright else 1
    shown = sum(stamp.clip_mm[2 + along] for stamp in stamps if stamp.clip_mm)
    seals = 1 if group is None else max(1, -(-len(boxes) // group) - (len(boxes) % group == 1 and len(boxes) > group))
    assert shown == pytest.approx(seals * size[along])
    records = stamp_records(stamps, picture=None, page_ids=[str(n) for n in range(len(boxes))], number_before=0)
    assert len({record.id for record in records}) == len(boxes)
    halves = opposite_pages(boxes, size_mm=size, side=side)
    assert len(halves) == len(boxes) // 2 * 2


# Octets that nobody wrote on purpose


def _sealed_value() -> bytes:
    return unpack(sealed_sample())["Doc_0/Signs/Sign_0/SignedValue.dat"]


@cache
def _first_value() -> bytes:
    tbs = encode_first_to_be_signed(
        seal_der=first_seal(sample_pki()),
        at=datetime(2030, 1, 1, tzinfo=UTC),
        data_hash=bytes(32),
        property_info="p",
        certificate_der=b"\x30\x00",
        signature_algorithm_oid=SM2_SM3,
    )
    return encode_first_signature(tbs, signature_der=b"s")


def _everything_of(value: bytes) -> None:
    inner = SealSignature.parse(value).to_be_signed
    assert (inner.embedded_certificates, inner.embedded_crls, inner.embedded_ocsp_responses) is not None


READERS: dict[str, tuple[Callable[[], bytes], Callable[[bytes], object]]] = {
    "signature": (_sealed_value, _everything_of),
    "first": (_first_value, _everything_of),
    "plain": (_sealed_value, lambda value: PlainSignature.parse(value, signature_method=SM2_SM3)),
    "data": (lambda: encode_validation_data([b"\x30\x00"], sample_pki().crls), read_validation_data),
}


@pytest.mark.parametrize("reader", READERS)
@settings(deadline=None)
@given(data=st.data())
def test_mutated_octets_are_read_or_refused(reader: str, data: st.DataObject) -> None:
    make, read = READERS[reader]
    octets = bytearray(make())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del octets[data.draw(st.integers(0, len(octets) - 1)) :]
    with suppress(TrustError):
        read(bytes(octets))
