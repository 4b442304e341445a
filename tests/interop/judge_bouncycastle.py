"""BouncyCastle (Debian's packages) judges the SM2 chain, the SM2 revocation list, the seal and a document's seal."""

import json
from collections.abc import Mapping
from pathlib import Path

from exhibits import Exhibits, altered_copy, der, elements, flipped, signed_value
from verdict import Answer, JudgeMissingError, Verdict, need, run

JUDGE = "BouncyCastle"
JARS = tuple(Path("/usr/share/java") / name for name in ("bcprov.jar", "bcpkix.jar", "bcutil.jar"))
SOURCE = Path(__file__).with_name("bouncycastle") / "Judge.java"
PATHS = ("root-certificate", "issuing-certificate", "seal-maker-path", "signer-path")
DOCUMENT = ("document-signature", "embedded-seal", "time-stamp")


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Compile the judge, let it judge the originals, then one altered copy of each."""
    java = compiled(SOURCE, scratch)
    version = run([*java, "--version"]).printed.split()[-1].removeprefix("v")
    originals = {
        "root": exhibits.trust("sm2-root.pem"),
        "issuing": exhibits.trust("sm2-issuing.pem"),
        "crl": exhibits.trust("sm2-issuing.crl"),
        "seal": exhibits.seal,
        "signature": scratch / "SignedValue.dat",
    }
    originals["signature"].write_bytes(signed_value(exhibits.licences[0].ofd))
    answers = _ask(java, originals)
    tolerated = _altered(java, originals, scratch)

    def verdict(judged: str, claims: tuple[str, ...], tampered: str, copies: tuple[str, ...]) -> Verdict:
        problems = [f"{claim}: {answers.get(claim)}" for claim in claims if answers.get(claim) is not True]
        return Verdict(
            judge=JUDGE,
            version=version,
            judged=judged,
            problem="; ".join(problems) or None,
            tampered=tampered,
            tolerated=tuple(copy for copy in copies if copy in tolerated),
        )

    return [
        verdict(
            "SM2 chains of seal maker and seal signer with the root's own signature (PKIX, revocation)",
            PATHS,
            "issuing certificate",
            ("issuing",),
        ),
        verdict("signature of the SM2 revocation list", ("crl",), "revocation list", ("crl",)),
        verdict("SESeal: maker's SM2 signature over eSealInfo", ("seal-signature",), "seal", ("seal", "seal-info")),
        verdict(
            "SES_Signature of an OFD: SM2 over toSign, the seal in it, the SM2 time stamp",
            DOCUMENT,
            "signature value, signed content",
            ("signature", "signed-content"),
        ),
    ]


def compiled(source: Path, scratch: Path) -> list[str]:
    """The command that runs a judge written in Java. Raises ``JudgeMissingError`` without Java or BouncyCastle."""
    javac, java = need("javac", "default-jdk-headless"), need("java", "default-jdk-headless")
    absent = [jar.name for jar in JARS if not jar.is_file()]
    if absent:
        message = (
            f"{', '.join(absent)} not in /usr/share/java (Debian packages libbcprov-java libbcpkix-java libbcutil-java)"
        )
        raise JudgeMissingError(message)
    classes = scratch / "bouncycastle"
    classes.mkdir(parents=True, exist_ok=True)
    path = ":".join(str(jar) for jar in JARS)
    done = run([javac, "-Xlint:all,-path", "-Werror", "-d", classes, "-cp", path, source])
    if done.status != 0:
        message = f"{source.name} does not compile: {done.output}"
        raise RuntimeError(message)
    return [java, "-cp", f"{classes}:{path}", source.stem]


def _ask(java: list[str], files: Mapping[str, Path]) -> dict[str, object]:
    answer: Answer = run([*java, *(files[name] for name in ("root", "issuing", "crl", "seal", "signature"))])
    if answer.status != 0:
        return {"started": answer.last_line()}
    found: dict[str, object] = json.loads(answer.output.splitlines()[-1])
    return found


def _altered(java: list[str], originals: Mapping[str, Path], scratch: Path) -> set[str]:
    """Names of the altered copies that were accepted."""
    copies = scratch / "altered"
    copies.mkdir(exist_ok=True)
    issuing, crl = copies / "issuing.der", copies / "issuing.crl"
    issuing.write_bytes(flipped(der(originals["issuing"]), -1))
    crl.write_bytes(flipped(der(originals["crl"]), -1))
    seal, value = originals["seal"], originals["signature"]
    trials: dict[str, tuple[str, Path, tuple[str, ...]]] = {
        "issuing": ("issuing", issuing, ("issuing-certificate", "seal-maker-path", "signer-path")),
        "crl": ("crl", crl, ("crl", "signer-path")),
        "seal": ("seal", altered_copy(seal, copies / "seal.esl", -1), ("seal-signature",)),
        "seal-info": ("seal", altered_copy(seal, copies / "info.esl", seal.stat().st_size // 2), ("seal-signature",)),
        "signature": ("signature", copies / "value.dat", ("document-signature",)),
        "signed-content": ("signature", copies / "content.dat", ("document-signature",)),
    }
    data = value.read_bytes()
    (copies / "content.dat").write_bytes(flipped(data, len(data) // 3))
    (copies / "value.dat").write_bytes(_other_signature(data))
    accepted = set()
    for name, (role, path, claims) in trials.items():
        answers = _ask(java, {**originals, role: path})
        if any(answers.get(claim) is True for claim in claims):
            accepted.add(name)
    return accepted


def _other_signature(ses_signature: bytes) -> bytes:
    """The SES_Signature with the last bit of its signature BIT STRING turned; the time stamp may follow it."""
    signature = elements(ses_signature)[3]
    return flipped(ses_signature, ses_signature.rindex(signature) + len(signature) - 1)
