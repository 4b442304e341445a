"""Encrypted documents (GM/T 0099-2020) go both ways between us and ofdrw's classes with BouncyCastle's SM2 and SM4.

ofdrw's module for encryption is not published; its classes for the XML files, its key derivation and its SM2Cipher
are, and ``OfdVault`` does with them what that module does.
"""

from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path

import ofdrw_peer
from exhibits import Exhibits, altered_member, flipped
from verdict import Verdict, run

from ofd.gmt0099.encryption import decrypt, encrypt
from ofd.gmt0099.keys import (
    CertificateOpener,
    CertificateRecipient,
    Opener,
    PasswordOpener,
    PasswordRecipient,
    Recipient,
)
from ofd.package.reader import Package
from trustcore.crypto import sm2
from trustcore.crypto.software import SoftwareSigner
from trustcore.errors import TrustError

from support.ofd_samples import issue, make_keys, sample_pki

JUDGE = "ofdrw"
_PASSWORD = "口令 12345678"


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Judge both directions, for a certificate and for a password."""
    scratch = scratch / "ofdrw-vault"
    scratch.mkdir(parents=True, exist_ok=True)
    keys = make_keys()
    holder = issue(keys, "Vault", issuer=sample_pki().issuing, serial=90, usages=("keyEncipherment",))
    assert isinstance(holder.signer, SoftwareSigner)
    private = holder.signer._key
    assert isinstance(private, bytes)
    point = sm2.public_point(holder.certificate.public_key_der)
    own = CertificateOpener(certificate=holder.certificate, decrypt=lambda data: sm2.decrypt(private, data))
    to_certificate = CertificateRecipient(name="Vault", certificate=holder.certificate)
    at = holder.certificate.not_before.astimezone(UTC) + timedelta(days=1)
    plain = exhibits.licences[0].ofd
    forms: tuple[tuple[str, Recipient, tuple[str, str], tuple[str, str], Opener], ...] = (
        ("certificate", to_certificate, ("key", private.hex()), ("point", point.hex()), own),
        (
            "password",
            PasswordRecipient(name="Vault", password=_PASSWORD),
            ("password", _PASSWORD),
            ("password", _PASSWORD),
            PasswordOpener(password=_PASSWORD),
        ),
    )
    verdicts: list[Verdict] = []
    for form, recipient, secret, lock, opener in forms:
        data = encrypt(plain.read_bytes(), recipients=[recipient], at=at, allow_passwords=True)
        verdicts.append(_ours(plain, data, scratch, form, secret))
        verdicts.append(_theirs(plain, scratch, form, lock, opener))
    return verdicts


def _ours(plain: Path, data: bytes, scratch: Path, form: str, secret: tuple[str, str]) -> Verdict:
    locked = scratch / f"ours-{form}.ofd"
    locked.write_bytes(data)
    opened = scratch / f"ours-{form}-opened.ofd"

    def refused(path: Path) -> str | None:
        opened.unlink(missing_ok=True)
        answer = run([*ofdrw_peer.PROJECT.command("OfdVault"), "open", path, *secret, opened], timeout=180)
        same = opened.is_file() and _files(opened.read_bytes()) == _files(plain.read_bytes())
        return None if answer.status == 0 and same else answer.last_line() or "other content"

    return _verdict(f"encrypted by us for a {form}, opened by ofdrw's classes", locked, scratch, refused)


def _theirs(plain: Path, scratch: Path, form: str, lock: tuple[str, str], opener: Opener) -> Verdict:
    locked = scratch / f"theirs-{form}.ofd"
    run([*ofdrw_peer.PROJECT.command("OfdVault"), "lock", plain, *lock, locked], timeout=180)

    def refused(path: Path) -> str | None:
        try:
            same = _files(decrypt(path.read_bytes(), opener)) == _files(plain.read_bytes())
        except TrustError as error:
            return error.code
        return None if same else "other content"

    return _verdict(f"encrypted by ofdrw's classes for a {form}, opened by us", locked, scratch, refused)


def _verdict(judged: str, locked: Path, scratch: Path, refused: Callable[[Path], str | None]) -> Verdict:
    """GM/T 0099 authenticates nothing: what is altered is opened as something else, which the digest shows."""
    version = ofdrw_peer.PROJECT.version()
    if not locked.is_file():
        return Verdict(judge=JUDGE, version=version, judged=judged, problem="not made", tampered="—")
    changes: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "list of files": ("entriesmap.dat", lambda data: flipped(data, -20)),
        "wrapped key": ("decryptseed.dat", _another_key),
    }
    altered = {
        name: altered_member(locked, scratch / f"{locked.stem}-{name}.ofd", suffix, change)
        for name, (suffix, change) in changes.items()
    }
    tolerated = tuple(name for name, path in altered.items() if refused(path) is None)
    return Verdict(
        judge=JUDGE,
        version=version,
        judged=judged,
        problem=refused(locked),
        tampered=", ".join(altered),
        tolerated=tolerated,
    )


def _files(data: bytes) -> dict[str, bytes]:
    package = Package(data)
    return {name: package.read(name) for name in package.names}


def _another_key(seed: bytes) -> bytes:
    """The key description with one character of the wrapped key changed."""
    place = seed.index(b"EncryptedWK>") + len(b"EncryptedWK>") + 12
    return seed[:place] + (b"A" if seed[place : place + 1] != b"A" else b"B") + seed[place + 1 :]
