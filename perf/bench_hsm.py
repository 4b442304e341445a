"""Signatures per second through the pool and through the gateway, beside the bare C calls on the same machines."""

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pkcs11
from cffi import FFI
from gmssl.sm2 import CryptSM2
from harness import Contender, Result, measure

from hsm import software
from hsm.core.encoding import SHA256_DIGEST_INFO
from hsm.core.rights import Operation
from hsm.gateway.grants import Grants, NewGrant
from hsm.pkcs11.module import LoadedModule
from hsm.service import HsmService, open_hsm
from hsm.settings import HsmSettings
from hsm.vendors import packaged_profiles
from trustcore import logs
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.native import compile_once
from trustcore.signing import Signer

HERE = Path(__file__).resolve().parent
APPLICATION = "bench"
TOGETHER = 1000
LABELS = {KeyAlgorithm.SM2: "bench-sm2", KeyAlgorithm.RSA_2048: "bench-rsa"}
NAMES = {KeyAlgorithm.SM2: "sm2", KeyAlgorithm.RSA_2048: "rsa2048"}
CORES = 2
DIGEST = bytes(range(32))


def measure_all(*, short: bool) -> Result:
    """Three fresh software machines with the fast arithmetic, and a gateway over them in a process of its own."""
    logs.configure(level="ERROR")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinyin-perf-")))
        service = stack.enter_context(_installation(folder))
        port = stack.enter_context(_gateway(folder))
        bare = Bare(folder)
        stack.callback(bare.close)
        contenders = [
            contender
            for algorithm in LABELS
            for contender in (*bare.contenders(algorithm), *_pool(service, algorithm), *_gateway_rows(port, algorithm))
        ]
        contenders += [*_verification(folder, port, service), _libcrypto(), _gmssl()]
        if short:
            return measure("hsm", contenders, rounds=3, turn_seconds=0.2)
        return measure("hsm", contenders, rounds=9, turn_seconds=1.5)


@contextmanager
def _installation(folder: Path) -> Iterator[HsmService]:
    """Three software machines with one key of each kind, and the rights of the application."""
    os.environ["SOFTGM_ENGINE"] = "native"
    database = Database(f"sqlite:///{folder / 'perf.db'}")
    database.create_tables()
    with open_hsm(HsmSettings(), data_dir=folder, database=database, clock=_now) as service:
        for algorithm, label in LABELS.items():
            service.generate(label, algorithm)
        rights = NewGrant(
            application=APPLICATION, keys="bench-*", operations=frozenset({Operation.SIGN, Operation.VERIFY})
        )
        Grants(database, _now).grant(rights, actor="bench")
        yield service
    database.close()


def _now() -> datetime:
    return datetime.now(UTC)


