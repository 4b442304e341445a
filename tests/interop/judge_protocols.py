"""OpenSSL's clients speak OCSP and RFC 3161 to ``xinyin serve``; the RSA hierarchy, for the reason in judge_openssl."""

import urllib.request
from pathlib import Path

from exhibits import Exhibits, altered_copy, armoured, first_signature, flipped
from pyhanko.pdf_utils.reader import PdfFileReader
from served import free_port, served
from verdict import Verdict, need, run

JUDGE = "OpenSSL"


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Ask for the status of the document signer, for a time stamp and for the revocation list."""
    openssl = need("openssl", "openssl")
    version = run([openssl, "version"]).printed.split()[1]
    with served(free_port(), scratch / "serve.log") as address:
        return [
            _status(openssl, version, exhibits, scratch, address),
            _time_stamp(openssl, version, exhibits, scratch, address),
        ]


def _status(openssl: str, version: str, exhibits: Exhibits, scratch: Path, address: str) -> Verdict:
    with exhibits.licences[0].pdf.open("rb") as stream:
        certificate_der = first_signature(PdfFileReader(stream)).signer_cert.dump()
    signer, unknown, reply = scratch / "signer.pem", scratch / "unknown.pem", scratch / "reply.ocsp"
    signer.write_bytes(armoured("CERTIFICATE", certificate_der))
    # The same certificate under a serial number that was never given: version and serial stand at its beginning.
    unknown.write_bytes(armoured("CERTIFICATE", flipped(certificate_der, 20)))
    trust = ["-issuer", exhibits.trust("rsa-issuing.pem"), "-CAfile", exhibits.trust("rsa-root.pem")]

    def ask(certificate: Path, *source: str | Path) -> str:
        return run([openssl, "ocsp", *trust, "-cert", certificate, *source]).output

    answer = ask(signer, "-url", f"{address}/ca/ocsp", "-respout", reply)
    is_good = "Response verify OK" in answer and f"{signer}: good" in answer and "no nonce" not in answer
    tolerated = []
    if reply.is_file() and "Response verify OK" in ask(
        signer, "-respin", altered_copy(reply, scratch / "altered", -300)
    ):
        tolerated.append("altered answer")
    if f"{unknown}: good" in ask(unknown, "-url", f"{address}/ca/ocsp"):
        tolerated.append("a certificate that was never issued")
    return Verdict(
        judge=JUDGE,
        version=version,
        judged="OCSP at `xinyin serve`: signed by a delegated responder, with the nonce, document signer is good",
        problem=None if is_good else " ".join(answer.split())[:300],
        tampered="altered answer, certificate that was never issued",
        tolerated=tuple(tolerated),
    )


def _time_stamp(openssl: str, version: str, exhibits: Exhibits, scratch: Path, address: str) -> Verdict:
    data, query, reply = scratch / "data", scratch / "query.tsq", scratch / "reply.tsr"
    data.write_bytes(exhibits.seal.read_bytes())
    run([openssl, "ts", "-query", "-data", data, "-sha256", "-cert", "-out", query])
    request = urllib.request.Request(
        f"{address}/ca/tsa/rsa-issuing",
        data=query.read_bytes(),
        headers={"Content-Type": "application/timestamp-query"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        reply.write_bytes(answer.read())
    trust = ["-CAfile", exhibits.trust("rsa-root.pem"), "-untrusted", exhibits.trust("rsa-issuing.pem")]

    def problem_of(answer: Path, *about: str | Path) -> str | None:
        said = run([openssl, "ts", "-verify", "-in", answer, *about, *trust])
        return None if said.status == 0 and "Verification: OK" in said.output else said.last_line()

    tolerated = []
    if problem_of(altered_copy(reply, scratch / "altered.tsr", -1), "-queryfile", query) is None:
        tolerated.append("altered token")
    if problem_of(reply, "-data", altered_copy(data, scratch / "other", 0)) is None:
        tolerated.append("token over other data")
    return Verdict(
        judge=JUDGE,
        version=version,
        judged="RFC 3161 time stamp at `xinyin serve`: token over the query's digest, nonce, chain to the RSA root",
        problem=problem_of(reply, "-queryfile", query),
        tampered="altered token, token over other data",
        tolerated=tuple(tolerated),
    )
