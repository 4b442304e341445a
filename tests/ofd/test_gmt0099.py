"""Encryption for persons, and the signed list of files (GM/T 0099-2020)."""

import base64
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random

import pytest

from ofd.gmt0099 import parts
from ofd.gmt0099.encryption import decrypt, decrypt_to, encrypt, encrypt_to, is_encrypted, recipients
from ofd.gmt0099.integrity import protect, verify_list
from ofd.gmt0099.keys import (
    CertificateOpener,
    CertificateRecipient,
    PasswordOpener,
    PasswordRecipient,
    encrypted,
)
from ofd.lint.run import lint
from ofd.package.reader import Package, write_package
from ofd.verify.document import verify
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.digests import sm3
from trustcore.crypto.software import SoftwareKeys
from trustcore.errors import ConflictError, ForbiddenError, MalformedError, NotFoundError, RejectedError, TrustError
from trustcore.report import Status, Verdict
from trustcore.x509.gm_signed_data import build_gm_signed_data, gm_signed_attributes

from support.ofd_samples import SIGNED_AT, Pki, issue, make_keys, sample_document, sample_pki, sealed_sample, unpack

CREATED = SIGNED_AT


@cache
def vault() -> tuple[SoftwareKeys, CertificateOpener, CertificateOpener]:
    """Keys, and two persons who can decrypt."""
    keys = make_keys()
    return keys, opener(keys, "Zhang San", 41), opener(keys, "Li Si", 42)


def opener(keys: SoftwareKeys, name: str, serial: int) -> CertificateOpener:
    holder = issue(
        keys, name, issuer=sample_pki().issuing, serial=serial, usages=("keyEncipherment", "dataEncipherment")
    )
    uri = keys.find(f"{name}-{serial}")
    assert uri is not None
    return CertificateOpener(certificate=holder.certificate, decrypt=lambda data: keys.decrypt(uri, data))


def to(*openers: CertificateOpener) -> list[CertificateRecipient]:
    return [
        CertificateRecipient(name=item.certificate.common_name or "", certificate=item.certificate) for item in openers
    ]


@cache
def secret() -> bytes:
    """The sealed sample, for both persons."""
    _, first, second = vault()
    return encrypt(sealed_sample(), recipients=to(first, second), at=CREATED)


