from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner, Result

from ofd.cli.app import build_cli
from ofd.cli.terminal import refusals

from support.ofd_samples import VERIFIED_AT
from support.scenes import picture


def clock() -> datetime:
    return VERIFIED_AT


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build_cli(clock), [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path, sealed: bytes) -> Path:
    path = tmp_path / "licence.ofd"
    path.write_bytes(sealed)
    return path


def test_pages_become_pictures_in_a_folder(file: Path, tmp_path: Path) -> None:
    assert run("render", file, "--out", tmp_path, "--dpi", 25.4).exit_code == 0
    for page in (1, 2):
        with Pillow.open(tmp_path / f"licence-{page}.png") as picture:
            assert picture.size == (210, 297)


def test_one_page_becomes_the_file_that_is_named(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "one.svg"
    assert run("render", file, "-o", out, "--pages", "2").exit_code == 0
    assert out.read_text(encoding="utf-8").startswith("<svg ")


def test_a_region_without_background_and_seals(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "part.png"
    options = ("--pages", 1, "--dpi", 25.4, "--region", "150,230,42,42", "--transparent", "--no-seals")
    assert run("render", file, "-o", out, *options).exit_code == 0
    with Pillow.open(out) as picture:
        assert picture.size == (42, 42)
        assert picture.getchannel("A").getextrema() == (0, 0)


def test_pages_become_one_pdf(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages.pdf"
    assert run("render", file, "-o", out, "--pages", "1-").exit_code == 0
    assert out.read_bytes().startswith(b"%PDF-1.7")


def test_pages_become_one_html_file(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages.html"
    assert run("render", file, "-o", out).exit_code == 0
    assert out.read_bytes().count(b"<svg ") == 2


def test_an_unknown_format_is_asked_for(file: Path, tmp_path: Path) -> None:
    result = run("render", file, "-o", tmp_path / "pages.xyz")
    assert result.exit_code == 64
    assert "--format" in result.stderr
    assert run("render", file, "-o", tmp_path / "pages.xyz", "--format", "pdf").exit_code == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--pages", "3"),
        ("--pages", "0"),
        ("--pages", "2-1"),
        ("--pages", "x"),
        ("--region", "1,2,3"),
        ("--region", "a,b,c,d"),
        ("--region", "0,0,0,5"),
    ],
)
def test_wrong_usage_exits_with_64(file: Path, tmp_path: Path, options: tuple[str, str]) -> None:
    assert run("render", file, "-o", tmp_path / "x.png", *options).exit_code == 64
    assert not (tmp_path / "x.png").exists()


def test_a_file_that_is_missing_exits_with_64_and_one_that_is_no_document_with_1(tmp_path: Path) -> None:
    assert run("render", tmp_path / "none.ofd").exit_code == 64
    (tmp_path / "bad.ofd").write_bytes(b"no package")
    result = run("render", tmp_path / "bad.ofd")
    assert result.exit_code == 1
    assert "bad.ofd" in result.stderr


def test_there_and_back_again(file: Path, tmp_path: Path) -> None:
    assert run("convert", file).exit_code == 0
    pdf = tmp_path / "licence.pdf"
    assert pdf.read_bytes().startswith(b"%PDF-1.7")
    again = tmp_path / "again.ofd"
    assert run("convert", pdf, "-o", again).exit_code == 0
    result = run("text", again)
    assert result.exit_code == 0
    assert "有限公司" in result.stdout


def test_a_document_becomes_html_where_the_name_says_so(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "licence.HTML"
    assert run("convert", file, "-o", out, "--pages", "1").exit_code == 0
    assert out.read_bytes().startswith(b"<!DOCTYPE html>")


def test_pictures_become_one_document(tmp_path: Path) -> None:
    for name, form in (("one.png", "PNG"), ("two.jpg", "JPEG")):
        (tmp_path / name).write_bytes(picture(form))
    assert run("convert", tmp_path / "one.png", tmp_path / "two.jpg").exit_code == 0
    assert run("render", tmp_path / "one.ofd", "-o", tmp_path, "--dpi", 30).exit_code == 0
    assert (tmp_path / "one-2.png").exists()


def test_documents_are_converted_one_at_a_time(file: Path, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(picture("PNG"))
    for others in ((file, file), (file, tmp_path / "one.png"), (tmp_path / "one.png", file)):
        assert run("convert", *others).exit_code == 64
    assert run("convert", tmp_path / "none.pdf").exit_code == 64


def test_a_file_is_only_replaced_when_told_to(file: Path, tmp_path: Path) -> None:
    pdf = tmp_path / "licence.pdf"
    pdf.write_bytes(b"mine")
    assert run("convert", file).exit_code == 64
    assert pdf.read_bytes() == b"mine"
    assert run("convert", file, "--force").exit_code == 0
    assert pdf.read_bytes().startswith(b"%PDF-1.7")


def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bad.ofd").write_bytes(b"no package")
    assert run("convert", tmp_path / "bad.ofd").exit_code == 1
    (tmp_path / "bad2.pdf").write_bytes(b"%PDF-1.7 nothing")
    assert run("convert", tmp_path / "bad2.pdf").exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.ofd", "bad2.pdf"]


def test_a_folder_that_is_missing_is_told_by_the_name_of_the_file(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "none" / "page.png"
    result = run("render", file, "-o", out, "--pages", 1)
    assert result.exit_code == 64
    assert f"{out}:" in result.stderr


def test_a_reader_that_has_had_enough_is_no_fault_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), refusals(tmp_path):
        raise BrokenPipeError
