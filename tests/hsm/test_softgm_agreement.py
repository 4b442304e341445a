"""SM2 key agreement of softgm: the worked example, both sides, an independent computation, and every refusal."""

import ctypes
import hashlib

import pytest

from trustcore.crypto import sm2

from support.cryptoki import A, CryptokiError, CryptokiSession, Rv, attributes, mechanism
from support.softgm_numbers import (
    CKK_AES,
    CKK_GENERIC_SECRET,
    CKK_SM4,
    CKO_SECRET_KEY,
    SM2_AGREEMENT,
    SM4_ECB,
    Agreement,
    import_sm2,
    make_sm2,
    make_sm4,
    point_of,
)

pytestmark = pytest.mark.hsm

INITIATOR, RESPONDER = 1, 2

# GB/T 32918.5-2017 annex B: both identifiers are the default one.
D_A = bytes.fromhex("81eb26e941bb5af16df116495f90695272ae2cd63d6c4ae1678418be48230029")
P_A = bytes.fromhex("04160e12897df4edb61dd812feb96748fbd3ccf4ffe26aa6f6db9540af49c942324a7dad08bb9a459531694beb20aa489d"
                    "6649975e1bfcf8c4741b78b4b223007f")  # fmt: skip
R_A = bytes.fromhex("d4de15474db74d06491c440d305e012400990f3e390c7e87153c12db2ea60bb3")
E_A = bytes.fromhex("0464ced1bdbc99d590049b434d0fd73428cf608a5db8fe5ce07f15026940bae40e376629c7ab21e7db260922499ddb118f"
                    "07ce8eaae3e7720afef6a5cc062070c0")  # fmt: skip
D_B = bytes.fromhex("785129917d45a9ea5437a59356b82338eaadda6ceb199088f14ae10defa229b5")
P_B = bytes.fromhex("046ae848c57c53c7b1b5fa99eb2286af078ba64c64591b8b566f7357d576f16dfbee489d771621a27b36c5c7992062e9cd"
                    "09a9264386f3fbea54dff69305621c4d")  # fmt: skip
R_B = bytes.fromhex("7e07124814b309489125eaed101113164ebf0f3458c5bd88335c1f9d596243d6")
E_B = bytes.fromhex("04acc27688a6f7b706098bc91ff3ad1bff7dc2802cdb14ccccdb0a90471f9bd7072fedac0494b2ffc4d6853876c79b8f30"
                    "1c6573ad0aa50f39fc87181e1a1b46fe")  # fmt: skip
KEY = bytes.fromhex("6c89347354de2484c60b4ab1fde4c6e5")

OPEN_SECRET = {
    A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_GENERIC_SECRET, A.TOKEN: False, A.SENSITIVE: False, A.EXTRACTABLE: True,
}  # fmt: skip


def derive(
    session: CryptokiSession,
    role: int,
    keys: tuple[int, int],
    peer: tuple[bytes, bytes],
    *,
    template: dict[int, bytes | bool | int | str] | None = None,
    identifiers: tuple[bytes | None, bytes | None] = (None, None),
) -> tuple[int, bytes]:
    """The derived key's handle, and both confirmations."""
    confirmations = ctypes.create_string_buffer(64)
    own, other = identifiers
    parameter = Agreement(
        role, keys[1], own, len(own or b""), other, len(other or b""), peer[0], len(peer[0]), peer[1], len(peer[1]),
        ctypes.addressof(confirmations),
    )  # fmt: skip
    handle = session.derive(mechanism(SM2_AGREEMENT, parameter), keys[0], template or OPEN_SECRET | {A.VALUE_LEN: 16})
    return handle, confirmations.raw


def test_the_example_of_the_standard(token: CryptokiSession) -> None:
    a = import_sm2(token, D_A), import_sm2(token, R_A)
    b = import_sm2(token, D_B), import_sm2(token, R_B)
    key_a, confirmations_a = derive(token, INITIATOR, a, (P_B, E_B))
    key_b, confirmations_b = derive(token, RESPONDER, b, (P_A, E_A))
    assert token.attribute(key_a, A.VALUE) == token.attribute(key_b, A.VALUE) == KEY
    assert confirmations_a == confirmations_b


PRIME = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
BASE = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)


def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    if one == other:
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, PRIME)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, PRIME)
    x = (slope**2 - one[0] - other[0]) % PRIME
    return x, (slope * (one[0] - x) - one[1]) % PRIME


