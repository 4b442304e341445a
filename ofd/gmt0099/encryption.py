"""Encrypting documents for named persons and opening them again (GM/T 0099-2020 §7.3).

All files become ciphertext, their names too: what stays readable is who may open the document. No desktop reader opens
such a document: decrypt it first. Memory stays bounded for packages in files.
"""

import secrets
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from ofd import xmlio
from ofd.gmt0099.keys import KEY_BYTES, Opener, Recipient, decrypted, encrypted
from ofd.gmt0099.parts import (
    CASE_PASSWORD,
    ENCRYPTIONS,
    ENTRIES_MAP,
    SEED,
    EncryptInfo,
    MappedEntry,
    Seed,
    read_entries_map,
    read_infos,
    read_seed,
    write_entries_map,
    write_infos,
    write_seed,
)
from ofd.package.reader import Package, write_package
from ofd.progress import Progress, silent
from trustcore.errors import ConflictError, ForbiddenError, MalformedError, NotFoundError, RejectedError, TrustError

__all__ = ["decrypt", "decrypt_to", "encrypt", "encrypt_to", "is_encrypted", "recipients"]

_FOLDER = "enc"
_FIRST_ID = "1"
_MOST_LAYERS = 8
_LONGEST_MAP = 16 * 1024 * 1024


def is_encrypted(package: Package) -> bool:
    """Whether a package says that files in it are encrypted."""
    return ENCRYPTIONS in package


def recipients(package: Package) -> tuple[str, ...]:
    """Names of those who may open the outermost encryption; raises ``MalformedError`` or ``NotFoundError``."""
    info = _outermost(read_infos(package.read(ENCRYPTIONS)))
    return tuple(user.name for user in read_seed(package.read(info.seed), name=info.seed).users)


