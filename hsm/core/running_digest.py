"""SM3 (GB/T 32905-2016) whose state can be handed out between packets.

The signature server operations in several packets (GM/T 0029) give the caller the state of the digest and take it back
with the next packet, so that the server keeps nothing. :mod:`hashlib` cannot give its state, hence this one: about half
a megabyte per second. Whoever has the whole message at once sends it at once.

The state is ours, since the standard leaves its form open: ``1 ‖ eight words ‖ length in bytes (8) ‖ rest of a block``.
"""

from dataclasses import dataclass
from struct import pack, unpack

from trustcore.errors import MalformedError

__all__ = ["RunningDigest"]

_INITIAL = (
    0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E,
)  # fmt: skip
_MASK = 0xFFFFFFFF
_BLOCK = 64
_VERSION = 1
_HEADER = 1 + 32 + 8
_LONGEST = 2**60
"""In bytes; the padding writes the length in bits in eight bytes (§5.2), and packets may still follow."""


def _rotate(word: int, count: int) -> int:
    return ((word << count) | (word >> (32 - count))) & _MASK


_T = tuple(_rotate(0x79CC4519 if j < 16 else 0x7A879D8A, j % 32) for j in range(64))


def _words(block: bytes) -> list[int]:
    """Message expansion (§5.3.2)."""
    w = list(unpack(">16I", block))
    for j in range(16, 68):
        x = w[j - 16] ^ w[j - 9] ^ _rotate(w[j - 3], 15)
        w.append(x ^ _rotate(x, 15) ^ _rotate(x, 23) ^ _rotate(w[j - 13], 7) ^ w[j - 6])
    return w


def _compress(state: tuple[int, ...], block: bytes) -> tuple[int, ...]:
    """The compression function (§5.3.3)."""
    w = _words(block)
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        twelve = _rotate(a, 12)
        ss1 = _rotate((twelve + e + _T[j]) & _MASK, 7)
        ss2 = ss1 ^ twelve
        if j < 16:
            ff, gg = a ^ b ^ c, e ^ f ^ g
        else:
            ff, gg = (a & b) | (a & c) | (b & c), (e & f) | (~e & _MASK & g)
        tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) & _MASK
        tt2 = (gg + h + ss1 + w[j]) & _MASK
        d, c, b, a = c, _rotate(b, 9), a, tt1
        h, g, f, e = g, _rotate(f, 19), e, tt2 ^ _rotate(tt2, 9) ^ _rotate(tt2, 17)
    return tuple(old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True))


@dataclass(frozen=True, slots=True)
class RunningDigest:
    """A digest of what came so far."""

    words: tuple[int, ...] = _INITIAL
    length: int = 0
    """Bytes so far."""
    rest: bytes = b""
    """What did not fill a block."""

    @classmethod
    def from_state(cls, state: bytes) -> "RunningDigest":
        """The digest that gave this state. Raises ``MalformedError`` (``hsm.svs.state``)."""
        error = MalformedError("The hash value is not one that this server gave.", code="hsm.svs.state")
        if len(state) < _HEADER or state[0] != _VERSION:
            raise error
        length = int.from_bytes(state[33:_HEADER], "big")
        if length > _LONGEST or len(state) != _HEADER + length % _BLOCK:
            raise error
        return cls(words=unpack(">8I", state[1:33]), length=length, rest=state[_HEADER:])

    @property
    def state(self) -> bytes:
        """What :meth:`from_state` reads."""
        return bytes((_VERSION,)) + pack(">8I", *self.words) + self.length.to_bytes(8, "big") + self.rest

    def update(self, data: bytes) -> "RunningDigest":
        """The digest after more data."""
        pending = self.rest + data
        whole = len(pending) - len(pending) % _BLOCK
        words = self.words
        for start in range(0, whole, _BLOCK):
            words = _compress(words, pending[start : start + _BLOCK])
        return RunningDigest(words, self.length + len(data), pending[whole:])

    def digest(self) -> bytes:
        """The digest of all that came."""
        padding = b"\x80" + bytes((55 - self.length) % _BLOCK) + (8 * self.length).to_bytes(8, "big")
        return pack(">8I", *self.update(padding).words)
