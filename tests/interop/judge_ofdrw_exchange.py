"""Documents go both ways: what ofdrw seals and signs, ``xinyin ofd verify`` judges, and what we make, ofdrw judges.

ofdrw's keys, certificates, seals and revocation list are made by BouncyCastle (``ofdrw/src``), so nothing of ours is on
that side. Of what we make, every form that ofdrw has a container for is shown to it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import ofdrw_peer
from exhibits import Exhibits, altered_member, flipped
from foreign_samples import Sample, sealed_samples
from verdict import Verdict, run

XINYIN = Path(sys.executable).with_name("xinyin")
JUDGE = "ofdrw"
_FORMS = {
    "v1": "seal of GM/T 0031-2014",
    "v4": "seal of GB/T 38540-2020",
    "twice": "two seals, continue mode, one of each generation",
    "riding": "riding seal",
    "35275": "Type=Sign, GB/T 35275 with the digest attached",
    "pkcs9": "Type=Sign, GB/T 35275 detached with attributes",
    "digital": "Type=Sign, bare SM2 signature, the certificate named beside it",
}
"""What ``OfdSealer`` writes, by file name."""


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Judge both directions."""
    scratch = scratch / "ofdrw-exchange"
    scratch.mkdir(parents=True, exist_ok=True)
    return [*_theirs(exhibits, scratch), *_ours(scratch)]


def _theirs(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    unsealed = scratch / "unsealed.ofd"
    samples = sealed_samples()
    unsealed.write_bytes(samples.unsealed)
    picture = scratch / "seal.png"
    picture.write_bytes(samples.picture)
    made = run([*ofdrw_peer.PROJECT.command("OfdSealer"), unsealed, picture, scratch], timeout=300)
    return [_judged_by_us(scratch / f"{name}.ofd", says, scratch, made.last_line()) for name, says in _FORMS.items()]


def _judged_by_us(file: Path, says: str, scratch: Path, last_words: str) -> Verdict:
    trust = ["--trust", scratch / "root.der", "--crl", scratch / "root.crl", "--signer", scratch / "signer.der"]

    def refused(path: Path) -> str | None:
        answer = run([XINYIN, "ofd", "verify", path, *trust, "--json"])
        return None if answer.status == 0 else answer.output[-300:]

    if not file.is_file():
        return _verdict(f"made by ofdrw, judged by `xinyin ofd verify`: {says}", f"not made: {last_words}", {}, refused)
    altered = {
        name: altered_member(file, scratch / f"{file.stem}-{name}.ofd", suffix, lambda data: flipped(data, -30))
        for name, suffix in (("page", "Content.xml"), ("Signature.xml", "Signature.xml"), ("value", "SignedValue.dat"))
    }
    return _verdict(f"made by ofdrw, judged by `xinyin ofd verify`: {says}", refused(file), altered, refused)


def _ours(scratch: Path) -> list[Verdict]:
    return [_judged_by_ofdrw(sample, scratch) for sample in sealed_samples().sealed]


def _judged_by_ofdrw(sample: Sample, scratch: Path) -> Verdict:
    file = scratch / f"ours-{sample.name}.ofd"
    file.write_bytes(sample.package)
    picture = scratch / f"ours-{sample.name}.png"

    def refused(path: Path) -> str | None:
        answer = ofdrw_peer.ask(path, sample.container)
        return None if answer.get("seal_valid") is True else str(answer.get("problem"))

    drawn = ofdrw_peer.ask(file, sample.container, picture)
    shown = drawn.get("rendered") is True and drawn.get("stamps") == sample.stamps
    problem = refused(file) or (None if shown else str(drawn))
    altered = {
        name: altered_member(file, scratch / f"ours-{sample.name}-{name}.ofd", suffix, lambda data: flipped(data, -30))
        for name, suffix in (("page", "Content.xml"), ("value", "SignedValue.dat"))
    }
    return _verdict(f"made by Xinyin, opened, drawn and verified by ofdrw: {sample.says}", problem, altered, refused)


def _verdict(
    judged: str, problem: str | None, altered: dict[str, Path], refused: Callable[[Path], str | None]
) -> Verdict:
    return Verdict(
        judge=JUDGE,
        version=ofdrw_peer.PROJECT.version(),
        judged=judged,
        problem=problem,
        tampered=", ".join(altered) or "—",
        tolerated=tuple(name for name, path in altered.items() if refused(path) is None),
    )
