"""Record layouts of ZIP (APPNOTE.TXT 6.3.10 §4.3), and the limits a package has to keep.

Only what GB/T 33190-2016 §6.2 needs is known: stored and deflated entries, no ZIP64 (a package may not be that large).
"""

from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

__all__ = [
    "CENTRAL",
    "CENTRAL_MAGIC",
    "DATA_DESCRIPTOR_FLAG",
    "DEFLATED",
    "DESCRIPTOR",
    "DESCRIPTOR_MAGIC",
    "END",
    "END_MAGIC",
    "LOCAL",
    "LOCAL_MAGIC",
    "REFUSED_FLAGS",
    "STORED",
    "STRICT",
    "UTF8_FLAG",
    "WILD",
    "CentralRecord",
    "Limits",
    "Tolerance",
]

LOCAL = Struct("<4s5H3L2H")
"""Magic, version needed, flags, method, time, date, CRC-32, compressed size, size, name length, extra length."""
CENTRAL = Struct("<4s6H3L5H2L")
"""Magic, version made by, version needed, flags, method, time, date, CRC-32, compressed size, size, name length, extra
length, comment length, disk, internal attributes, external attributes, offset of the local header."""
END = Struct("<4s4H2LH")
"""Magic, disk, disk of the directory, entries on disk, entries, size and offset of the directory, comment length."""
DESCRIPTOR = Struct("<3L")
"""CRC-32, compressed size, size; a magic may precede."""

LOCAL_MAGIC = b"PK\x03\x04"
CENTRAL_MAGIC = b"PK\x01\x02"
END_MAGIC = b"PK\x05\x06"
DESCRIPTOR_MAGIC = b"PK\x07\x08"

STORED = 0
DEFLATED = 8
UTF8_FLAG = 0x0800
"""General purpose bit 11: the name is UTF-8."""
DATA_DESCRIPTOR_FLAG = 0x0008
"""General purpose bit 3: sizes and CRC follow the data."""
REFUSED_FLAGS = 0x0001 | 0x0020 | 0x0040 | 0x2000
"""Encrypted, patched, strongly encrypted, masked headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a package may ask for at most; all inclusive."""

    entries: int = 20_000
    total_bytes: int = 512 * 1024 * 1024
    """Sum of the decompressed sizes."""
    entry_bytes: int = 256 * 1024 * 1024
    """Decompressed size of one entry."""
    ratio: int = 200
    """Decompressed to compressed size, for entries above ``ratio_from_bytes``."""
    ratio_from_bytes: int = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What a reading that is strict otherwise may let pass, because files in the field need it; all of it is told."""

    prefix_bytes: int = 0
    """How many foreign octets may precede the first entry."""
    unflagged_names: bool = False
    """Names that are neither ASCII nor flagged UTF-8 are read as UTF-8 where they are, else as GB 18030."""


STRICT = Tolerance()
WILD = Tolerance(prefix_bytes=1024, unflagged_names=True)
"""What the readers that people use let pass and what no second reader sees otherwise: octets before the package, which
are nobody's content, and names in the encoding of Chinese systems."""


class CentralRecord(NamedTuple):
    """One file of the central directory, checked against its local header.

    A tuple, because a hundred thousand of them are made a second.
    """

    name: str
    """Path without leading slash."""
    flags: int
    method: int
    crc32: int
    compressed_size: int
    size: int
    offset: int
    """Of the local header, in the file."""
    data_offset: int
    """Of the compressed data."""
    end: int
    """Where the next local header starts: behind the data and its descriptor."""
    raw: bytes
    """The record as it stands in the central directory."""
    is_directory: bool
