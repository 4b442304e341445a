"""The page about OFD documents is true: its commands are run on a licence of the demonstration."""

import pytest

from support.console_page import DOCS, wrong_commands
from support.workplace import Workplace, sample_rows, write_rows

pytestmark = [pytest.mark.hsm, pytest.mark.slow]


def test_every_command_of_the_page_prints_what_the_page_says(workplace: Workplace) -> None:
    page = (DOCS / "ofd.md").read_text("utf-8")
    assert page.count("\n$ ") > 20
    assert workplace.demo(write_rows(workplace.path / "rows.csv", sample_rows(1))).returncode == 0
    folder = workplace.path / "page"
    folder.mkdir()
    licence = next((workplace.out / "licences").glob("*.ofd"))
    (folder / "licence.ofd").write_bytes(licence.read_bytes())
    (folder / "sm2-root.pem").write_bytes((workplace.out / "trust" / "sm2-root.pem").read_bytes())
    assert (
        wrong_commands(page, folder=folder, environment={**workplace.environment, "COLUMNS": "120"}, replace={}) == []
    )
