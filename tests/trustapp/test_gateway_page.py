"""The page about the gateway is true: its commands are run and what they print is compared."""

import pytest

from support.console_page import DOCS, wrong_commands
from support.serving import served
from support.workplace import Workplace

pytestmark = [pytest.mark.hsm, pytest.mark.slow]


def test_every_command_of_the_page_prints_what_the_page_says(workplace: Workplace) -> None:
    page = (DOCS / "gateway.md").read_text("utf-8")
    assert page.count("\n$ ") > 40
    workplace.environment["XINYIN_HSM__GATEWAY__SVS_KEYS"] = '["letters"]'
    with served(workplace) as address:
        environment = {**workplace.environment, "XINYIN_DATA_DIR": str(workplace.data), "COLUMNS": "200"}
        wrong = wrong_commands(
            page, folder=workplace.path, environment=environment, replace={"http://localhost:8000": address}
        )
    assert wrong == []
