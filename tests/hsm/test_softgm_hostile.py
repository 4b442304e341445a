"""Callers that do everything wrong: no C_Initialize, no session, nothing where something is wanted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hsm import software
from hsm.softgm import library_path

pytestmark = pytest.mark.hsm

PROGRAM = """
import ctypes, sys
from pathlib import Path
from support.cryptoki import FUNCTIONS, ULONG, A, Cryptoki, Rv, attributes, mechanism
from support.softgm_numbers import *

module = Cryptoki(Path(sys.argv[1]))
module_pin = sys.stdin.read().strip()
NOT = {"Initialize", "Finalize", "GetFunctionList", "WaitForSlotEvent", "InitToken"}
NO_SESSION = {"GetInfo", "GetSlotList", "GetSlotInfo", "GetTokenInfo", "GetMechanismList", "GetMechanismInfo",
              "OpenSession", "CloseAllSessions"}
ASKED = [name for name in FUNCTIONS if name not in NOT]

def templates():
    secret = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_SM4, A.VALUE: bytes(16)}
    private = {A.CLASS: CKO_PRIVATE_KEY, A.KEY_TYPE: CKK_SM2, A.VALUE: bytes(31) + b"\\1"}
    public = {A.CLASS: CKO_PUBLIC_KEY, A.KEY_TYPE: CKK_SM2, A.EC_POINT: bytes(67)}
    return [attributes(one) for one in (secret, private, public, {A.KEY_TYPE: CKK_SM4})]

NUMBERS = [0x80008001, 0x80008103, 0x80008105, 0x80008201, 0x80008300, 0x80008301, 0x80009001, 0x80009002, 0x80000107,
           0x80000108, 0x80000109, 0x8000A102, 0x8000010A]

def plausible(session):
    handle, other, length = ULONG(), ULONG(), ULONG(64)
    buffer = ctypes.create_string_buffer(64)
    h, o, n = ctypes.byref(handle), ctypes.byref(other), ctypes.byref(length)
    for template in templates():
        yield "CreateObject", session, *template, h
        yield "FindObjectsInit", session, *template
        yield "GetAttributeValue", session, 1, *template
        yield "SetAttributeValue", session, 1, *template
        yield "CopyObject", session, 1, *template, h
        for number in NUMBERS:
            how = ctypes.byref(mechanism(number))
            yield "GenerateKey", session, how, *template, h
            yield "GenerateKeyPair", session, how, *template, *template, h, o
            yield "UnwrapKey", session, how, 1, buffer, 64, *template, h
            yield "DeriveKey", session, how, 1, *template, h
    for number in NUMBERS:
        how = ctypes.byref(mechanism(number))
        for name in ("EncryptInit", "DecryptInit", "SignInit", "VerifyInit", "SignRecoverInit", "VerifyRecoverInit"):
            yield name, session, how, 1
        yield "DigestInit", session, how
        yield "WrapKey", session, how, 1, 1, buffer, n
    yield "FindObjects", session, h, 1, n
    yield "FindObjectsFinal", session
    for name in ("Encrypt", "Decrypt", "Sign", "Digest", "EncryptUpdate", "DecryptUpdate"):
        yield name, session, buffer, 64, buffer, n
    yield "Verify", session, buffer, 64, buffer, 64
    yield "GetOperationState", session, buffer, n
    yield "DigestKey", session, 1
    yield "DestroyObject", session, 1
    yield "GenerateRandom", session, buffer, 64
    yield "Login", session, 1, b"1234", 4
    yield "Logout", session
    yield "CloseSession", session
    yield "OpenSession", 0, 6, None, None, h
    yield "CloseAllSessions", 0
    yield "GetMechanismInfo", 0, 0x80008001, buffer
    yield "GetMechanismList", 0, None, n

def before_the_beginning():
    for call in plausible(1):
        assert module.call(*call) == Rv.CRYPTOKI_NOT_INITIALIZED, call

before_the_beginning()
for name in ASKED:
    assert module.call(name, *([None] * 10)) != Rv.OK, name
module.demand("Initialize", None)
for call in plausible(999999):
    # A slot or length may well be asked for without a session.
    assert module.call(*call) != Rv.OK or call[0] in ("OpenSession", "CloseAllSessions", "GetMechanismInfo",
                                                      "GetMechanismList"), call
session = module.open("xinyin-1", module_pin)
for name in ASKED:
    if name not in NO_SESSION and name not in ("CloseSession", "Logout", "InitPIN", "SetPIN"):
        module.call(name, session.handle, *([None] * 9))
for number in NUMBERS:
    key = make_sm4(session) if number < 0x80008000 or number > 0x80009001 else make_sm2(session)[1]
    how = mechanism(number, bytes(16) if number in (0x80000109, 0x8000A102) else None)
    for name in ("Encrypt", "Decrypt", "Sign", "Verify"):
        for ending in ("", "Update", "Final"):
            if session.call(f"{name}Init", ctypes.byref(how), key) == Rv.OK:
                session.call(f"{name}{ending}", *([None] * 5))
                if ending != "Final":  # where the second argument is a pointer
                    session.call(f"{name}{ending}", None, 5, None, None)
                    session.call(f"{name}{ending}", b"12345", 5, None, None)
        session.call(f"{name}Final", *([None] * 5))
module.demand("Finalize", None)
before_the_beginning()
print("alive")
"""


def test_nothing_that_a_caller_forgets_ends_the_process(data_dir: Path) -> None:
    here = Path(__file__).parents[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(here), str(here.parent))),
        "SOFTHSM2_CONF": str(software.configuration_file(data_dir).absolute()),
    }
    library = os.environ.get("SOFTGM_TEST_LIBRARY") or str(library_path(software.module_cache(data_dir)))
    pin = (data_dir / "secrets" / "hsm_pin").read_text()
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM, library],
        capture_output=True, text=True, check=False, input=pin, env=environment, timeout=240,
    )  # fmt: skip
    assert done.returncode != -signal.SIGSEGV, done.stderr[-3000:]
    assert done.stdout.strip() == "alive", done.stderr[-3000:]