def encrypt(
    data: bytes,
    *,
    recipients: Sequence[Recipient],
    at: datetime,
    allow_passwords: bool = False,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """The document, readable for the recipients only.

    Args:
        data: the document.
        recipients: all of one kind: certificates, or passwords.
        at: now.
        allow_passwords: take passwords, although the standard's form of them is weak.
        random: where the key comes from.

    Raises:
        ConflictError: ``ofd.encryption.already``.
        RejectedError: ``ofd.encryption.…``: no recipients, of several kinds, passwords not allowed, or a certificate
            that cannot be encrypted to.
        MalformedError: ``ofd.package.…``.
    """
    package = Package(data)
    files = _encrypted_files(package, recipients, at, allow_passwords=allow_passwords, random=random)
    return write_package({name: b"".join(pieces) for name, pieces in files.items()})


def encrypt_to(
    package: Package,
    path: Path,
    *,
    recipients: Sequence[Recipient],
    at: datetime,
    allow_passwords: bool = False,
    random: Callable[[int], bytes] = secrets.token_bytes,
    progress: Progress = silent,
) -> None:
    """The same into a file, in bounded memory; errors as those of :func:`encrypt`, and ``OSError``."""
    files = _encrypted_files(package, recipients, at, allow_passwords=allow_passwords, random=random)
    package.write_to(path, files, removed=_left_out(package, files), progress=progress)


def decrypt(data: bytes, *openers: Opener) -> bytes:
    """The document as it was before it was encrypted.

    Args:
        data: the document.
        openers: who opens it; several where it was encrypted several times.

    Raises:
        RejectedError: ``ofd.encryption.none``: the document is not encrypted.
        ForbiddenError: ``ofd.encryption.not-recipient``, with those who may in ``recipients``;
            ``ofd.encryption.wrong-key`` for the wrong password or key.
        MalformedError: ``ofd.encryption.…`` or ``ofd.package.…`` when the document is damaged or inconsistent.
        NotFoundError: ``ofd.package.entry-missing``.
    """
    package = Package(data)
    _check_encrypted(package)
    layers = 0
    while is_encrypted(package):
        left, files = _decrypted_files(package, openers)
        plain = {name: b"".join(pieces) for name, pieces in files.items()}
        package = Package(write_package({name: package.read(name) for name in left} | plain))
        layers += 1
        if layers > _MOST_LAYERS:
            raise MalformedError("The document is encrypted too many times.", code="ofd.encryption.layers")
    return package.to_bytes()


def decrypt_to(package: Package, path: Path, *openers: Opener, progress: Progress = silent) -> None:
    """The same into a file, in bounded memory, for a document that was encrypted once.

    Raises:
        RejectedError: ``ofd.encryption.layers`` when it was encrypted several times.
        OSError: the file cannot be written. Other errors as those of :func:`decrypt`; the old file stays then.
    """
    _check_encrypted(package)
    left, files = _decrypted_files(package, openers)
    if ENCRYPTIONS in files:
        raise RejectedError("The document is encrypted several times.", code="ofd.encryption.layers")
    package.write_to(path, files, removed=_left_out(package, {*left, *files}), progress=progress)


def _check_encrypted(package: Package) -> None:
    if not is_encrypted(package):
        raise RejectedError("The document is not encrypted.", code="ofd.encryption.none")


def _left_out(package: Package, kept: Container[str]) -> list[str]:
    return [name for name in package.names if name not in kept]


def _encrypted_files(
    package: Package,
    recipients: Sequence[Recipient],
    at: datetime,
    *,
    allow_passwords: bool,
    random: Callable[[int], bytes],
) -> dict[str, Iterator[bytes]]:
    if is_encrypted(package):
        raise ConflictError("The document is encrypted already.", code="ofd.encryption.already")
    kinds = {recipient.case_id for recipient in recipients}
    if not kinds:
        raise RejectedError("Nobody could open the document.", code="ofd.encryption.nobody")
    if len(kinds) > 1:
        raise RejectedError("Recipients are all certificates or all passwords.", code="ofd.encryption.mixed")
    if CASE_PASSWORD in kinds and not allow_passwords:
        raise RejectedError("The standard's password form is weak.", code="ofd.encryption.password-form")
    key, iv = random(KEY_BYTES), random(KEY_BYTES)
    users = tuple(recipient.wrap(key, iv, at=at) for recipient in recipients)
    entries = [
        MappedEntry(name=name, encrypted=f"{_FOLDER}/{index}.dat") for index, name in enumerate(package.names, start=1)
    ]
    info = EncryptInfo(
        id=_FIRST_ID,
        relative=None,
        seed=SEED,
        entries_map=ENTRIES_MAP,
        date=at.replace(tzinfo=None).isoformat("T", "seconds"),
    )
    seed = Seed(id=_FIRST_ID, case_id=kinds.pop(), users=users)
    files = {
        ENCRYPTIONS: iter([write_infos([info])]),
        SEED: iter([write_seed(seed)]),
        ENTRIES_MAP: encrypted([write_entries_map(_FIRST_ID, entries)], key, iv),
    }
    return files | {entry.encrypted: encrypted(package.chunks(entry.name), key, iv) for entry in entries}


def _decrypted_files(package: Package, openers: Sequence[Opener]) -> tuple[list[str], dict[str, Iterator[bytes]]]:
    """Names of what was never encrypted, and what was."""
    infos = read_infos(package.read(ENCRYPTIONS))
    info = _outermost(infos)
    seed = read_seed(package.read(info.seed), name=info.seed)
    key, iv = _unwrap(seed, openers)
    entries = _entries(package, info, key, iv)
    own = {ENCRYPTIONS, info.seed, info.entries_map, *(entry.encrypted for entry in entries)}
    left = [name for name in package.names if name not in own]
    clash = {entry.name for entry in entries} & set(left)
    if clash or len({entry.name for entry in entries}) != len(entries):
        entry = min(clash, default="")
        raise MalformedError("A file stands in clear and encrypted.", code="ofd.encryption.twice", entry=entry)
    if len({entry.encrypted for entry in entries}) != len(entries):
        # A small package would open to as many copies of one file as it names.
        raise MalformedError("One encrypted file stands for several.", code="ofd.encryption.shared")
    files = {entry.name: decrypted(package.chunks(entry.encrypted), key, iv) for entry in entries}
    others = [item for item in infos if item is not info]
    if others and ENCRYPTIONS not in files:
        files[ENCRYPTIONS] = iter([write_infos(others)])
    return left, files


def _outermost(infos: Sequence[EncryptInfo]) -> EncryptInfo:
    """The last act: the one that no other continues, and of several the last in the file."""
    continued = {info.relative for info in infos}
    candidates = [info for info in infos if info.id not in continued]
    if not candidates:
        raise MalformedError("Encryptions.xml names no encryption.", code="ofd.encryption.no-info")
    return candidates[-1]


def _unwrap(seed: Seed, openers: Sequence[Opener]) -> tuple[bytes, bytes]:
    """Key and initial vector, for the first opener that can."""
    failure: TrustError | None = None
    for opener in openers:
        if seed.case_id not in {None, opener.case_id}:
            continue
        for user in seed.users:
            if not opener.concerns(user):
                continue
            try:
                key = opener.unwrap(user)
            except TrustError as error:
                failure = error
                continue
            if len(user.iv) != KEY_BYTES:
                raise MalformedError("The initial vector is not 16 octets.", code="ofd.encryption.iv")
            return key, user.iv
    if failure is not None:
        raise ForbiddenError("The password or key is wrong.", code="ofd.encryption.wrong-key") from failure
    names = ", ".join(user.name for user in seed.users)
    raise ForbiddenError(
        f"The document is encrypted for {names or 'nobody'}, not for this reader.",
        code="ofd.encryption.not-recipient",
        recipients=names,
    )


def _is_xml(data: bytes) -> bool:
    """Whether it is in clear; what is encrypted begins with ``<`` too, once in 256 times."""
    if data.lstrip()[:1] != b"<":
        return False
    try:
        xmlio.parse(data, part="")
    except MalformedError as error:
        return error.code != "ofd.xml.malformed"
    return True


def _entries(package: Package, info: EncryptInfo, key: bytes, iv: bytes) -> tuple[MappedEntry, ...]:
    """The list of what is encrypted; some writers leave it in clear."""
    if package.size(info.entries_map) > _LONGEST_MAP:
        raise MalformedError("The list of encrypted files is too long.", code="ofd.encryption.map")
    data = package.read(info.entries_map)
    try:
        plain = data if _is_xml(data) else b"".join(decrypted([data], key, iv))
        entries = read_entries_map(plain, name=info.entries_map)
    except MalformedError as error:
        if error.code.startswith(("ofd.loc.", "ofd.structure.")):
            raise
        # Padding fits a wrong key once in 256 times; the XML never does.
        raise ForbiddenError("The password or key is wrong.", code="ofd.encryption.wrong-key") from error
    for entry in entries:
        if entry.encrypted not in package:
            raise NotFoundError(
                f"The encrypted file {entry.encrypted!r} is missing.",
                code="ofd.package.entry-missing",
                entry=entry.encrypted,
            )
    return entries
