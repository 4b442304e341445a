"""softgm with many sessions: threads beside each other, sessions that close in the middle, logging out."""

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cryptoki import RW_SESSION, ULONG, A, CryptokiError, CryptokiSession, Rv, attributes, gcm, mechanism
from support.softgm_numbers import (
    CKK_SM2,
    CKK_SM4,
    SM2_RAW,
    SM3_HMAC,
    SM4_CBC_PAD,
    SM4_GCM,
    import_sm4,
    make_sm2,
    make_sm4,
)

pytestmark = pytest.mark.hsm

THREADS, TURNS = 6, 60
KEY = bytes(range(16))
E = bytes(range(32))


def another(token: CryptokiSession) -> CryptokiSession:
    """A further session with the same token; the login is the application's."""
    handle = ULONG()
    slot = token.module.slot("xinyin-1")
    token.module.demand("OpenSession", slot, RW_SESSION, None, None, ctypes.byref(handle))
    return CryptokiSession(token.module, handle.value)


def test_threads_do_not_mix_their_operations(token: CryptokiSession) -> None:
    public, private = make_sm2(token)
    sm4 = import_sm4(token, KEY)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        session = another(token)
        try:
            for turn in range(TURNS):
                text = f"{number}:{turn}".encode() * (1 + turn % 7)
                how = mechanism(SM4_GCM, gcm(turn.to_bytes(12), text))
                sealed = session.crypt_parts("Encrypt", how, sm4, [text[:3], text[3:]])
                assert session.crypt("Decrypt", how, sm4, b"".join(sealed)) == text
                padded = session.crypt("Encrypt", mechanism(SM4_CBC_PAD, KEY), sm4, text)
                assert session.crypt("Decrypt", mechanism(SM4_CBC_PAD, KEY), sm4, padded) == text
                signature = session.crypt("Sign", mechanism(SM2_RAW), private, E)
                assert session.verify(mechanism(SM2_RAW), public, E, signature) == Rv.OK
                own = make_sm4(session, LABEL=f"of {number}")
                # By label: SoftHSM 2.6.1 mixes up handles when one session finds what another destroys.
                assert session.find({A.KEY_TYPE: CKK_SM4, A.LABEL: f"of {number}"}) == [own]
                session.demand("DestroyObject", own)
                if turn % 10 == 9:  # every key's value is read anew after this
                    session.demand("CloseSession")
                    session = another(token)
        except BaseException as error:  # noqa: BLE001 - told in the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def start(session: CryptokiSession, verb: str, key: int, number: int) -> Callable[[], Rv]:
    """Begin an operation; what is returned goes on with it."""
    session.demand(f"{verb}Init", ctypes.byref(mechanism(number, KEY if number == SM4_CBC_PAD else None)), key)
    buffer, length = ctypes.create_string_buffer(256), ULONG(256)
    return lambda: session.call(verb, E, len(E), buffer, ctypes.byref(length))


def test_closing_all_sessions_ends_their_operations(token: CryptokiSession, data_dir: Path) -> None:
    _, private = make_sm2(token)
    sm4 = make_sm4(token)
    operations = [
        start(token, "Sign", private, SM2_RAW),
        start(token, "Encrypt", sm4, SM4_CBC_PAD),
        start(another(token), "Sign", sm4, SM3_HMAC),
    ]
    token.demand("FindObjectsInit", *attributes({A.KEY_TYPE: CKK_SM2}))
    token.module.demand("CloseAllSessions", token.module.slot("xinyin-1"))
    for go_on in operations:
        assert go_on() in (Rv(0xB3), Rv.OPERATION_NOT_INITIALIZED)  # CKR_SESSION_HANDLE_INVALID
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    fresh = token.module.open("xinyin-1", pin)
    assert fresh.crypt("Encrypt", mechanism(SM4_CBC_PAD, KEY), import_sm4(fresh, KEY), E)


def test_closing_a_session_ends_its_operations_alone(token: CryptokiSession) -> None:
    _, private = make_sm2(token)
    other = another(token)
    here, there = start(token, "Sign", private, SM2_RAW), start(other, "Sign", private, SM2_RAW)
    other.demand("CloseSession")
    assert there() == Rv(0xB3)  # CKR_SESSION_HANDLE_INVALID
    assert here() == Rv.OK


def test_logging_out_takes_the_keys_away(token: CryptokiSession) -> None:
    _, private = make_sm2(token, TOKEN=True)
    sm4 = make_sm4(token, TOKEN=True)
    token.crypt("Sign", mechanism(SM2_RAW), private, E)
    token.demand("Logout")
    for verb, key, number in (("Sign", private, SM2_RAW), ("Sign", sm4, SM3_HMAC), ("Encrypt", sm4, SM4_CBC_PAD)):
        with pytest.raises(CryptokiError, match="KEY_HANDLE_INVALID"):
            start(token, verb, key, number)
    assert token.find({A.KEY_TYPE: CKK_SM4}) == []