def changed(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    files = unpack(data)
    change(files)
    return write_package(files)


def test_each_recipient_reads_what_was_written_and_its_seal_stays_valid(pki: Pki) -> None:
    _, first, second = vault()
    for person in (first, second):
        opened = decrypt(secret(), person)
        assert unpack(opened) == unpack(sealed_sample())
        assert verify(opened, pki.policy()).verdict is Verdict.VALID
    assert recipients(Package(secret())) == ("Zhang San", "Li Si")


def test_nothing_of_the_document_can_be_read_without_the_key() -> None:
    files = unpack(secret())
    assert set(files) >= {"Encryptions.xml", "decryptseed.dat", "entriesmap.dat", "enc/1.dat"}
    assert not set(unpack(sealed_sample())) & set(files)
    everything = b"".join(files.values())
    assert b"Content.xml" not in everything
    assert b"ofd:Page" not in everything


def test_a_stranger_is_told_for_whom_the_document_is() -> None:
    keys, *_ = vault()
    with pytest.raises(ForbiddenError) as caught:
        decrypt(secret(), opener(keys, "Stranger", 43))
    assert caught.value.code == "ofd.encryption.not-recipient"
    assert caught.value.facts["recipients"] == "Zhang San, Li Si"


def test_the_wrong_key_for_the_right_certificate_is_told_as_such() -> None:
    _, first, second = vault()
    with pytest.raises(ForbiddenError, match="key is wrong") as caught:
        decrypt(secret(), CertificateOpener(certificate=first.certificate, decrypt=second.decrypt))
    assert caught.value.code == "ofd.encryption.wrong-key"


def test_passwords_are_taken_only_when_asked_for() -> None:
    person = PasswordRecipient(name="张三", password="12345678")
    with pytest.raises(RejectedError) as caught:
        encrypt(sample_document(), recipients=[person], at=CREATED)
    assert caught.value.code == "ofd.encryption.password-form"
    data = encrypt(sample_document(), recipients=[person], at=CREATED, allow_passwords=True)
    assert unpack(decrypt(data, PasswordOpener(password="12345678"))) == unpack(sample_document())
    assert "12345678" not in repr(person)


def test_ciphertext_that_begins_like_xml_is_decrypted_too() -> None:
    person = PasswordRecipient(name="张三", password="12345678")
    octets = Random(327).randbytes  # noqa: S311 - gives an encrypted list of files that begins with "<"
    data = encrypt(sample_document(), recipients=[person], at=CREATED, allow_passwords=True, random=octets)
    assert Package(data).read("entriesmap.dat").startswith(b"<")
    assert unpack(decrypt(data, PasswordOpener(password="12345678"))) == unpack(sample_document())


@pytest.mark.parametrize("password", ["", "1234567", "１２３４５６７８"])
def test_a_wrong_password_opens_nothing(password: str) -> None:
    person = PasswordRecipient(name="张三", password="12345678")
    data = encrypt(sample_document(), recipients=[person], at=CREATED, allow_passwords=True)
    with pytest.raises(ForbiddenError) as caught:
        decrypt(data, PasswordOpener(password=password, name="张三"))
    assert caught.value.code == "ofd.encryption.wrong-key"
    with pytest.raises(ForbiddenError) as caught:
        decrypt(data, PasswordOpener(password="12345678", name="李四"))
    assert caught.value.code == "ofd.encryption.not-recipient"


def test_a_wrong_password_never_gets_past_the_list_of_files() -> None:
    """Padding is right by chance once in 256 times: then the list of files gives it away."""
    person = PasswordRecipient(name="a", password="right")
    data = encrypt(sample_document(), recipients=[person], at=CREATED, allow_passwords=True)
    for number in range(600):
        with pytest.raises(ForbiddenError):
            decrypt(data, PasswordOpener(password=f"wrong {number}"))


def test_the_password_key_is_the_one_other_products_derive() -> None:
    """KDF of GB/T 32918.3 over the password alone: SM3(password ‖ 00000001), 16 octets."""
    key, iv = bytes(range(16)), bytes(16)
    user = PasswordRecipient(name="a", password="12345678").wrap(key, iv, at=CREATED)
    derived = sm3(b"12345678" + bytes((0, 0, 0, 1)))[:16]
    assert user.wrapped_key == b"".join(encrypted([key], derived, iv))


def test_who_cannot_be_encrypted_to_is_refused(pki: Pki) -> None:
    _, first, _ = vault()
    signing = CertificateRecipient(name="s", certificate=pki.signer.certificate)
    for people, at, code in (
        ([signing], CREATED, "ofd.encryption.key-usage"),
        (to(first), CREATED + timedelta(days=4000), "ofd.encryption.expired"),
        ([], CREATED, "ofd.encryption.nobody"),
        ([*to(first), PasswordRecipient(name="p", password="p")], CREATED, "ofd.encryption.mixed"),
    ):
        with pytest.raises(RejectedError) as caught:
            encrypt(sample_document(), recipients=people, at=at)
        assert caught.value.code == code


def test_a_document_is_encrypted_once_and_only_then_decrypted() -> None:
    _, first, _ = vault()
    with pytest.raises(ConflictError, match="already"):
        encrypt(secret(), recipients=to(first), at=CREATED)
    with pytest.raises(RejectedError, match="not encrypted"):
        decrypt(sample_document(), first)


def test_two_layers_are_opened_from_the_outside() -> None:
    _, first, second = vault()
    inner = unpack(encrypt(sample_document(), recipients=to(first), at=CREATED))
    key, iv = bytes(16), bytes(16)
    user = to(second)[0].wrap(key, iv, at=CREATED)
    entries = [parts.MappedEntry(name=name, encrypted=f"outer/{index}") for index, name in enumerate(inner)]
    outer = {
        "Encryptions.xml": parts.write_infos(
            [
                parts.EncryptInfo(id="1", relative=None, seed="decryptseed.dat", entries_map="entriesmap.dat"),
                parts.EncryptInfo(id="2", relative="1", seed="seed2.dat", entries_map="map2.dat"),
            ]
        ),
        "seed2.dat": parts.write_seed(parts.Seed(id="2", case_id="1.1.2", users=(user,))),
        "map2.dat": parts.write_entries_map("2", entries),
    }
    outer |= {entry.encrypted: b"".join(encrypted([inner[entry.name]], key, iv)) for entry in entries}
    assert unpack(decrypt(write_package(outer), first, second)) == unpack(sample_document())
    with pytest.raises(ForbiddenError):
        decrypt(write_package(outer), first)


def test_wrapped_keys_of_other_products_are_read() -> None:
    """Raw C1 C3 C2 instead of DER, no scheme, no initial vector, the spelling DecryptSeed."""
    _, first, _ = vault()
    key, iv = bytes(range(16)), bytes(16)
    user = to(first)[0].wrap(key, iv, at=CREATED)
    x, y, check, text = parse(user.wrapped_key).children
    raw = b"\x04" + x.integer().to_bytes(32) + y.integer().to_bytes(32) + check.octets() + text.octets()
    assert first.unwrap(parts.User(name="", is_owner=False, certificate_der=None, wrapped_key=raw, iv=iv)) == key
    seed = (
        b'<DecryptSeed ID="1"><UserInfo><EncryptedWK>'
        + base64.b64encode(raw)
        + b"</EncryptedWK></UserInfo></DecryptSeed>"
    )
    info = parts.EncryptInfo(id="1", relative=None, seed="decryptseed.dat", entries_map="entriesmap.dat")
    entry = parts.MappedEntry(name="a.xml", encrypted="a.dat")
    files = {
        "Encryptions.xml": parts.write_infos([info]),
        "decryptseed.dat": seed,
        "entriesmap.dat": b"".join(encrypted([parts.write_entries_map("1", [entry])], key, iv)),
        "a.dat": b"".join(encrypted([b"content"], key, iv)),
    }
    assert unpack(decrypt(write_package(files), first)) == {"a.xml": b"content"}


def test_one_encrypted_file_does_not_open_to_thousands() -> None:
    _, first, _ = vault()
    key, iv = bytes(16), bytes(16)
    seed = parts.Seed(id="1", case_id="1.1.2", users=(to(first)[0].wrap(key, iv, at=CREATED),))
    info = parts.EncryptInfo(id="1", relative=None, seed="decryptseed.dat", entries_map="entriesmap.dat")
    entries = [parts.MappedEntry(name=f"{number}.dat", encrypted="a.dat") for number in range(5000)]
    files = {
        "Encryptions.xml": parts.write_infos([info]),
        "decryptseed.dat": parts.write_seed(seed),
        "entriesmap.dat": b"".join(encrypted([parts.write_entries_map("1", entries)], key, iv)),
        "a.dat": b"".join(encrypted([bytes(1000)], key, iv)),
    }
    with pytest.raises(MalformedError) as caught:
        decrypt(write_package(files), first)
    assert caught.value.code == "ofd.encryption.shared"


def _without(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.__delitem__(name)


def _cut(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda files: files.__setitem__(name, files[name][:-5])


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (_without("decryptseed.dat"), {"ofd.package.entry-missing"}),
        (_without("entriesmap.dat"), {"ofd.package.entry-missing"}),
        (_without("enc/1.dat"), {"ofd.package.entry-missing"}),
        (_cut("enc/2.dat"), {"ofd.encryption.damaged"}),
        (_cut("entriesmap.dat"), {"ofd.encryption.wrong-key"}),
        (_cut("decryptseed.dat"), {"ofd.xml.malformed"}),
        (_cut("Encryptions.xml"), {"ofd.xml.malformed"}),
        (lambda files: files.__setitem__("OFD.xml", b"in clear"), {"ofd.encryption.twice"}),
        (lambda files: files.__setitem__("Encryptions.xml", parts.write_infos([])), {"ofd.encryption.no-info"}),
    ],
)
def test_a_damaged_encrypted_document_is_refused(change: Callable[[dict[str, bytes]], None], codes: set[str]) -> None:
    _, first, _ = vault()
    with pytest.raises(TrustError) as caught:
        decrypt(changed(secret(), change), first)
    assert caught.value.code in codes


@pytest.mark.parametrize("name", ["../out.xml", "a//b", "Encryptions.xml\\x", "/"])
def test_a_list_of_files_that_leaves_the_package_is_refused(name: str) -> None:
    _, first, _ = vault()
    key, iv = bytes(16), bytes(16)
    user = to(first)[0].wrap(key, iv, at=CREATED)
    info = parts.EncryptInfo(id="1", relative=None, seed="decryptseed.dat", entries_map="entriesmap.dat")
    files = {
        "Encryptions.xml": parts.write_infos([info]),
        "decryptseed.dat": parts.write_seed(parts.Seed(id="1", case_id="1.1.2", users=(user,))),
        "entriesmap.dat": f'<EncryptEntries><EncryptEntry Path="{name}" EPath="/a.dat"/></EncryptEntries>'.encode(),
        "a.dat": b"".join(encrypted([b"content"], key, iv)),
    }
    with pytest.raises(MalformedError):
        decrypt(write_package(files), first)


def test_big_packages_go_from_file_to_file(tmp_path: Path) -> None:
    _, first, _ = vault()
    source, hidden, shown = tmp_path / "a.ofd", tmp_path / "b.ofd", tmp_path / "c.ofd"
    files = unpack(sample_document()) | {"big.bin": bytes(range(256)) * 8192}
    source.write_bytes(write_package(files))
    told: list[tuple[int, int]] = []
    with Package.open(source) as package:
        encrypt_to(
            package, hidden, recipients=to(first), at=CREATED, progress=lambda done, total: told.append((done, total))
        )
    assert told
    with Package.open(hidden) as package:
        assert is_encrypted(package)
        decrypt_to(package, shown, first)
    assert unpack(shown.read_bytes()) == files
    with Package.open(hidden) as package, pytest.raises(ForbiddenError):
        decrypt_to(package, tmp_path / "d.ofd")
    assert not (tmp_path / "d.ofd").exists()


def test_lint_says_that_an_encrypted_document_was_not_looked_into() -> None:
    assert lint(secret()).codes == {"ofd.lint.package.encrypted", "ofd.lint.reader.all.encrypted"}


def listed(pki: Pki) -> bytes:
    return protect(
        sample_document(),
        signer=pki.signer.signer,
        certificate=pki.signer.certificate,
        at=SIGNED_AT,
        certificates=[pki.issuing.certificate.der],
        crls=pki.crls,
    )


def test_the_list_of_files_verifies_from_the_file_and_the_root_alone(pki: Pki) -> None:
    report = verify_list(listed(pki), pki.policy())
    assert report.verdict is Verdict.VALID, report.problems
    assert report.facts["signer"] == "Department"
    assert any(step.code == "ofd.integrity.content" and step.status is Status.WARNING for step in report.steps)
    with pytest.raises(ConflictError):
        protect(listed(pki), signer=pki.signer.signer, certificate=pki.signer.certificate, at=SIGNED_AT)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda files: files.__setitem__("extra.xml", b"<a/>"), "ofd.integrity.added"),
        (_without("Doc_0/PublicRes.xml"), "ofd.integrity.missing"),
        (
            lambda files: files.__setitem__("OFDEntries.xml", files["OFDEntries.xml"].replace(b"Page_1", b"Page_9")),
            "ofd.integrity.list",
        ),
        (_without("signedvalue.dat"), "ofd.package.entry-missing"),
        (_without("OFDEntries.xml"), "ofd.integrity.none"),
        (lambda files: files.__setitem__("signedvalue.dat", b"?"), ""),
    ],
)
def test_a_package_that_is_not_as_listed_is_told_so(
    pki: Pki, change: Callable[[dict[str, bytes]], None], code: str
) -> None:
    report = verify_list(changed(listed(pki), change), pki.policy())
    assert report.verdict is Verdict.INVALID
    assert not code or code in {step.code for step in report.problems}