class Bare:
    """The module that the pool uses too, called from C in a loop, and from python-pkcs11 as it comes."""

    def __init__(self, folder: Path) -> None:
        self._ffi = FFI()
        self._ffi.cdef("""
        unsigned long C_GetFunctionList(void **list);
        unsigned long loops_sign(void *module, unsigned long session, unsigned long key, unsigned long number,
                                 const char *data, unsigned long length, int count);
        """)
        source = {"loops.c": (HERE / "pkcs11_loops.c").read_bytes()}
        headers = ("/usr/include/p11-kit-1",)
        self._loops: Any = self._ffi.dlopen(
            str(compile_once(folder / "cache", "pkcs11-loops", source, headers=headers))
        )
        self._module = LoadedModule(software.machine_source(folder))
        library: Any = self._ffi.dlopen(self._module.library.so)
        found = self._ffi.new("void **")
        if library.C_GetFunctionList(found):
            raise SystemExit("the module has no functions")
        self._functions = found[0]
        token = self._module.library.get_token(token_label="xinyin-1")
        self._sessions = [token.open(rw=True) for _ in range(CORES)]
        self._threads = ThreadPoolExecutor(CORES)

    def close(self) -> None:
        """Give the module back."""
        self._threads.shutdown()
        self._module.close()

    def contenders(self, algorithm: KeyAlgorithm) -> list[Contender]:
        """C_SignInit and C_Sign, in one thread and in as many as there are cores; and python-pkcs11."""
        name = NAMES[algorithm]
        if algorithm is KeyAlgorithm.SM2:
            number, data = int(packaged_profiles()["softgm"].sm2_sign_digest or 0), DIGEST
        else:
            number, data = int(pkcs11.Mechanism.RSA_PKCS), SHA256_DIGEST_INFO + DIGEST
        keys = [
            session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=LABELS[algorithm])
            for session in self._sessions
        ]

        def loop(which: int, count: int) -> None:
            session, key = self._sessions[which], keys[which]
            if self._loops.loops_sign(
                self._functions, session.handle, key.handle, number, data, len(data), max(count, 1)
            ):
                raise SystemExit("the bare call failed")

        def many(count: int) -> None:
            list(self._threads.map(lambda which: loop(which, count // CORES), range(CORES)))

        def plain(count: int) -> None:
            for _ in range(count):
                keys[0].sign(data, mechanism=pkcs11.Mechanism(number))

        return [
            Contender(name=f"bare C call, {name}", run=lambda count: loop(0, count)),
            Contender(name=f"bare C call, {name}, {CORES} threads", run=many),
            Contender(name=f"python-pkcs11, {name}", run=plain, floor=f"bare C call, {name}"),
        ]


def _pool(service: HsmService, algorithm: KeyAlgorithm) -> list[Contender]:
    """One signature after the other from one caller and from eight, and many in one call."""
    name = NAMES[algorithm]
    signer = _signer(service, algorithm)
    threads = ThreadPoolExecutor(8)

    def single(count: int) -> None:
        for _ in range(count):
            signer.sign_digest(DIGEST)

    def eight(count: int) -> None:
        list(threads.map(lambda _: single(max(count // 8, 1)), range(8)))

    def many(count: int) -> None:
        for start in range(0, count, TOGETHER):
            size = min(TOGETHER, count - start)
            if len(signer.sign_many([DIGEST] * size)) != size:
                raise SystemExit("signatures are missing")

    bare, peer = f"bare C call, {name}", f"python-pkcs11, {name}"
    return [
        Contender(name=f"pool-single-{name}", run=single, floor=bare, peer=peer),
        Contender(name=f"pool-eight-{name}", run=eight, floor=f"{bare}, {CORES} threads", peer=peer),
        Contender(name=f"pool-{name}", run=many, floor=f"{bare}, {CORES} threads", peer=peer),
    ]


def _signer(service: HsmService, algorithm: KeyAlgorithm) -> Signer:
    uri = service.find(LABELS[algorithm])
    assert uri is not None
    return service.signer(uri)


@contextmanager
def _gateway(folder: Path) -> Iterator[int]:
    """The port of a gateway in a process of its own."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "gateway_server.py"), str(folder), APPLICATION],
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE.parent,
        env=os.environ | {"PYTHONPATH": str(HERE.parent)},
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line.startswith("port "):
                    yield int(line.split()[1])
                    break
            else:
                raise SystemExit("the gateway does not start")
        finally:
            process.terminate()


def _gateway_rows(port: int, algorithm: KeyAlgorithm) -> list[Contender]:
    """One signature for each request, and a thousand."""
    name, key = NAMES[algorithm], LABELS[algorithm]
    item = {"digest_base64": base64.b64encode(DIGEST).decode()}
    connection = HTTPConnection("127.0.0.1", port)

    def single(count: int) -> None:
        body = json.dumps({"key": key, **item})
        for _ in range(count):
            _ask(connection, "/v1/sign", body)

    def batch(count: int) -> None:
        for start in range(0, count, TOGETHER):
            size = min(TOGETHER, count - start)
            answer = _ask(connection, "/v1/sign/batch", json.dumps({"key": key, "items": [item] * size}))
            if answer["signed"] != size:
                raise SystemExit("signatures are missing")

    return [
        Contender(name=f"gateway-single-{name}", run=single, floor=f"pool-single-{name}"),
        Contender(name=f"gateway-batch-{name}", run=batch, floor=f"pool-{name}"),
    ]


def _ask(connection: HTTPConnection, path: str, body: str) -> dict[str, Any]:
    connection.request("POST", path, body, {"Content-Type": "application/json", "Authorization": "Bearer bench"})
    answer = connection.getresponse()
    document: dict[str, Any] = json.loads(answer.read())
    if answer.status != 200:
        raise SystemExit(f"the gateway answers {answer.status}: {document}")
    return document


def _verification(folder: Path, port: int, service: HsmService) -> list[Contender]:
    """SM2 signatures verified in software, as the whole product does it, and through the gateway."""
    signer = _signer(service, KeyAlgorithm.SM2)
    point = sm2.public_point(signer.public_key_der)
    signature = signer.sign_digest(DIGEST)
    items = [sm2.Signed(point, DIGEST, signature)] * TOGETHER

    def native(verify: Callable[[int], None]) -> Callable[[int], None]:
        def turn(count: int) -> None:
            sm2.use_native(folder / "cache")
            verify(count)
            sm2.use_libcrypto()

        return turn

    def one(count: int) -> None:
        if not all(sm2.verify_digest(point, DIGEST, signature) for _ in range(count)):
            raise SystemExit("a signature is wrong")

    def many(count: int) -> None:
        for start in range(0, count, TOGETHER):
            if not all(sm2.verify_digests(items[: min(TOGETHER, count - start)])):
                raise SystemExit("a signature is wrong")

    connection = HTTPConnection("127.0.0.1", port)
    question = {
        "digest_base64": base64.b64encode(DIGEST).decode(),
        "signature_base64": base64.b64encode(signature).decode(),
    }

    def gateway(count: int) -> None:
        for start in range(0, count, TOGETHER):
            size = min(TOGETHER, count - start)
            body = json.dumps({"key": LABELS[KeyAlgorithm.SM2], "items": [question] * size})
            if not all(result["valid"] for result in _ask(connection, "/v1/verify/batch", body)["results"]):
                raise SystemExit("a signature is wrong")

    theirs = "libcrypto, verify SM2"
    return [
        Contender(name=theirs, run=one),
        Contender(name="verify-sm2", run=native(many), peer=theirs),
        Contender(name="verify-sm2, one by one", run=native(one), peer=theirs),
        Contender(name="gateway-batch-verify-sm2", run=gateway, floor=theirs),
    ]


def _libcrypto() -> Contender:
    private, _ = sm2.generate()

    def sign(count: int) -> None:
        for _ in range(count):
            sm2.sign_digest(private, DIGEST)

    return Contender(name="libcrypto, sign SM2", run=sign)


def _gmssl() -> Contender:
    private, point = sm2.generate()
    signer = CryptSM2(private_key=private.hex(), public_key=point[1:].hex())

    def sign(count: int) -> None:
        for _ in range(count):
            signer.sign(DIGEST, secrets.token_hex(31))

    return Contender(name="gmssl, sign SM2", run=sign)
