"""Forms of the report, and the command line that prints them."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from ofd.cli.app import build_cli
from ofd.package.reader import Package, write_package
from ofd.package.source import FileSource
from ofd.sign.parts import SignatureDescription
from ofd.verify.document import examine, verify
from ofd.verify.forms import BLOCKS, detailed_form, simple_form
from ofd.verify.policy import VerificationPolicy
from trustcore.report import Verdict

from support.ofd_samples import VERIFIED_AT, Pki, seal_by_force, unpack
from support.ofd_signing import archive_value, attributes_value, make_ocsp, seal_value, sign_anyhow


def clock() -> datetime:
    return VERIFIED_AT


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build_cli(clock), ["verify", *map(str, arguments)])


@pytest.fixture
def root(tmp_path: Path, pki: Pki) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(pki.root.certificate.pem)
    return path


def saved(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "document.ofd"
    path.write_bytes(data)
    return path


def left_out(*names: str) -> Callable[[SignatureDescription], SignatureDescription]:
    return lambda description: replace(
        description, references=tuple(item for item in description.references if item.name not in names)
    )


def with_chain(pki: Pki) -> VerificationPolicy:
    return replace(pki.policy(crls=pki.crls), intermediates=(pki.issuing.certificate,))


def three_signatures(pki: Pki, document: bytes) -> bytes:
    first = sign_anyhow(document, seal_value(pki), closed=False)
    second = sign_anyhow(first, attributes_value(pki), kind="Sign", closed=False)
    return sign_anyhow(second, archive_value(pki.tsa, at=VERIFIED_AT), kind="Sign", closed=False)


def test_the_simple_form_says_who_when_and_whether(pki: Pki, document: bytes) -> None:
    form = simple_form(examine(three_signatures(pki, document), with_chain(pki)))
    assert form["verdict"] == "valid", form
    seal, sign, archive = form["signatures"]  # type: ignore[misc] # JSON-ready data
    assert (seal["form"], seal["signer"], seal["covers_all"]) == ("seal", "Department", True)
    assert seal["signed_at"] == "2030-01-15T09:30:00Z"
    assert seal["later_changes"] == ["list-extended", "signature-added"]
    assert (sign["form"], sign["verdict"]) == ("sign", "valid")
    assert "seal_name" not in sign
    assert archive["archived_at"] == VERIFIED_AT.isoformat().replace("+00:00", "Z")
    assert json.dumps(form, ensure_ascii=False)


def test_a_broken_signature_does_not_taint_the_verdict_of_another(pki: Pki, document: bytes) -> None:
    files = unpack(sign_anyhow(document, seal_value(pki), closed=False))
    files["Doc_0/Pages/Page_1/Content.xml"] += b" "
    form = simple_form(examine(sign_anyhow(write_package(files), seal_value(pki)), pki.policy()))
    first, second = form["signatures"]  # type: ignore[misc] # JSON-ready data
    assert (first["verdict"], second["verdict"]) == ("invalid", "valid")
    assert [item["code"] for item in first["problems"]] == ["ofd.reference.digest"]
    assert form["verdict"] == "invalid"


def test_the_detailed_form_groups_every_step_once(pki: Pki, document: bytes) -> None:
    result = examine(three_signatures(pki, document), with_chain(pki))
    form = detailed_form(result)
    groups = [*form["signatures"], form["document"]]  # type: ignore[misc] # JSON-ready data
    numbers = [step["number"] for group in groups for block in group["blocks"] for step in block["steps"]]
    assert sorted(numbers) == [step.number for step in result.report.steps]
    seal = groups[0]
    assert [block["block"] for block in seal["blocks"]] == list(BLOCKS)
    assert json.dumps(form, ensure_ascii=False)


def test_what_is_no_document_has_forms_too(pki: Pki) -> None:
    for data in (b"", b"PK", b"%PDF-1.7"):
        result = examine(data, pki.policy())
        assert simple_form(result)["signatures"] == []
        assert simple_form(result)["verdict"] == "invalid"
        assert detailed_form(result)["verdict"] == "invalid"


@pytest.mark.parametrize("form", ["simple", "detailed", "full"])
def test_the_command_prints_every_form_for_people_and_machines(
    tmp_path: Path, root: Path, sealed: bytes, form: str
) -> None:
    file = saved(tmp_path, sealed)
    result = run("--trust", root, "--form", form, file)
    assert result.exit_code == 0
    assert "印章" in result.stdout
    if form == "simple":
        assert "是 yes" in result.stdout, "all that is shown is covered"
        assert "无 none" in result.stdout, "and nothing was changed later"
        assert "True" not in result.stdout
    answer = json.loads(run("--trust", root, "--form", form, "--json", file).stdout)
    assert answer["verdict"] == "valid"
    assert len(answer["sm3"]) == 64


def test_evidence_may_be_given_as_files(tmp_path: Path, root: Path, pki: Pki, document: bytes) -> None:
    paths: list[object] = []
    for option, name, data in (
        ("--ocsp", "a.ocsp", make_ocsp(pki.issuing, pki.signer)),
        ("--ocsp", "b.ocsp", make_ocsp(pki.issuing, pki.maker)),
        ("--ocsp", "c.ocsp", make_ocsp(pki.root, pki.issuing)),
        ("--chain", "issuing.pem", pki.issuing.certificate.pem),
        ("--signer", "signer.pem", pki.signer.certificate.pem),
    ):
        (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
        paths += [option, tmp_path / name]
    bare = saved(tmp_path, sign_anyhow(document, lambda xml, _: pki.signer.signer.sign(xml), kind="Sign"))
    assert run("--trust", root, bare).exit_code == 2
    assert run("--trust", root, *paths, bare).exit_code == 0
    assert run("--trust", root, *paths, "--require-seal", bare).exit_code == 1
    (tmp_path / "a.ocsp").write_bytes(b"no response")
    assert run("--trust", root, *paths, bare).exit_code == 64


def test_pictures_mark_what_is_not_signed(tmp_path: Path, root: Path, pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, change=left_out("Doc_0/Tpls/Tpl_0/Content.xml"))
    told = run("--trust", root, "--pictures", tmp_path / "pictures", saved(tmp_path, data))
    assert told.exit_code == 1
    assert "第 1 页有未签名的内容" in told.stdout
    answer = run("--trust", root, "--pictures", tmp_path / "pictures", "--json", tmp_path / "document.ofd")
    first, second = json.loads(answer.stdout)["pages"]
    assert (first["covered"], second["covered"]) == (False, True)
    assert first["marked"][0]["because"] == ["Doc_0/Tpls/Tpl_0/Content.xml"]
    assert len(first["marked"][0]["box_mm"]) == 4
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["document-1.png", "document-2.png"]
    with Image.open(tmp_path / "pictures" / "document-1.png") as picture:
        red, green, blue = picture.convert("RGB").getpixel((2, picture.height // 2))  # type: ignore[misc] # RGB
    assert red > green + 80
    assert red > blue + 80


def test_pages_may_be_compared_as_readers_draw_them(tmp_path: Path, root: Path, pki: Pki, document: bytes) -> None:
    file = saved(tmp_path, seal_by_force(pki, document))
    answer = run("--trust", root, "--compare", "--json", file)
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["steps"][-1]["code"] == "ofd.differential.pages"
    files = unpack(document)
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(b"Tpls/Tpl_0/", b"tpls/tpl_0/")
    file = saved(tmp_path, seal_by_force(pki, write_package(files)))
    answer = run("--trust", root, "--compare", "--json", file)
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["steps"][-1]["evidence"] == {"pages": "1"}
    assert run("--trust", root, "--compare", saved(tmp_path, b"no package")).exit_code == 1
    assert run("--trust", root, "--compare", saved(tmp_path, write_package({"OFD.xml": b"<OFD/>"}))).exit_code == 1


def test_a_document_is_verified_from_a_file_and_from_an_open_package(tmp_path: Path, pki: Pki, sealed: bytes) -> None:
    file = saved(tmp_path, sealed)
    told: list[tuple[int, int]] = []
    source = FileSource(file)
    report = verify(source, pki.policy(), progress=lambda done, total: told.append((done, total)))
    source.close()
    assert report == verify(sealed, pki.policy())
    assert told[-1] == (len(told), len(told))
    with Package.open(file) as package:
        assert verify(package, pki.policy()).verdict is Verdict.VALID


def test_a_file_that_changes_while_it_is_verified_is_refused(tmp_path: Path, pki: Pki, sealed: bytes) -> None:
    file = saved(tmp_path, sealed)
    source = FileSource(file)
    report = verify(source, pki.policy(), progress=lambda *_: file.write_bytes(sealed + b" "))
    source.close()
    assert report.verdict is Verdict.INVALID


def test_pictures_of_what_cannot_be_drawn_are_left_out_and_the_report_is_there(tmp_path: Path, root: Path) -> None:
    for data in (write_package({"OFD.xml": b"<OFD/>"}), b"no package"):
        answer = run("--trust", root, "--pictures", tmp_path / "pictures", "--json", saved(tmp_path, data))
        assert answer.exit_code == 1
        assert json.loads(answer.stdout)["pages"] == []
