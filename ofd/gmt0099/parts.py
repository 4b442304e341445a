"""The XML files of GM/T 0099-2020 annexes C and D: reading and writing them."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ofd import xmlio
from ofd.package.loc import absolute, resolve
from ofd.xmlio import Element, element, serialise
from trustcore.errors import MalformedError

__all__ = [
    "CASE_CERTIFICATE",
    "CASE_PASSWORD",
    "ENCRYPTIONS",
    "ENTRIES",
    "ENTRIES_MAP",
    "SEED",
    "SIGNED_VALUE",
    "EncryptInfo",
    "MappedEntry",
    "Seed",
    "User",
    "read_entries_map",
    "read_file_list",
    "read_infos",
    "read_seed",
    "write_entries_map",
    "write_file_list",
    "write_infos",
    "write_seed",
]

ENCRYPTIONS = "Encryptions.xml"
SEED = "decryptseed.dat"
ENTRIES_MAP = "entriesmap.dat"
ENTRIES = "OFDEntries.xml"
SIGNED_VALUE = "signedvalue.dat"
CASE_PASSWORD = "1.1.1"
"""SM4-CBC, key from a password (annex A, table A.1)."""
CASE_CERTIFICATE = "1.1.2"
"""SM4-CBC, key encrypted by SM2 to certificates."""
_PROVIDER = "Xinyin"
_VERSION = "1.0"
_SCOPE_ALL = "All"
_BLOCK = 16
_MOST_USERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptInfo:
    """One act of encryption: EncryptInfo of Encryptions.xml."""

    id: str
    relative: str | None
    """ID of the act before this one."""
    seed: str
    """Entry name of the file with the wrapped keys."""
    entries_map: str
    """Entry name of the list of what is encrypted."""
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who may decrypt: UserInfo."""

    name: str
    is_owner: bool
    certificate_der: bytes | None
    wrapped_key: bytes
    iv: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """The key description file: DecyptSeed (sic)."""

    id: str
    case_id: str | None
    """Scheme; some writers leave it out."""
    users: tuple[User, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedEntry:
    """A file and where its ciphertext is."""

    name: str
    """Entry name of the file."""
    encrypted: str
    """Entry name of its ciphertext."""


def read_infos(data: bytes) -> tuple[EncryptInfo, ...]:
    """The acts of encryption that Encryptions.xml lists; raises ``MalformedError``."""
    root = _root(data, ENCRYPTIONS, "Encryptions")
    with xmlio.naming(ENCRYPTIONS):
        return tuple(_info(node) for node in xmlio.children(root, "EncryptInfo"))


def write_infos(infos: Sequence[EncryptInfo]) -> bytes:
    """Encryptions.xml."""
    root = element(None, "Encryptions")
    for info in infos:
        relative = {} if info.relative is None else {"Relative": info.relative}
        node = element(root, "EncryptInfo", attributes={"ID": info.id, **relative})
        element(node, "Provider", attributes={"Name": _PROVIDER, "Version": _VERSION})
        element(node, "EncryptScope", _SCOPE_ALL)
        if info.date:
            element(node, "EncryptDate", info.date)
        element(node, "DecryptSeedLoc", absolute(info.seed))
        element(node, "EntriesMapLoc", absolute(info.entries_map))
    return serialise(root)


def read_seed(data: bytes, *, name: str) -> Seed:
    """The key description file; raises ``MalformedError``."""
    root = _root(data, name, "DecyptSeed", "DecryptSeed")
    with xmlio.naming(name):
        nodes = xmlio.children(root, "UserInfo")
        if len(nodes) > _MOST_USERS:
            raise MalformedError("The document names too many persons.", code="ofd.encryption.too-many-users")
        return Seed(
            id=root.get("ID", ""), case_id=root.get("EncryptCaseId"), users=tuple(_user(node) for node in nodes)
        )


def write_seed(seed: Seed) -> bytes:
    """The key description file."""
    attributes = {"ID": seed.id, "EncryptCaseId": seed.case_id or CASE_CERTIFICATE}
    root = element(None, "DecyptSeed", attributes=attributes)
    for user in seed.users:
        kind = "Owner" if user.is_owner else "User"
        node = element(root, "UserInfo", attributes={"UserName": user.name, "UserType": kind})
        if user.certificate_der is not None:
            element(node, "UserCert", _base64(user.certificate_der))
        element(node, "EncryptedWK", _base64(user.wrapped_key))
        element(node, "IVValue", _base64(user.iv))
    element(root, "ExtendParams")
    return serialise(root)


def read_entries_map(data: bytes, *, name: str) -> tuple[MappedEntry, ...]:
    """The list of what is encrypted, once decrypted itself; raises ``MalformedError``."""
    root = _root(data, name, "EncryptEntries")
    with xmlio.naming(name):
        return tuple(
            MappedEntry(
                name=resolve(xmlio.attribute(node, "Path"), holder=ENCRYPTIONS),
                encrypted=resolve(xmlio.attribute(node, "EPath"), holder=ENCRYPTIONS),
            )
            for node in xmlio.children(root, "EncryptEntry")
        )


def write_entries_map(info_id: str, entries: Sequence[MappedEntry]) -> bytes:
    """The list of what is encrypted, in clear."""
    root = element(None, "EncryptEntries", attributes={"ID": info_id})
    for entry in entries:
        attributes = {"Path": absolute(entry.name), "EPath": absolute(entry.encrypted)}
        element(root, "EncryptEntry", attributes=attributes)
    return serialise(root)


def read_file_list(data: bytes) -> tuple[tuple[str, ...], str]:
    """The files that OFDEntries.xml lists, and the entry name of the signature; raises ``MalformedError``."""
    root = _root(data, ENTRIES, "DocEntries", "OFDEntries")
    with xmlio.naming(ENTRIES):
        listed = xmlio.children(xmlio.required(root, "FileList"), "File")
        names = tuple(resolve(_file_location(node), holder=ENTRIES) for node in listed)
        return names, resolve(xmlio.text(xmlio.required(root, "SignedValueLoc")), holder=ENTRIES)


def write_file_list(names: Sequence[str], *, at: datetime) -> bytes:
    """OFDEntries.xml."""
    attributes = {"ID": "1", "CreatorName": _PROVIDER, "Version": _VERSION, "CreationDate": at.date().isoformat()}
    root = element(None, "DocEntries", attributes=attributes)
    element(root, "SignedValueLoc", absolute(SIGNED_VALUE))
    listed = element(root, "FileList")
    for number, name in enumerate(names, start=2):
        element(listed, "File", attributes={"ID": str(number), "FileLoc": absolute(name)})
    return serialise(root)


def _root(data: bytes, name: str, *wanted: str) -> Element:
    root = xmlio.parse(data, part=name)
    with xmlio.naming(name):
        if xmlio.local_name(root) not in wanted:
            raise MalformedError(f"The root element of {name} is not {wanted[0]}.", code="ofd.structure.root")
    return root


def _info(node: Element) -> EncryptInfo:
    date = xmlio.child(node, "EncryptDate")
    return EncryptInfo(
        id=xmlio.attribute(node, "ID"),
        relative=node.get("Relative"),
        seed=resolve(xmlio.text(xmlio.required(node, "DecryptSeedLoc")), holder=ENCRYPTIONS),
        entries_map=resolve(xmlio.text(xmlio.required(node, "EntriesMapLoc")), holder=ENCRYPTIONS),
        date="" if date is None else xmlio.text(date),
    )


def _user(node: Element) -> User:
    certificate = xmlio.child(node, "UserCert")
    iv = xmlio.child(node, "IVValue")
    return User(
        name=node.get("UserName", ""),
        is_owner=node.get("UserType") == "Owner",
        certificate_der=None if certificate is None else _octets(certificate),
        wrapped_key=_octets(xmlio.required(node, "EncryptedWK")),
        iv=bytes(_BLOCK) if iv is None else _octets(iv),
    )


def _file_location(node: Element) -> str:
    """``@FileLoc``; some writers have it as the element's text."""
    return node.get("FileLoc") or xmlio.text(node)


def _octets(node: Element) -> bytes:
    try:
        return base64.b64decode("".join(xmlio.text(node).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        name = xmlio.local_name(node)
        raise MalformedError(f"{name} is not base64.", code="ofd.encryption.malformed", element=name) from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