def multiply(number: int, point: tuple[int, int]) -> tuple[int, int]:
    total = point
    for bit in bin(number)[3:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total


def numbers(point: bytes) -> tuple[int, int]:
    return int.from_bytes(point[1:33]), int.from_bytes(point[33:])


def shortened(point: bytes) -> int:
    return 1 << 127 | int.from_bytes(point[17:33]) & (1 << 127) - 1


def sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def independent(length: int, identifiers: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """Key and confirmations of the example's keys under other identifiers, with whole numbers of Python."""
    t = (int.from_bytes(D_A) + shortened(E_A) * int.from_bytes(R_A)) % sm2.ORDER
    u = multiply(t, add(numbers(P_B), multiply(shortened(E_B), numbers(E_B))))
    x, y = (one.to_bytes(32) for one in u)
    z = sm2.z_value(P_A, identifiers[0]) + sm2.z_value(P_B, identifiers[1])
    key = b"".join(sm3(x + y + z + count.to_bytes(4)) for count in range(1, length // 32 + 2))[:length]
    inner = sm3(x + z + E_A[1:] + E_B[1:])
    return key, sm3(b"\x02" + y + inner) + sm3(b"\x03" + y + inner)


@pytest.mark.parametrize("length", [1, 16, 32, 33, 100, 1024])
def test_other_identifiers_and_lengths_agree_with_an_independent_computation(
    token: CryptokiSession, length: int
) -> None:
    a, b = b"ALICE123@YAHOO.COM", b"BILL456@YAHOO.COM"
    template = OPEN_SECRET | {A.VALUE_LEN: length}
    keys = import_sm2(token, D_A), import_sm2(token, R_A)
    key, confirmations = derive(token, INITIATOR, keys, (P_B, E_B), template=template, identifiers=(a, b))
    assert (token.attribute(key, A.VALUE), confirmations) == independent(length, (a, b))


def test_both_sides_agree_on_an_sm4_key_that_nobody_sees(token: CryptokiSession) -> None:
    (public_a, private_a), (ephemeral_a, secret_a) = make_sm2(token), make_sm2(token)
    (public_b, private_b), (ephemeral_b, secret_b) = make_sm2(token), make_sm2(token)
    points = [point_of(token, key) for key in (public_a, ephemeral_a, public_b, ephemeral_b)]
    template = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_SM4, A.TOKEN: False, A.ENCRYPT: True}
    a, _ = derive(token, INITIATOR, (private_a, secret_a), (points[2], points[3]), template=template)
    b, _ = derive(token, RESPONDER, (private_b, secret_b), (points[0], points[1]), template=template)
    block = bytes(16)
    assert token.crypt("Encrypt", mechanism(SM4_ECB), a, block) == token.crypt("Encrypt", mechanism(SM4_ECB), b, block)
    for key in (a, b):
        assert [token.number(key, one) for one in (A.SENSITIVE, A.EXTRACTABLE, A.NEVER_EXTRACTABLE)] == [1, 0, 0]
        with pytest.raises(CryptokiError, match="ATTRIBUTE_SENSITIVE"):
            token.attribute(key, A.VALUE)


def test_an_aes_key_can_be_agreed_on(token: CryptokiSession) -> None:
    template = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_AES, A.VALUE_LEN: 32, A.TOKEN: False, A.SENSITIVE: True}
    keys = import_sm2(token, D_A), import_sm2(token, R_A)
    key, _ = derive(token, INITIATOR, keys, (P_B, E_B), template=template)
    assert token.number(key, A.VALUE_LEN) == 32


def test_the_ephemeral_key_serves_once(token: CryptokiSession) -> None:
    keys = import_sm2(token, D_A), import_sm2(token, R_A)
    derive(token, INITIATOR, keys, (P_B, E_B))
    with pytest.raises(CryptokiError, match="KEY_HANDLE_INVALID"):
        derive(token, INITIATOR, keys, (P_B, E_B))


def test_a_failure_leaves_the_ephemeral_key(token: CryptokiSession) -> None:
    keys = import_sm2(token, D_A), import_sm2(token, R_A)
    with pytest.raises(CryptokiError, match="MECHANISM_PARAM_INVALID"):
        derive(token, INITIATOR, keys, (P_B, bytes(65)))
    key, _ = derive(token, INITIATOR, keys, (P_B, E_B))
    assert token.attribute(key, A.VALUE) == KEY


OFF_THE_CURVE = P_B[:-1] + bytes([P_B[-1] ^ 1])


@pytest.mark.parametrize(
    "peer", [b"", P_B[:-1], P_B + b"\0", bytes(65), b"\x02" + P_B[1:], OFF_THE_CURVE], ids=range(6)
)
def test_a_wrong_point_is_refused(token: CryptokiSession, peer: bytes) -> None:
    keys = import_sm2(token, D_A), import_sm2(token, R_A)
    for points in ((peer, E_B), (P_B, peer)):
        with pytest.raises(CryptokiError, match="MECHANISM_PARAM_INVALID"):
            derive(token, INITIATOR, keys, points)


def test_a_sum_at_infinity_is_refused(token: CryptokiSession) -> None:
    """P + x̄R = 0 when the peer sends a static key that cancels its ephemeral one."""
    scalar = -shortened(E_B) * int.from_bytes(R_B) % sm2.ORDER
    x, y = multiply(scalar, BASE)
    cancelling = b"\x04" + x.to_bytes(32) + y.to_bytes(32)
    keys = import_sm2(token, D_A), import_sm2(token, R_A)
    with pytest.raises(CryptokiError, match=r"CKR_0x6$"):  # CKR_FUNCTION_FAILED
        derive(token, INITIATOR, keys, (cancelling, E_B))


def test_only_a_session_key_is_ephemeral(token: CryptokiSession) -> None:
    lasting = import_sm2(token, D_A), import_sm2(token, R_A, TOKEN=True)
    with pytest.raises(CryptokiError, match="MECHANISM_PARAM_INVALID"):
        derive(token, INITIATOR, lasting, (P_B, E_B))
    same = import_sm2(token, D_A)
    with pytest.raises(CryptokiError, match="MECHANISM_PARAM_INVALID"):
        derive(token, INITIATOR, (same, same), (P_B, E_B))


@pytest.mark.parametrize("role", [0, 3, 1 << 40])
def test_there_are_two_roles(token: CryptokiSession, role: int) -> None:
    with pytest.raises(CryptokiError, match="MECHANISM_PARAM_INVALID"):
        derive(token, role, (import_sm2(token, D_A), import_sm2(token, R_A)), (P_B, E_B))


def test_keys_must_be_allowed_to_derive(token: CryptokiSession) -> None:
    allowed, forbidden = import_sm2(token, D_A), import_sm2(token, R_A, DERIVE=False)
    for keys in ((allowed, forbidden), (forbidden, allowed)):
        with pytest.raises(CryptokiError, match="KEY_FUNCTION_NOT_PERMITTED"):
            derive(token, INITIATOR, keys, (P_B, E_B))
    with pytest.raises(CryptokiError, match="KEY_TYPE_INCONSISTENT"):
        derive(token, INITIATOR, (make_sm4(token), allowed), (P_B, E_B))


@pytest.mark.parametrize(
    ("template", "rv"),
    [
        ({}, "TEMPLATE_INCONSISTENT"),
        (OPEN_SECRET, "TEMPLATE_INCOMPLETE"),
        (OPEN_SECRET | {A.VALUE_LEN: 0}, "KEY_SIZE_RANGE"),
        (OPEN_SECRET | {A.VALUE_LEN: 1025}, "KEY_SIZE_RANGE"),
        (OPEN_SECRET | {A.VALUE_LEN: 16, A.VALUE: bytes(16)}, "TEMPLATE_INCONSISTENT"),
        (OPEN_SECRET | {A.VALUE_LEN: 16, A.KEY_TYPE: 0x15}, "TEMPLATE_INCONSISTENT"),
        (OPEN_SECRET | {A.KEY_TYPE: CKK_SM4}, "TEMPLATE_INCONSISTENT"),
        (OPEN_SECRET | {A.VALUE_LEN: 16, A.ALLOWED_MECHANISMS: (0x80000107).to_bytes(8, "little")}, "TEMPLATE_INCONS"),
    ],
    ids=range(8),
)
def test_a_template_that_does_not_fit_is_refused(
    token: CryptokiSession, template: dict[int, bytes | bool | int | str], rv: str
) -> None:
    parameter = Agreement(
        INITIATOR, import_sm2(token, R_A), None, 0, None, 0, P_B, len(P_B), E_B, len(E_B), None
    )  # fmt: skip
    with pytest.raises(CryptokiError, match=rv):
        token.derive(mechanism(SM2_AGREEMENT, parameter), import_sm2(token, D_A), template)


def test_a_parameter_of_another_size_is_refused(token: CryptokiSession) -> None:
    key, handle = import_sm2(token, D_A), ctypes.c_ulong()
    for how in (mechanism(SM2_AGREEMENT), mechanism(SM2_AGREEMENT, bytes(87)), mechanism(SM2_AGREEMENT, bytes(89))):
        template = attributes(OPEN_SECRET | {A.VALUE_LEN: 16})
        rv = token.call("DeriveKey", ctypes.byref(how), key, *template, ctypes.byref(handle))
        assert rv == Rv.MECHANISM_PARAM_INVALID
