"""OpenSSL and BouncyCastle judge what the encryption machines sign through the gateway at ``xinyin serve``.

Keys and application are made for this one judgement, and retired and disabled after it.
"""

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from exhibits import Exhibits, armoured, flipped
from judge_bouncycastle import JARS, compiled
from served import ROOT, command, free_port, served
from verdict import Verdict, need, run

SDK = ROOT / "hsm" / "sdk"
SOURCE = Path(__file__).with_name("bouncycastle") / "Signatures.java"
COUNT = 20
ALGORITHMS = {"sm2": ("SM3WITHSM2", ("-sm3", "-sigopt", "distid:1234567812345678")),
              "rsa-2048": ("SHA256WITHRSA", ("-sha256",))}  # fmt: skip
ALTERED = ("changed message", "changed signature", "another message's signature")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """What was signed with one key, as files."""

    algorithm: str
    public_key: Path
    """DER SubjectPublicKeyInfo."""
    genuine: tuple[tuple[Path, Path], ...]
    """Messages and their signatures."""
    altered: tuple[tuple[Path, Path], ...]
    """In the order of :data:`ALTERED`."""


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Sign through the gateway, singly and in a batch, and show both judges the signatures and altered ones."""
    del exhibits
    openssl, java = need("openssl", "openssl"), compiled(SOURCE, scratch)
    port = free_port()
    name = f"judge-{secrets.token_hex(4)}"
    with _registered(name, port) as secret, served(port, scratch / "serve.log") as address:
        signed = _sign(address, name, secret, scratch)
    version = {
        "OpenSSL": run([openssl, "version"]).printed.split()[1],
        "BouncyCastle": JARS[0].resolve().stem.rpartition("-")[2],
    }
    verdicts = []
    for one in signed:
        for software, answers in (
            ("OpenSSL", _openssl(openssl, one, scratch)),
            ("BouncyCastle", _bouncycastle(java, one)),
        ):
            good, bad = answers[: len(one.genuine)], answers[len(one.genuine) :]
            refused = [number for number, answer in enumerate(good) if not answer]
            verdicts.append(
                Verdict(
                    judge=software,
                    version=version[software],
                    judged=f"{len(good)} {one.algorithm} signatures made through the gateway, singly and in a batch",
                    problem=f"signatures {refused} are wrong" if refused else None,
                    tampered=", ".join(ALTERED),
                    tolerated=tuple(what for what, answer in zip(ALTERED, bad, strict=True) if answer),
                )
            )
    return verdicts


@contextmanager
def _registered(name: str, port: int) -> Iterator[str]:
    """Keys and an application with the right to sign with them; yields the application's secret."""
    for algorithm in ALGORITHMS:
        command(["hsm", "key", "generate", f"{name}-{algorithm}", "--algorithm", algorithm], port)
    secret = command(["sso", "client", "add", name, "--scope", "hsm:sign", "--scope", "hsm:read"], port)
    try:
        command(["hsm", "gateway", "grant", name, "--keys", f"{name}-*", "--operation", "sign"], port)
        yield secret
    finally:
        command(["sso", "client", "disable", name], port)
        for algorithm in ALGORITHMS:
            command(["hsm", "key", "retire", f"{name}-{algorithm}", "--yes"], port)


def _sign(address: str, name: str, secret: str, scratch: Path) -> list[_Signed]:
    sys.path.insert(0, str(SDK))
    import xinyin_hsm  # noqa: PLC0415 - the file that integrators copy, found where they would put it

    with xinyin_hsm.Gateway(
        f"{address}/hsm", token_url=f"{address}/sso/token", client_id=name, client_secret=secret
    ) as gateway:
        return [_sign_with(gateway, name, algorithm, scratch) for algorithm in ALGORITHMS]


def _sign_with(gateway: object, name: str, algorithm: str, scratch: Path) -> _Signed:
    key = f"{name}-{algorithm}"
    messages = [f"message {number} {key}".encode() for number in range(COUNT)]
    signatures = [gateway.sign(key, messages[0]), *gateway.sign_many(key, messages[1:])]  # type: ignore[attr-defined]
    folder = scratch / algorithm
    folder.mkdir()
    public_key = folder / "public.der"
    public_key.write_bytes(gateway.public_key(key).der)  # type: ignore[attr-defined]
    genuine = []
    for number, (message, signature) in enumerate(zip(messages, signatures, strict=True)):
        files = folder / f"{number}.message", folder / f"{number}.signature"
        files[0].write_bytes(message)
        files[1].write_bytes(signature.octets)
        genuine.append(files)
    changed = folder / "changed.message", folder / "changed.signature"
    changed[0].write_bytes(flipped(messages[0], -1))
    changed[1].write_bytes(flipped(signatures[0].octets, -1))
    return _Signed(
        algorithm=algorithm,
        public_key=public_key,
        genuine=tuple(genuine),
        altered=((changed[0], genuine[0][1]), (genuine[0][0], changed[1]), (genuine[0][0], genuine[1][1])),
    )


def _openssl(openssl: str, signed: _Signed, scratch: Path) -> list[bool]:
    pem = scratch / f"{signed.algorithm}.pem"
    pem.write_bytes(armoured("PUBLIC KEY", signed.public_key.read_bytes()))
    options = ALGORITHMS[signed.algorithm][1]
    return [
        run([openssl, "dgst", *options, "-verify", pem, "-signature", signature, message]).printed.strip()
        == "Verified OK"
        for message, signature in (*signed.genuine, *signed.altered)
    ]


def _bouncycastle(java: Sequence[str | Path], signed: _Signed) -> list[bool]:
    pairs = [path for pair in (*signed.genuine, *signed.altered) for path in pair]
    answer = run([*java, ALGORITHMS[signed.algorithm][0], signed.public_key, *pairs])
    return [line == "valid" for line in answer.printed.split("\n")[: len(pairs) // 2]]