def test_another_key_cannot_sign_the_list(pki: Pki) -> None:
    forged = protect(sample_document(), signer=pki.stranger.signer, certificate=pki.signer.certificate, at=SIGNED_AT)
    report = verify_list(forged, pki.policy())
    assert "ofd.integrity.value" in {step.code for step in report.problems}


@pytest.mark.parametrize("signed_of", [b"a letter", None])
def test_a_signature_made_for_something_else_is_not_put_on_a_list(pki: Pki, signed_of: bytes | None) -> None:
    """With signed attributes the content beside them is signed by their digest alone."""
    algorithm = pki.signer.signer.algorithm
    attributes = gm_signed_attributes(message_digest=sm3(signed_of or b""), algorithm=algorithm, signing_time=SIGNED_AT)
    if signed_of is None:
        attributes = encoder.set_of(
            *(item.raw for item in parse(attributes).children if b"\x01\x09\x04" not in item.raw)
        )
    files = unpack(listed(pki))
    for content in (sm3(files["OFDEntries.xml"]), None):
        value = build_gm_signed_data(
            content=content,
            signed_attributes_der=attributes,
            algorithm=algorithm,
            signature=pki.signer.signer.sign(attributes),
            certificate=pki.signer.certificate,
            certificates=[pki.issuing.certificate.der],
            crls=pki.crls,
        )
        report = verify_list(write_package(files | {"signedvalue.dat": value}), pki.policy())
        assert {step.code for step in report.problems} == {"ofd.integrity.list"}


def test_a_damaged_list_raises_nothing(pki: Pki) -> None:
    files = unpack(listed(pki))
    for name in ("OFDEntries.xml", "signedvalue.dat"):
        for position in range(0, len(files[name]), 7):
            data = bytearray(files[name])
            data[position] ^= 0x21
            assert verify_list(write_package(files | {name: bytes(data)}), pki.policy()).steps


def test_missing_names_are_no_error_of_ours() -> None:
    with pytest.raises(NotFoundError):
        recipients(Package(sample_document()))
