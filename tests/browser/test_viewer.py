"""The page viewer in Chromium: pages, zoom, search, selection, seals, coverage, phone, keyboard, languages."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ofd.fonts.library import installed_fonts
from ofd.model.document import Document
from ofd.package.reader import Package
from ofd.verify.document import Verification, examine
from ofd.viewer.responding import responder
from ofd.viewer.server import LocalServer
from ofd.viewer.view import DocumentView

from support.ofd_samples import sample_pki, sealed_sample

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_PROGRAM = Path(__file__).parent


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A viewer of a sealed document of two pages."""

    def judge() -> Verification:
        return examine(Package(sealed_sample()), sample_pki().policy())

    with Document.open(sealed_sample()) as document:
        server = LocalServer(responder(DocumentView(document, fonts=installed_fonts(), examine=judge)))
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server.address
        finally:
            server.stop()
            thread.join()
            server.close()


@pytest.fixture(scope="module")
def walked(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a walk through the viewer has seen."""
    chromium, npm, node = (shutil.which(name) for name in ("chromium", "npm", "node"))
    if chromium is None or npm is None or node is None:
        pytest.skip("Chromium or Node.js is not installed")
    folder = tmp_path_factory.mktemp("viewer")
    subprocess.run([npm, "ci", "--ignore-scripts"], cwd=_PROGRAM, check=True, capture_output=True)
    settings = {"XINYIN_ADDRESS": address, "XINYIN_CHROMIUM": chromium, "XINYIN_PICTURES": str(folder)}
    done = subprocess.run(
        [node, "viewer.mjs"],
        cwd=_PROGRAM,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": str(Path(sys.executable).parent), "HOME": str(folder), "XINYIN_WORD": "第二页", **settings},
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_document_is_shown_with_its_verdict(walked: dict[str, Any]) -> None:
    seen = walked["seen"]
    assert (seen["title"], seen["count"], seen["verdict"]) == ("营业执照", "/ 2", "✔ 验证有效")


def test_keys_zoom_fit_and_turn_pages(walked: dict[str, Any]) -> None:
    seen = walked["seen"]
    assert seen["zoomed"] > 1
    assert seen["fitted"] == 1
    assert seen["last"] == "2"


def test_a_word_is_found_marked_and_what_is_not_there_is_said(walked: dict[str, Any]) -> None:
    seen = walked["seen"]
    assert seen["found"] == "第 1 处,共 1 处"
    assert (seen["hits"], seen["cleared"]) == (1, 0)


def test_text_can_be_selected(walked: dict[str, Any]) -> None:
    assert walked["seen"]["selected"] == walked["seen"]["line"] != ""


def test_a_seal_answers_a_key_and_a_tap_with_its_report(walked: dict[str, Any]) -> None:
    seen = walked["seen"]
    assert seen["report"] == "签名 s001"
    assert "某市市场监督管理局" in seen["facts"]
    assert seen["steps"] > 10
    assert seen["closed"] == 0
    assert seen["phoneReport"] == "Signature s001"


def test_the_coverage_picture_is_laid_over_the_page(walked: dict[str, Any]) -> None:
    assert walked["seen"]["covered"] == "true"


def test_the_viewer_speaks_the_readers_language_and_fits_a_phone(walked: dict[str, Any]) -> None:
    seen = walked["seen"]
    assert (seen["language"], seen["english"], seen["chinese"]) == ("en", "✔ Valid", "✔ 验证有效")
    assert not seen["overflows"]
    assert not seen["phoneOverflows"]


def test_no_error_and_no_broken_policy(walked: dict[str, Any]) -> None:
    assert walked["refused"] == []
