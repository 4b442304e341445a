"""What attackers make of a sealed document: each file is refused, with the code that says why.

The attacker of these tests may change every octet that no digest protects, may have documents sealed by others, may
hold keys and certificates of the same authority, and may hold the keys of a certificate that expired or was revoked.
The keys of the signer and of the maker of the seal are not known.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from ofd.draw.seals import Seals
from ofd.fonts.library import FontLibrary
from ofd.model.document import Document
from ofd.package.reader import Package, write_package
from ofd.ses.structure import Seal
from ofd.sign.parts import SignatureDescription
from ofd.sign.seal import PreparedSeal, Protection
from ofd.verify.document import verify
from ofd.verify.policy import RevokedSeal, VerificationPolicy
from trustcore.errors import ConflictError
from trustcore.report import Report, Verdict
from trustcore.x509.crl import RevokedEntry

from support.ofd_samples import (
    SIGNED_AT,
    Holder,
    Pki,
    issue,
    make_crl,
    make_keys,
    make_seal,
    prepare_seal,
    sample_document,
    sample_pki,
    sample_png,
    seal_by_force,
    seal_document,
    sealed_sample,
    unpack,
)
from support.ofd_signing import SIGNS, STAMP, attributes_value, content_value, first_page, seal_value, sign_anyhow

DAY = timedelta(days=1)
SIGNATURE = f"{SIGNS}Sign_0/Signature.xml"
SIGNED_VALUE = f"{SIGNS}Sign_0/SignedValue.dat"
SEAL = f"{SIGNS}Sign_0/Seal.esl"
LIST = f"{SIGNS}Signatures.xml"
LINK = f"<ofd:Signatures>/{LIST}</ofd:Signatures>".encode()
Files = dict[str, bytes]


def codes(report: Report) -> set[str]:
    return {step.code for step in report.problems}


def without(*names: str) -> Callable[[SignatureDescription], SignatureDescription]:
    """A signer that does not protect these files."""
    return lambda description: replace(
        description, references=tuple(item for item in description.references if item.name not in names)
    )


def partly_sealed(*open_names: str) -> Files:
    return unpack(seal_by_force(sample_pki(), sample_document(), change=without(*open_names)))


def font_name() -> str:
    return next(name for name in unpack(sample_document()) if name.endswith(".ttf"))


def evil_page(files: Files) -> bytes:
    return files["Doc_0/Pages/Page_1/Content.xml"]


# Content that is shown and not signed.


def redirected_root() -> Files:
    """The classic: OFD.xml was left open, and leads to pages of the attacker; all digests are right."""
    files = partly_sealed("OFD.xml")
    for name in [name for name in files if name.startswith("Doc_0/") and not name.startswith(SIGNS)]:
        files[name.replace("Doc_0/", "Evil/", 1)] = files[name]
    files["Evil/Pages/Page_0/Content.xml"] = evil_page(files)
    files["OFD.xml"] = files["OFD.xml"].replace(b"Doc_0/Document.xml", b"Evil/Document.xml")
    return files


def redirected_protected_root() -> Files:
    files = redirected_root()
    return unpack(sealed_sample()) | {name: data for name, data in files.items() if name.startswith(("Evil", "OFD"))}


def second_body(*, first: bool) -> Files:
    """Some readers show the first document of a package, some the last."""
    files = partly_sealed("OFD.xml")
    root = files["OFD.xml"]
    body = root[root.index(b"<ofd:DocBody>") : root.index(b"</ofd:OFD>")]
    other = body.replace(b"Doc_0/Document.xml", b"Doc_0/Evil.xml").replace(LINK, b"")
    files["OFD.xml"] = root.replace(body, other + body if first else body + other)
    files["Doc_0/Evil.xml"] = files["Doc_0/Document.xml"].replace(b"Page_0", b"Page_1")
    return files


def second_root() -> Files:
    """Two DocRoot in one DocBody."""
    files = partly_sealed("OFD.xml")
    files["OFD.xml"] = files["OFD.xml"].replace(
        b"</ofd:DocRoot>", b"</ofd:DocRoot><ofd:DocRoot>Doc_0/Evil.xml</ofd:DocRoot>"
    )
    files["Doc_0/Evil.xml"] = files["Doc_0/Document.xml"]
    return files


def unsigned_template() -> Files:
    name = "Doc_0/Tpls/Tpl_0/Content.xml"
    files = partly_sealed(name)
    files[name] = evil_page(files)
    return files


def swapped_font() -> Files:
    """Other glyphs for the same characters: 1 is drawn as 9."""
    files = partly_sealed(font_name())
    files[font_name()] = b"\x00\x01\x00\x00 another font"
    return files


def swapped_resources() -> Files:
    files = partly_sealed("Doc_0/DocumentRes.xml", "Doc_0/PublicRes.xml")
    files["Doc_0/PublicRes.xml"] = files["Doc_0/PublicRes.xml"].replace(b"FontName", b"FamilyName", 1)
    return files


def swapped_image() -> Files:
    name = next(name for name in unpack(sample_document()) if name.endswith(".png"))
    files = partly_sealed(name)
    files[name] = sample_png(1)
    return files


def shadow_annotation() -> Files:
    """Annotations.xml was linked and left open: an annotation that covers everything is put into it."""
    document = unpack(sample_document())
    document["Doc_0/Document.xml"] = document["Doc_0/Document.xml"].replace(
        b"</ofd:Pages>", b"</ofd:Pages><ofd:Annotations>Annots/Annotations.xml</ofd:Annotations>", 1
    )
    document["Doc_0/Annots/Annotations.xml"] = b'<Annotations xmlns="http://www.ofdspec.org/2016"/>'
    sealed = seal_by_force(
        sample_pki(), write_package(document), change=without("Doc_0/Annots/Annotations.xml")
    )  # fmt: skip
    files = unpack(sealed)
    files["Doc_0/Annots/Annotations.xml"] = (
        b'<Annotations xmlns="http://www.ofdspec.org/2016">'
        b'<Page PageID="1"><FileLoc>A.xml</FileLoc></Page></Annotations>'
    )
    files["Doc_0/Annots/A.xml"] = b'<PageAnnot xmlns="http://www.ofdspec.org/2016"/>'
    return files


def page_resource_added() -> Files:
    """A file that a protected part links to and that was not there when it was sealed."""
    document = unpack(sample_document())
    document["Doc_0/Document.xml"] = document["Doc_0/Document.xml"].replace(
        b"<ofd:PublicRes>", b"<ofd:DocumentRes>Later.xml</ofd:DocumentRes><ofd:PublicRes>", 1
    )
    files = unpack(seal_by_force(sample_pki(), write_package(document)))
    files["Doc_0/Later.xml"] = files["Doc_0/PublicRes.xml"]
    return files


# Signatures that are not what they seem.


def wrapped_description() -> Files:
    """The signed SignedInfo is kept somewhere, another one is read."""
    files = unpack(sealed_sample())
    info = files[SIGNATURE][files[SIGNATURE].index(b"<ofd:SignedInfo>") : files[SIGNATURE].index(b"<ofd:SignedValue>")]
    evil = info.replace(b"Doc_0/Pages/Page_0/", b"Doc_0/Pages/Page_1/")
    files[SIGNATURE] = files[SIGNATURE].replace(info, evil + b"<ofd:Extension>" + info + b"</ofd:Extension>")
    return files


def two_descriptions() -> Files:
    files = unpack(sealed_sample())
    info = files[SIGNATURE][files[SIGNATURE].index(b"<ofd:SignedInfo>") : files[SIGNATURE].index(b"<ofd:SignedValue>")]
    files[SIGNATURE] = files[SIGNATURE].replace(info, info * 2)
    return files


def other_description() -> Files:
    """The list leads to a Signature.xml of the attacker, which borrows the signature value."""
    files = unpack(seal_document(sample_pki(), sample_document(), protection=Protection.CONTINUE))
    files[f"{SIGNS}Sign_9/Signature.xml"] = files[SIGNATURE].replace(b"Page_0/", b"Page_1/")
    files[LIST] = files[LIST].replace(b"Sign_0/Signature.xml", b"Sign_9/Signature.xml")
    return files


def other_value() -> Files:
    files = unpack(sealed_sample())
    files[f"{SIGNS}Sign_0/Other.dat"] = files[SIGNED_VALUE]
    files[SIGNATURE] = files[SIGNATURE].replace(b"SignedValue.dat", b"Other.dat")
    return files


def transplanted_seal() -> Files:
    """The whole signature of another document."""
    other = unpack(seal_document(sample_pki(), sample_document("许可证")))
    return unpack(sealed_sample()) | {name: data for name, data in other.items() if name.startswith(SIGNS)}


def transplanted_value() -> Files:
    other = unpack(seal_document(sample_pki(), sample_document("许可证")))
    return unpack(sealed_sample()) | {SIGNED_VALUE: other[SIGNED_VALUE]}


def seal_used_by_another() -> Files:
    """A seal can be copied from any document that bears it; only listed signers may use it."""
    seal_der = Seal.parse(unpack(sealed_sample())[SEAL]).der
    return unpack(seal_by_force(sample_pki(), sample_document(), seal_der=seal_der, holder=sample_pki().stranger))


def forged_seal() -> Files:
    """A seal with the name of an authority, made by somebody who has a certificate for documents."""
    pki = sample_pki()
    maker = issue(
        make_keys(), "Maker", issuer=pki.issuing, serial=90, purposes=("1.3.6.1.5.5.7.3.36",)
    )  # fmt: skip
    return unpack(seal_by_force(pki, sample_document(), seal_der=make_seal(pki, maker=maker)))


def swapped_picture() -> Files:
    files = unpack(sealed_sample())
    start = files[SIGNED_VALUE].index(b"\x89PNG") + 50
    value = bytearray(files[SIGNED_VALUE])
    value[start] ^= 1
    files[SIGNED_VALUE] = bytes(value)
    return files


def swapped_seal_file() -> Files:
    """Readers that draw Seal.esl show another seal than the one that signed."""
    sealed = seal_by_force(sample_pki(), sample_document(), change=without(SEAL))
    return unpack(sealed) | {SEAL: make_seal(sample_pki(), code="other")}


def moved_stamp() -> Files:
    files = unpack(sealed_sample())
    files[SIGNATURE] = files[SIGNATURE].replace(b'Boundary="150 230', b'Boundary="20 40')
    return files


def bare_time_stamp_for_a_seal() -> Files:
    files = unpack(seal_document(sample_pki(), sample_document(), protection=Protection.CONTINUE))
    files[LIST] = files[LIST].replace(b'Type="Seal"', b'Type="Sign"')
    return files


def stripped_certificates_signature() -> Files:
    """Content of another Signature.xml in the container of this one."""
    value = content_value(sample_pki(), content=lambda _: bytes(32))
    return unpack(sign_anyhow(sample_document(), value, kind="Sign"))


def attributes_of_another() -> Files:
    signed = unpack(sign_anyhow(sample_document("许可证"), attributes_value(sample_pki()), kind="Sign"))
    own = unpack(sign_anyhow(sample_document(), attributes_value(sample_pki()), kind="Sign"))
    return own | {SIGNED_VALUE: signed[SIGNED_VALUE]}


def borrowed_seal() -> Files:
    """A stranger's signature without seal, with the seal of another document beside it and a place to show it."""
    pki, document = sample_pki(), sample_document()
    stamp = STAMP.format(page=first_page(Package(document)))
    return unpack(
        sign_anyhow(
            document,
            attributes_value(replace(pki, signer=pki.stranger)),
            kind="Sign",
            files={"Seal.esl": make_seal(pki)},
            rewrite=lambda xml: xml.replace("<ofd:Seal>", f"{stamp}<ofd:Seal>"),
        )
    )


