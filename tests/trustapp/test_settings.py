import re
import tomllib
from pathlib import Path

import pytest

from trustapp.settings import Settings, load_settings
from trustapp.settings_sample import sample
from trustcore.errors import MalformedError

_SAMPLE = Path(__file__).parents[2] / "deploy" / "xinyin.sample.toml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_sample_in_the_repository_is_the_one_the_command_prints() -> None:
    assert _SAMPLE.read_text("utf-8") == sample()


def test_every_value_of_the_sample_is_the_default(tmp_path: Path) -> None:
    uncommented = re.sub(r"(?m)^# ([a-z_]+ = )", r"\1", sample())
    assert tomllib.loads(uncommented)
    path = tmp_path / "full.toml"
    path.write_text(uncommented, "utf-8")

    def plain(settings: Settings) -> dict[str, object]:
        return settings.model_dump(mode="json")

    assert plain(load_settings(path)) == plain(load_settings())


def test_every_setting_has_its_manual() -> None:
    for block in sample().split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("[")]
        if any(re.match(r"# [a-z_]+ = ", line) for line in lines):
            assert len(lines) > 1, block


def test_arguments_come_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("xinyin.toml").write_text('public_url = "http://file"\n[ca]\ncrl_lifetime = 7200\n')
    assert load_settings().public_url == "http://file"
    monkeypatch.setenv("XINYIN_PUBLIC_URL", "http://environment/")
    monkeypatch.setenv("XINYIN_CA__CRL_LIFETIME", "PT1H")
    settings = load_settings(data_dir=tmp_path)

    assert settings.public_url == "http://environment"
    assert settings.ca.crl_lifetime.total_seconds() == 3600
    assert settings.data_dir == tmp_path


def test_sections_follow_the_installations_address_unless_they_name_their_own(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('public_url = "https://city.example"\n[ca]\npublic_url = "https://pki.example"\n')
    settings = load_settings(path)

    assert settings.sso.public_url == settings.licence.public_url == "https://city.example"
    assert settings.ca.public_url == "https://pki.example"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('publik_url = "x"', "publik_url"),
        ("[hsm]\nsessions_per_machine = 0", "hsm.sessions_per_machine"),
        ('[log]\nlevel = "LOUD"', "log.level"),
        ("[ca\n", "settings file"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, content: str, named: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    with pytest.raises(MalformedError, match=named):
        load_settings(path)


def test_a_settings_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MalformedError) as caught:
        load_settings(tmp_path / "none.toml")
    assert caught.value.code == "settings.missing"
