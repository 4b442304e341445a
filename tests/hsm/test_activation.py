"""PINs that custodians unlock: shared, given, wrong, taken away; with real tokens behind them."""

import functools
import json
import re
import stat
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from typer.testing import CliRunner

from hsm import software
from hsm.cli import build_cli
from hsm.core.sealed_pins import SealedPins, open_pins, seal_pins
from hsm.core.shamir import Share
from hsm.keys.activation import Activation, _file_system, sharing_facts
from hsm.service import HsmService, open_hsm
from hsm.settings import HsmSettings
from trustcore.audit import AuditRow
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.database import Database
from trustcore.errors import BusyError, MalformedError, NotFoundError, RejectedError, TrustError

OpenHsm = Callable[..., AbstractContextManager[HsmService]]

NOW = datetime.fromisoformat("2030-01-15T09:30:00+00:00")
PINS = {"machine-1": "planted-pin-1", "machine-2": "planted-pin-2"}


numbers = count()


def random(length: int) -> bytes:
    """Foreseeable, and other octets at each call."""
    return (sm3(str(next(numbers)).encode()) * (length // 32 + 1))[:length]


def sealed_and_shares(threshold: int = 2, number: int = 3) -> tuple[SealedPins, tuple[Share, ...]]:
    return seal_pins(PINS, threshold=threshold, count=number, at=NOW, random=random)


def test_k_shares_open_the_pins_and_the_file_is_read_as_it_was_written() -> None:
    sealed, shares = sealed_and_shares()
    read = SealedPins.from_bytes(sealed.to_bytes())
    assert read == sealed
    for chosen in ((shares[0], shares[1]), (shares[2], shares[0]), shares):
        assert open_pins(read, chosen) == PINS
    assert not any(pin.encode() in sealed.to_bytes() for pin in PINS.values())


def test_a_share_that_was_never_issued_is_noticed_before_any_pin_is_opened() -> None:
    sealed, shares = sealed_and_shares()
    forged = Share(set_id=sealed.set_id, threshold=2, index=3, value=bytes(16))
    with pytest.raises(RejectedError) as caught:
        open_pins(sealed, (shares[0], forged))
    assert caught.value.code == "hsm.share.wrong"
    assert "No PIN was tried" in caught.value.detail


def test_shares_of_another_set_too_few_and_twice_are_refused() -> None:
    sealed, shares = sealed_and_shares()
    _, others = sealed_and_shares()
    for chosen, code in (
        ((shares[0], others[1]), "hsm.share.other-set"),
        (others[:2], "hsm.share.other-set"),
        ((shares[0],), "hsm.share.too-few"),
        ((shares[0], shares[0]), "hsm.share.duplicate"),
    ):
        with pytest.raises(RejectedError) as caught:
            open_pins(sealed, chosen)
        assert caught.value.code == code


@pytest.mark.parametrize("field", ["set", "threshold", "shares", "made_at", "salt", "check", "pins"])
def test_a_change_of_any_field_of_the_file_is_noticed(field: str) -> None:
    sealed, shares = sealed_and_shares()
    content = json.loads(sealed.to_bytes())
    value = content[field]
    if field == "pins":
        content[field] = {"machine-1": value["machine-2"], "machine-2": value["machine-1"]}
    elif isinstance(value, int):
        content[field] = value + 1
    else:
        content[field] = value.replace(value[0], "2" if value[0] != "2" else "3", 1)
    changed = SealedPins.from_bytes(json.dumps(content).encode())
    with pytest.raises((RejectedError, MalformedError)):
        open_pins(changed, shares)


@given(at=st.integers(0, 2000), octet=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_file_opens_nothing_else(at: int, octet: int) -> None:
    sealed, shares = sealed_and_shares()
    data = sealed.to_bytes()
    at %= len(data)
    try:
        pins = open_pins(SealedPins.from_bytes(data[:at] + bytes([octet]) + data[at + 1 :]), shares[:2])
    except TrustError:
        return
    assert pins == PINS


def test_a_number_without_end_in_the_file_is_refused() -> None:
    sealed, _ = sealed_and_shares()
    with pytest.raises(MalformedError):
        SealedPins.from_bytes(sealed.to_bytes().replace(b'"threshold": 2', b'"threshold": Infinity'))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b'{"form": 1}', b"[" * 100_000])
def test_what_is_no_file_of_pins_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        SealedPins.from_bytes(data)
    assert caught.value.code == "hsm.activation.file"


def test_nothing_secret_is_in_a_representation() -> None:
    sealed, shares = sealed_and_shares()
    assert shares[0].value.hex() not in repr(shares)
    assert repr(shares[0].value) not in repr(shares)
    assert "pins" not in repr(sealed)


# With tokens


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, as /run is."""
    with TemporaryDirectory(dir="/dev/shm", prefix="xinyin-test-") as folder:
        yield Path(folder) / "run"


@pytest.fixture
def shared(data_dir: Path, memory: Path) -> HsmSettings:
    """Machines 2 and 3 wait for custodians; machine 1 has its PIN in a file as usual."""
    machines = software.software_machines(data_dir)
    return HsmSettings(
        machines=tuple(
            machine.model_copy(update={"pin_shares": True, "pin_file": memory / machine.name}) if at else machine
            for at, machine in enumerate(machines)
        )
    )


@pytest.fixture
def activation(shared: HsmSettings, data_dir: Path, database: Database, now: datetime) -> Activation:
    return Activation(shared, data_dir=data_dir, database=database, clock=lambda: now, random=random)


@pytest.fixture
def pin(data_dir: Path) -> str:
    return (data_dir / "secrets" / "hsm_pin").read_text().strip()


def split(activation: Activation, pin: str, threshold: int = 2, number: int = 3) -> tuple[Share, ...]:
    new = activation.share({"machine-2": pin, "machine-3": pin}, threshold=threshold, count=number)
    activation.commit(new)
    return new.shares


@pytest.mark.hsm
def test_machines_wait_for_their_custodians_and_the_others_go_on(
    activation: Activation, shared: HsmSettings, open_machines: OpenHsm, pin: str
) -> None:
    shares = split(activation, pin)
    with open_machines(shared) as service:
        states = {state.name: state for state in service.machines()}
        assert states["machine-1"].up
        for name in ("machine-2", "machine-3"):
            assert not states[name].up
            assert "not activated" in states[name].reason
        uri = service.generate("key", KeyAlgorithm.SM2)
        assert service.signer(uri).sign(b"message")
        given = activation.give()
        given.add(shares[2].text())
        given.add(shares[0].text())
        assert given.missing == 0
        assert activation.activate(given) == ("machine-2", "machine-3")
        assert all(state.up for state in service.health()), "they come by themselves"
    for machine in shared.machines[1:]:
        assert stat.S_IMODE(machine.pin_file.stat().st_mode) == 0o600
    assert activation.deactivate() == ("machine-2", "machine-3")
    assert not any(machine.pin_file.exists() for machine in shared.machines[1:])


@pytest.mark.hsm
def test_an_installation_whose_machines_all_wait_says_so_in_one_sentence(
    activation: Activation, shared: HsmSettings, open_machines: OpenHsm, pin: str
) -> None:
    split(activation, pin)
    with pytest.raises(BusyError) as caught, open_machines(HsmSettings(machines=shared.machines[1:])):
        pass
    assert caught.value.code == "hsm.activation.needed"
    assert "xinyin hsm activate" in caught.value.detail
    assert pin not in caught.value.detail


@pytest.mark.hsm
def test_a_server_waits_for_its_custodians(
    activation: Activation, shared: HsmSettings, data_dir: Path, database: Database, pin: str
) -> None:
    shares = split(activation, pin)
    said: list[str] = []

    def custodians_come(error: TrustError) -> None:
        said.append(error.code)
        if len(said) == 2:
            given = activation.give()
            for share in shares[:2]:
                given.add(share.text())
            activation.activate(given)

    with open_hsm(
        HsmSettings(machines=shared.machines[1:]), data_dir=data_dir, database=database, clock=lambda: NOW,
        on_locked=custodians_come,
    ) as service:  # fmt: skip
        assert all(state.up for state in service.machines())
    assert said == ["hsm.activation.needed"] * 2


@pytest.mark.hsm
def test_a_new_set_makes_the_old_shares_void(activation: Activation, pin: str) -> None:
    old = split(activation, pin)
    new = split(activation, pin, threshold=3, number=5)
    given = activation.give()
    assert given.missing == 3
    with pytest.raises(RejectedError) as caught:
        given.add(old[0].text())
    assert caught.value.code == "hsm.share.other-set"
    for share in new[1:4]:
        given.add(share.text())
    assert activation.activate(given)


@pytest.mark.hsm
def test_a_refused_share_changes_nothing(activation: Activation, pin: str) -> None:
    shares = split(activation, pin)
    given = activation.give()
    given.add(shares[0].text())
    for typed in (shares[0].text(), "", "rubbish", shares[1].text()[:-1] + "0" * 2):
        with pytest.raises((RejectedError, MalformedError)):
            given.add(typed)
        assert given.missing == 1
    given.add(shares[1].text())
    assert activation.activate(given)


@pytest.mark.hsm
def test_a_wrong_share_tries_no_pin(activation: Activation, shared: HsmSettings, pin: str) -> None:
    shares = split(activation, pin)
    given = activation.give()
    given.add(shares[0].text())
    given.add(Share(set_id=shares[0].set_id, threshold=2, index=2, value=bytes(16)).text())
    with pytest.raises(RejectedError) as caught:
        activation.activate(given)
    assert caught.value.code == "hsm.share.wrong"
    assert not any(machine.pin_file.exists() for machine in shared.machines[1:])


@pytest.mark.hsm
def test_a_pin_is_not_put_on_a_disk_unless_asked(
    activation: Activation, shared: HsmSettings, data_dir: Path, database: Database, pin: str
) -> None:
    place = data_dir / "pin"
    machines = [machine.model_copy(update={"pin_file": place}) for machine in shared.machines[1:2]]
    on_disk = Activation(
        HsmSettings(machines=tuple(machines)), data_dir=data_dir, database=database, clock=lambda: NOW, random=random
    )
    shares = split(activation, pin)
    given = on_disk.give()
    for share in shares[:2]:
        given.add(share.text())
    if _file_system(place) not in {"tmpfs", "ramfs"}:
        with pytest.raises(RejectedError) as caught:
            on_disk.activate(given)
        assert caught.value.code == "hsm.activation.place"
        assert not place.exists()
    assert on_disk.activate(given, on_disk=True) == ("machine-2",)
    assert place.read_text().strip() == pin


def test_the_file_system_of_a_place_is_found() -> None:
    assert _file_system(Path("/dev/shm/any/where")) == "tmpfs"  # noqa: S108 - only looked at
    assert _file_system(Path("/proc/1")) == "proc"


@pytest.mark.hsm
def test_nothing_is_removed_or_opened_before_it_is_shared(
    activation: Activation, shared: HsmSettings, data_dir: Path, database: Database
) -> None:
    place = shared.machines[1].pin_file
    place.parent.mkdir()
    place.write_text("the only copy")
    for act in (activation.give, activation.deactivate):
        with pytest.raises(NotFoundError) as caught:
            act()
        assert caught.value.code == "hsm.activation.not-shared"
    assert place.read_text() == "the only copy"
    with pytest.raises(RejectedError) as missing:
        activation.share({}, threshold=2, count=3)
    assert missing.value.code == "hsm.activation.pins"
    off = Activation(HsmSettings(), data_dir=data_dir, database=database, clock=lambda: NOW, random=random)
    with pytest.raises(RejectedError) as refused:
        off.give()
    assert refused.value.code == "hsm.activation.off"


@pytest.mark.hsm
@pytest.mark.parametrize("bad", ["", " ", "x" * 1025, "a\nb"])
def test_what_cannot_be_a_pin_is_not_shared(activation: Activation, bad: str) -> None:
    with pytest.raises(RejectedError) as caught:
        activation.share({"machine-2": bad, "machine-3": "1234"}, threshold=2, count=3)
    assert caught.value.code == "hsm.pin.form"


@pytest.mark.hsm
def test_the_trail_tells_of_sets_and_machines_and_of_nothing_secret(
    activation: Activation, database: Database, data_dir: Path, shared: HsmSettings, pin: str
) -> None:
    shares = split(activation, pin)
    facts = sharing_facts(shared, data_dir)
    assert facts == {"threshold": "2", "shares": "3", "set": shares[0].set_id.hex()}
    given = activation.give()
    for share in shares[:2]:
        given.add(share.text())
    activation.activate(given)
    activation.deactivate()
    with database.transaction() as session:
        rows = list(session.scalars(select(AuditRow).where(AuditRow.action.like("hsm.activation.%"))))
    assert [row.action.rpartition(".")[2] for row in rows] == ["shared", "activated", "deactivated"]
    told = json.dumps([[row.subject, row.facts] for row in rows])
    assert pin not in told
    assert not any(share.value.hex() in told for share in shares)


@pytest.fixture
def commands(activation: Activation) -> typer.Typer:
    @contextmanager
    def opened() -> Iterator[Activation]:
        yield activation

    def no_machines() -> Iterator[None]:
        raise AssertionError

    return build_cli(no_machines, opened)  # type: ignore[arg-type]


@pytest.mark.hsm
def test_custodians_type_their_shares_unseen(commands: typer.Typer, activation: Activation, pin: str) -> None:
    shares = split(activation, pin)
    typed = [shares[1].text(), shares[1].text(), "nonsense", shares[0].text().lower()]
    result = CliRunner().invoke(commands, ["activate"], input="\n".join(typed) + "\n")
    assert result.exit_code == 0, result.output
    assert "The same share was given twice." in result.output
    assert "machine-2, machine-3" in result.output
    shown = result.output.upper()
    assert not any(group in shown for share in shares for group in share.text().split("-"))
    assert pin not in result.output
    status = CliRunner().invoke(commands, ["shares", "status"])
    assert status.output.count("active") == 2
    assert "未激活" not in status.output
    assert CliRunner().invoke(commands, ["deactivate"]).exit_code == 0


@pytest.mark.hsm
def test_shares_are_handed_out_one_by_one_and_take_effect_at_the_end(
    commands: typer.Typer, activation: Activation, pin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The custodians' hands and eyes are the terminal's two ends."""
    seen: list[str] = []
    sheets: list[str] = []

    def reads(text: object = "", **_: object) -> None:
        seen.append(str(text))

    def types(text: str, **options: object) -> str:
        if "PIN" in text:
            assert options["hide_input"]
            return pin
        if "Enter" in text:
            seen.clear()
            assert activation.status().sealed is None, "not in force before all have theirs"
            return ""
        assert options["hide_input"]
        sheets.append("-".join(re.findall(r"\b[0-9A-Z]{5}\b", "\n".join(seen))))
        return sheets[-1]

    monkeypatch.setattr(typer, "echo", reads)
    monkeypatch.setattr(typer, "prompt", types)
    result = CliRunner().invoke(commands, ["shares", "split", "--threshold", "2", "--custodians", "3", "--qr"])
    assert result.exit_code == 0, result.exception
    assert len(set(sheets)) == 3
    given = activation.give()
    for sheet in sheets[1:]:
        given.add(sheet)
    assert activation.activate(given) == ("machine-2", "machine-3")


@pytest.mark.hsm
def test_no_secret_is_logged_or_in_an_error(
    activation: Activation, shared: HsmSettings, open_machines: OpenHsm, pin: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Planted: the PIN and every group of the shares. Looked for: all output, logs among it, and every error."""
    shares = split(activation, pin)
    planted = [pin, *(group for share in shares for group in share.text().split("-"))]
    told: list[str] = []

    def attempt(act: Callable[[], object]) -> None:
        try:
            act()
        except TrustError as error:
            told.extend(map(str, (error.detail, error.facts, traceback.format_exception(error))))

    wrong = Share(set_id=shares[0].set_id, threshold=2, index=3, value=bytes(16))
    for typed in ((shares[0].text(), wrong.text()), (shares[0].text()[:-1], ""), (shares[1].text(), shares[2].text())):
        given = activation.give()
        for text in typed:
            attempt(functools.partial(given.add, text))
        attempt(functools.partial(activation.activate, given))
    with open_machines(shared) as service:
        told.append(str(service.machines()))
        activation.deactivate()
        told.append(str(service.health()))
    output = "".join(capfd.readouterr()) + "".join(told)
    assert "hsm.share" in output or "shares" in output
    assert not [secret for secret in planted if secret in output]


@pytest.mark.hsm
def test_a_split_that_is_cut_off_changes_nothing(commands: typer.Typer, activation: Activation, pin: str) -> None:
    shares = split(activation, pin)
    typed = f"{pin}\n{pin}\n{pin}\n{pin}\n\n"
    result = CliRunner().invoke(commands, ["shares", "split", "--threshold", "2", "--custodians", "2"], input=typed)
    assert result.exit_code != 0
    assert pin not in result.output
    given = activation.give()
    for share in shares[:2]:
        given.add(share.text())
    assert activation.activate(given)
