from collections.abc import Callable
from pathlib import Path

import pytest

from support.workplace import Workplace, sample_rows, write_rows


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


@pytest.fixture
def export(tmp_path: Path) -> Callable[[int], Path]:
    """A CSV file with the first rows of the sample."""
    return lambda count: write_rows(tmp_path / "rows.csv", sample_rows(count))
