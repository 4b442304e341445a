"""The pages as a person meets them, in the system's Chromium: on a phone, by keyboard, in both languages."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.serving import served
from support.workplace import Workplace, sample_rows, write_rows

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_PROGRAM = Path(__file__).parent


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a walk through the pages of a new installation with one licence has seen."""
    chromium, npm = shutil.which("chromium"), shutil.which("npm")
    if chromium is None or npm is None:
        pytest.skip("Chromium or Node.js is not installed")
    folder = tmp_path_factory.mktemp("browser")
    workplace = Workplace(folder)
    assert workplace.demo(write_rows(folder / "rows.csv", sample_rows(1))).returncode == 0
    subprocess.run([npm, "ci", "--ignore-scripts"], cwd=_PROGRAM, check=True, capture_output=True)
    licence = workplace.report["licences"][0]
    sealed = workplace.out / licence["files"][0]["file"]
    changed = bytearray(sealed.read_bytes())
    changed[len(changed) // 2] ^= 1
    (folder / "changed.ofd").write_bytes(changed)
    passwords = (workplace.data / "secrets" / "administrator-passwords.txt").read_text().split()
    with served(workplace) as address:
        settings = {
            "XINYIN_ADDRESS": address,
            "XINYIN_TOKEN": licence["verification_address"].rsplit("/", 1)[-1],
            "XINYIN_FILE": str(sealed),
            "XINYIN_CHANGED": str(folder / "changed.ofd"),
            "XINYIN_USERNAME": "operator",
            "XINYIN_PASSWORD": passwords[passwords.index("operator") + 1],
            "XINYIN_ADMIN_PASSWORD": passwords[passwords.index("admin") + 1],
            "XINYIN_NEW_PASSWORD": "correct horse battery staple",
            "XINYIN_CHROMIUM": chromium,
            "XINYIN_PICTURES": str(folder),
        }
        done = workplace.program(["node", "walk.mjs"], cwd=_PROGRAM, environment=settings)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_a_citizen_sees_on_a_phone_whether_the_licence_stands(walked: dict[str, Any]) -> None:
    chinese, english = walked["seen"]["licence-zh"], walked["seen"]["licence-en"]
    assert "证照有效" in chinese["verdict"]
    assert "This licence is valid" in english["verdict"]
    assert (chinese["language"], english["language"]) == ("zh-CN", "en")


def test_an_uploaded_file_is_told_from_its_altered_copy(walked: dict[str, Any]) -> None:
    good, bad = walked["seen"]["file"]["verdict"], walked["seen"]["changed-file"]["verdict"]
    assert good
    assert bad
    assert good != bad


def test_an_unknown_number_is_said_and_not_an_error_page(walked: dict[str, Any]) -> None:
    assert walked["seen"]["unknown"]["heading"]


def test_an_operator_logs_in_by_keyboard_suspends_and_logs_out(walked: dict[str, Any]) -> None:
    seen = walked["seen"]
    assert seen["login"]["heading"] == "登录"
    assert seen["licences"]["heading"] == "电子证照"
    assert seen["suspended"]["badge"] == "已暂扣"
    assert seen["logged-out"]["heading"] == "登录"


def test_a_machine_is_taken_out_and_given_back_and_the_page_tells_by_itself(walked: dict[str, Any]) -> None:
    seen = walked["seen"]
    assert seen["machines"]["heading"] == "加密机"
    assert "machine-2" in seen["drained"]["heading"]
    assert {"停用维护", "交还使用", "恢复"} <= set(seen["resumed"]["events"])
    assert seen["keys"]["heading"] == "密钥"
    assert seen["approvals"]["heading"] == "Approvals"


def test_nothing_overflows_the_screen_and_no_policy_is_broken(walked: dict[str, Any]) -> None:
    assert [name for name, page in walked["seen"].items() if page["overflows"]] == []
    assert walked["refused"] == []