def picture_in_the_signature() -> Files:
    """The author of a document has a picture drawn from the signature to come, which holds octets nobody signs."""
    files = unpack(sample_document())
    name = next(name for name, content in files.items() if b"MediaFile>" in content)
    files[name] = re.sub(rb"MediaFile>[^<]+<", b"MediaFile>/%s<" % SIGNED_VALUE.encode(), files[name])
    return unpack(seal_document(sample_pki(), write_package(files)))


def signature_taken_from_the_list() -> Files:
    """The first of two signatures is not listed any more; the second one protects its files as before."""
    pki = sample_pki()
    first = seal_document(pki, sample_document(), protection=Protection.CONTINUE)
    files = unpack(seal_document(pki, first, protection=Protection.CONTINUE))
    entry = b'<ofd:Signature ID="s001" Type="Seal" BaseLoc="/Doc_0/Signs/Sign_0/Signature.xml"/>'
    assert entry in files[LIST]
    return files | {LIST: files[LIST].replace(entry, b"")}


ATTACKS: dict[str, tuple[Callable[[], Files], set[str]]] = {
    "DocRoot redirected": (redirected_root, {"ofd.coverage.redirected", "ofd.coverage.shown"}),
    "DocRoot redirected, root protected": (redirected_protected_root, {"ofd.reference.digest", "ofd.coverage.shown"}),
    "second DocBody before": (lambda: second_body(first=True), {"ofd.coverage.several-documents"}),
    "second DocBody after": (lambda: second_body(first=False), {"ofd.coverage.several-documents"}),
    "second DocRoot": (second_root, {"ofd.xml.repeated"}),
    "unsigned template": (unsigned_template, {"ofd.coverage.shown"}),
    "font swap": (swapped_font, {"ofd.coverage.shown"}),
    "resource swap": (swapped_resources, {"ofd.coverage.shown"}),
    "image swap": (swapped_image, {"ofd.coverage.shown"}),
    "shadow annotation": (shadow_annotation, {"ofd.coverage.shown"}),
    "linked file added": (page_resource_added, {"ofd.coverage.shown"}),
    "signature wrapping": (wrapped_description, {"ofd.signature.data-hash"}),
    "two SignedInfo": (two_descriptions, {"ofd.xml.repeated"}),
    "another Signature.xml": (other_description, {"ofd.signature.data-hash"}),
    "another SignedValue": (other_value, {"ofd.signature.data-hash"}),
    "seal transplant": (transplanted_seal, {"ofd.reference.digest"}),
    "value transplant": (transplanted_value, {"ofd.signature.data-hash"}),
    "seal used by another": (seal_used_by_another, {"ofd.seal.signer-listed"}),
    "forged seal": (forged_seal, {"ofd.seal.maker.key-usage"}),
    "picture swap": (swapped_picture, {"ofd.signature.value", "ofd.seal.signature"}),
    "Seal.esl swap": (swapped_seal_file, {"ofd.seal.file"}),
    "stamp moved": (moved_stamp, {"ofd.signature.data-hash"}),
    "seal listed as signature": (bare_time_stamp_for_a_seal, {"ofd.sign.value"}),
    "content of another": (stripped_certificates_signature, {"ofd.signature.data-hash"}),
    "attributes of another": (attributes_of_another, {"ofd.signature.data-hash"}),
    "borrowed seal": (borrowed_seal, {"ofd.seal.borrowed"}),
    "picture in the signature": (picture_in_the_signature, {"ofd.coverage.shown"}),
    "signature taken from the list": (signature_taken_from_the_list, {"ofd.signature.unlisted"}),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_with_its_code(pki: Pki, name: str) -> None:
    make, expected = ATTACKS[name]
    report = verify(write_package(make()), pki.policy())
    assert report.verdict is Verdict.INVALID
    assert expected <= codes(report), codes(report)


def test_a_borrowed_seal_is_not_drawn() -> None:
    with Document.open(write_package(borrowed_seal())) as document:
        assert Seals(document, fonts=FontLibrary()).on_page(0) == ()


def test_a_prepared_seal_is_not_completed_on_a_document_of_another_title(pki: Pki, document: bytes) -> None:
    """OFD.xml is written anew by the first seal, and has to come from the very document all the same."""
    root = unpack(document)["OFD.xml"]
    other = Package(document).with_files({"OFD.xml": root.replace("营业执照".encode(), b"Other", 1)})
    stored = prepare_seal(pki, document).to_json()
    assert PreparedSeal.from_json(stored, document).to_json() == stored
    with pytest.raises(ConflictError) as caught:
        PreparedSeal.from_json(stored, other)
    assert caught.value.code == "ofd.sign.other-document"


def test_what_the_attacks_start_from_is_valid(pki: Pki, sealed: bytes, document: bytes) -> None:
    assert verify(sealed, pki.policy()).verdict is Verdict.VALID
    for value, kind in ((seal_value(pki), "Seal"), (attributes_value(pki), "Sign"), (content_value(pki), "Sign")):
        report = verify(sign_anyhow(document, value, kind=kind), pki.policy())
        assert report.verdict is Verdict.VALID, report.problems


# Time and trust.


def expired(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    holder = issue(make_keys(), "Old", issuer=pki.issuing, serial=80, not_after=SIGNED_AT - DAY)
    seal_der = make_seal(pki, signers=[holder])
    return seal_by_force(pki, sample_document(), seal_der=seal_der, holder=holder), pki.policy()


def backdated(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    """The key of an expired certificate claims a time at which it was good."""
    holder = issue(make_keys(), "Old", issuer=pki.issuing, serial=81, not_after=SIGNED_AT + DAY)
    seal_der = make_seal(pki, signers=[holder])
    return seal_by_force(pki, sample_document(), seal_der=seal_der, holder=holder), pki.policy()


def before_issue(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    holder = issue(make_keys(), "New", issuer=pki.issuing, serial=82, not_before=SIGNED_AT + DAY)
    seal_der = make_seal(pki, signers=[holder])
    return seal_by_force(pki, sample_document(), seal_der=seal_der, holder=holder), pki.policy()


def before_the_seal(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    seal_der = make_seal(pki, created=SIGNED_AT + DAY)
    return seal_by_force(pki, sample_document(), seal_der=seal_der), pki.policy()


def expired_seal(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    seal_der = make_seal(pki, valid_until=SIGNED_AT - DAY)
    return seal_by_force(pki, sample_document(), seal_der=seal_der), pki.policy()


def withdrawn_seal(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    policy = replace(pki.policy(), revoked_seals=(RevokedSeal(seal_code="11010800000001", at=SIGNED_AT - DAY),))
    return seal_by_force(pki, sample_document()), policy


def revoked(pki: Pki, serial: int) -> tuple[bytes, VerificationPolicy]:
    crls = (pki.crls[0], make_crl(pki.issuing, RevokedEntry(serial_number=serial, at=SIGNED_AT - 20 * DAY)))
    return seal_by_force(pki, sample_document(), crls=crls), pki.policy()


def revoked_issuer(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    crls = (make_crl(pki.root, RevokedEntry(serial_number=2, at=SIGNED_AT - 20 * DAY)), pki.crls[1])
    return seal_by_force(pki, sample_document(), crls=crls), pki.policy()


def own_root(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    """The same names under a root of the attacker."""
    keys = make_keys()
    root = issue(keys, "Root", issuer=None, serial=1, ca=True)
    issuing = issue(keys, "Issuing", issuer=root, serial=2, ca=True)
    fake = Pki(
        root=root,
        issuing=issuing,
        maker=issue(keys, "Seal Maker", issuer=issuing, serial=3),
        signer=issue(keys, "Department", issuer=issuing, serial=4),
        stranger=issue(keys, "Stranger", issuer=issuing, serial=5),
        tsa=issue(keys, "TSA", issuer=issuing, serial=6),
        crls=(make_crl(root), make_crl(issuing)),
    )
    return seal_by_force(fake, sample_document()), pki.policy()


def not_a_ca(pki: Pki) -> tuple[bytes, VerificationPolicy]:
    """A certificate that a user, not an authority, issued."""
    user: Holder = pki.stranger
    holder = issue(make_keys(), "Child", issuer=user, serial=83)
    seal_der = make_seal(pki, signers=[holder])
    data = seal_by_force(pki, sample_document(), seal_der=seal_der, holder=holder)
    return data, replace(pki.policy(), intermediates=(user.certificate,))


TIMES: dict[str, tuple[Callable[[Pki], tuple[bytes, VerificationPolicy]], set[str]]] = {
    "expired certificate": (expired, {"ofd.signer.validity"}),
    "backdated": (backdated, {"ofd.time.unproven"}),
    "before the certificate": (before_issue, {"ofd.signer.validity"}),
    "before the seal": (before_the_seal, {"ofd.seal.validity"}),
    "expired seal": (expired_seal, {"ofd.seal.validity"}),
    "withdrawn seal": (withdrawn_seal, {"ofd.seal.revocation"}),
    "revoked signer": (lambda pki: revoked(pki, 4), {"ofd.signer.revocation"}),
    "revoked maker": (lambda pki: revoked(pki, 3), {"ofd.seal.maker.revocation"}),
    "revoked authority": (revoked_issuer, {"ofd.signer.revocation", "ofd.seal.maker.revocation"}),
    "another root": (own_root, {"ofd.signer.path", "ofd.seal.maker.path"}),
    "issued by a user": (not_a_ca, {"ofd.signer.constraints"}),
}
CANNOT_TELL = {"backdated", "another root"}
"""What better evidence could still make valid: a time stamp, a root that is trusted after all."""


@pytest.mark.parametrize("name", TIMES)
def test_what_was_not_good_at_the_time_is_refused(pki: Pki, name: str) -> None:
    make, expected = TIMES[name]
    data, policy = make(pki)
    report = verify(data, policy)
    assert report.verdict is (Verdict.INDETERMINATE if name in CANNOT_TELL else Verdict.INVALID)
    assert expected <= codes(report), codes(report)
