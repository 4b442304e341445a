"""Key ceremonies on software machines: reviewed, followed, cut off, gone on with, signed, judged."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from hsm import software
from hsm.core.ceremony import PlannedKey
from hsm.core.ceremony_judgement import verify_transcript
from hsm.core.ceremony_plan import StepKind
from hsm.core.ceremony_print import transcript_html, transcript_markdown
from hsm.core.ceremony_transcript import read_transcript
from hsm.keys.activation import Activation
from hsm.keys.ceremony import Ceremonies
from hsm.keys.ceremony_acts import CeremonyActs
from hsm.keys.ceremony_signing import AUDIT_KEY, AuditSigner
from hsm.keys.ceremony_states import Transcript
from hsm.models import KeyRow
from hsm.service import HsmService
from hsm.settings import HsmSettings
from trustcore.audit import AuditRow, verify_chain
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys, SoftwareKeyWarning
from trustcore.database import Database
from trustcore.errors import ConflictError, ForbiddenError, MalformedError, NotFoundError, RejectedError
from trustcore.report import Status, Verdict
from trustcore.signing import KeyPurpose
from trustcore.x509.build import certificate_tbs, signed
from trustcore.x509.certificate import encode_pem
from trustcore.x509.requests import parse_request

from support.x509_workshop import Workshop

pytestmark = pytest.mark.hsm

SAMPLE = (Path(__file__).parents[2] / "samples" / "ceremony" / "root-ca.toml").read_bytes()
ONE_KEY = SAMPLE[: SAMPLE.rindex(b"[[key]]")]
MASTER, WITNESS, REVIEWER = "赵明", "孙立", "李华"

OpenHsm = Callable[..., AbstractContextManager[HsmService]]


@pytest.fixture
def clock(now: datetime) -> Callable[[], datetime]:
    """A clock that goes on a second at each look."""
    ticks = count()
    return lambda: now + timedelta(seconds=next(ticks))


@pytest.fixture
def service(open_machines: OpenHsm, clock: Callable[[], datetime]) -> Iterator[HsmService]:
    with open_machines(clock=clock) as opened:
        yield opened


@pytest.fixture
def ceremonies(service: HsmService) -> Ceremonies:
    return service.ceremonies


def approve(ceremonies: Ceremonies, data: bytes, names: Sequence[str] = (MASTER, REVIEWER)) -> None:
    for name in names:
        ceremonies.review(data, name, login="tester")


def follow(ceremonies: Ceremonies, identifier: str) -> None:
    for state in ceremonies.steps(identifier):
        if state.confirmed_by is None:
            ceremonies.act(identifier, state.planned.number)
            ceremonies.confirm(identifier, state.planned.number, MASTER)


def hold(ceremonies: Ceremonies, data: bytes = ONE_KEY) -> Transcript:
    approve(ceremonies, data)
    identifier = ceremonies.begin(data, rehearsal=True)
    follow(ceremonies, identifier)
    return ceremonies.transcript(identifier)


def judge(transcript: Transcript, *, trusted: bool = True) -> Any:
    return verify_transcript(
        transcript.data,
        transcript.signature,
        transcript.public_key_der,
        trusted_key_der=transcript.public_key_der if trusted else None,
    )


def test_the_sample_is_held_from_end_to_end(ceremonies: Ceremonies, service: HsmService) -> None:
    transcript = hold(ceremonies, SAMPLE)
    report = judge(transcript)
    assert report.verdict is Verdict.VALID, report.problems
    assert {step.code for step in report.steps if step.status is Status.WARNING} == {"hsm.ceremony.rehearsal"}
    content = read_transcript(transcript.data)
    assert (content["rehearsal"], content["software"]) == (True, True)
    for label in ("ca-sm2-root-2030", "ca-rsa-root-2030"):
        key = service.key(label)
        assert set(key.machines) == {"machine-1", "machine-2", "machine-3"}
        request = parse_request(transcript.requests[label])
        assert request.public_key_der == key.public_key_der
    assert [status.confirmed for status in ceremonies.ceremonies()] == [16]


def test_what_openssl_says_of_a_transcript(ceremonies: Ceremonies, tmp_path: Path) -> None:
    transcript = hold(ceremonies)
    (tmp_path / "t.json").write_bytes(transcript.data)
    (tmp_path / "t.sig").write_bytes(transcript.signature)
    (tmp_path / "key.pem").write_bytes(encode_pem("PUBLIC KEY", transcript.public_key_der))
    command = ["openssl", "dgst", "-sm3", "-verify", "key.pem", "-sigopt", "distid:1234567812345678"]

    def asked() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "-signature", "t.sig", "t.json"], check=False, capture_output=True, text=True, cwd=tmp_path
        )

    assert (asked().returncode, asked().stdout.strip()) == (0, "Verified OK")
    (tmp_path / "t.json").write_bytes(transcript.data + b" ")
    assert asked().returncode == 1
    (label, request), *_ = transcript.requests.items()
    (tmp_path / "request.der").write_bytes(request)
    said = subprocess.run(
        ["openssl", "req", "-in", "request.der", "-inform", "DER", "-verify", "-noout", "-vfyopt",
         "distid:1234567812345678"], check=True, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert "verify OK" in said.stderr + said.stdout, label


def test_who_signed_cannot_be_told_without_the_key(ceremonies: Ceremonies) -> None:
    report = judge(hold(ceremonies), trusted=False)
    assert report.verdict is Verdict.INDETERMINATE
    assert [step.code for step in report.problems] == ["hsm.ceremony.signer"]


def test_a_file_without_two_reviews_is_not_begun(ceremonies: Ceremonies) -> None:
    for names in ((), (MASTER,)):
        approve(ceremonies, ONE_KEY, names)
        with pytest.raises(RejectedError) as caught:
            ceremonies.begin(ONE_KEY, rehearsal=True)
        assert caught.value.code == "hsm.ceremony.not-reviewed"
    assert len(ceremonies.review(ONE_KEY, MASTER, login="other")) == 1, "the same person counts once"


def test_a_stranger_reviews_nothing(ceremonies: Ceremonies) -> None:
    with pytest.raises(RejectedError) as caught:
        ceremonies.review(ONE_KEY, "Mallory", login="tester")
    assert caught.value.code == "hsm.ceremony.reviewer"


@pytest.mark.parametrize("changed", [ONE_KEY + b"\n", ONE_KEY.replace(b'"sm2"', b'"rsa-2048"', 1)])
def test_a_file_changed_after_its_review_is_refused(ceremonies: Ceremonies, changed: bytes) -> None:
    approve(ceremonies, ONE_KEY)
    with pytest.raises(RejectedError) as caught:
        ceremonies.begin(changed, rehearsal=True)
    assert caught.value.code == "hsm.ceremony.changed"


def test_a_ceremony_is_held_once(ceremonies: Ceremonies) -> None:
    transcript = hold(ceremonies)
    with pytest.raises(ConflictError) as caught:
        ceremonies.begin(ONE_KEY, rehearsal=True)
    assert caught.value.code == "hsm.ceremony.finished"
    assert transcript.id in caught.value.detail
    with pytest.raises(ConflictError):
        approve(ceremonies, ONE_KEY)
    assert ceremonies.transcript(transcript.id) == transcript


def test_machines_that_the_file_does_not_name_are_refused(ceremonies: Ceremonies) -> None:
    data = ONE_KEY.replace(b'[[machine]]\nname = "machine-3"\n', b"")
    approve(ceremonies, data)
    with pytest.raises(RejectedError) as caught:
        ceremonies.begin(data, rehearsal=True)
    assert caught.value.code == "hsm.ceremony.machines"
    assert "machine-3" in caught.value.detail


def test_another_machine_than_the_file_describes_stops_the_ceremony(ceremonies: Ceremonies) -> None:
    data = ONE_KEY.replace(b'name = "machine-2"', b'name = "machine-2"\nserial = "0000"')
    approve(ceremonies, data)
    identifier = ceremonies.begin(data, rehearsal=True)
    with pytest.raises(RejectedError) as caught:
        follow(ceremonies, identifier)
    assert caught.value.code == "hsm.ceremony.mismatch"
    state = next(s for s in ceremonies.steps(identifier) if s.planned.subject == "machine-2")
    assert state.differs == ("serial",)
    with pytest.raises(ConflictError) as unfinished:
        ceremonies.transcript(identifier)
    assert unfinished.value.code == "hsm.ceremony.unfinished"


def test_the_true_serial_numbers_are_accepted(ceremonies: Ceremonies, service: HsmService) -> None:
    data = ONE_KEY.decode()
    for name in ("machine-1", "machine-2", "machine-3"):
        serial = service._pool.ask(name, lambda machine: machine.connect()).serial.strip()
        data = data.replace(f'name = "{name}"', f'name = "{name}"\nserial = "{serial}"')
    data = data.replace("rehearsal = true\n", "")
    approve(ceremonies, data.encode())
    identifier = ceremonies.begin(data.encode(), rehearsal=False)
    follow(ceremonies, identifier)
    content = read_transcript(ceremonies.transcript(identifier).data)
    assert (content["rehearsal"], content["software"]) == (False, True)


def test_a_label_that_is_taken_stops_the_ceremony(ceremonies: Ceremonies, service: HsmService) -> None:
    service.generate("ca-sm2-root-2030", KeyAlgorithm.SM2)
    approve(ceremonies, ONE_KEY)
    identifier = ceremonies.begin(ONE_KEY, rehearsal=True)
    with pytest.raises(RejectedError) as caught:
        follow(ceremonies, identifier)
    assert caught.value.code == "hsm.ceremony.mismatch"


@pytest.mark.parametrize("reserved", [False, True])
def test_a_key_made_by_others_meanwhile_is_not_taken_for_the_ceremonys(
    ceremonies: Ceremonies, service: HsmService, reserved: bool
) -> None:
    """Before the step was reserved, or after a process died that had reserved it and made nothing."""
    approve(ceremonies, ONE_KEY)
    identifier = ceremonies.begin(ONE_KEY, rehearsal=True)
    for state in ceremonies.steps(identifier):
        if state.planned.kind is StepKind.GENERATE:
            if reserved:
                ceremonies._reserve(identifier, state.planned.number)
            service.generate(state.planned.subject, KeyAlgorithm.SM2)
            with pytest.raises(ConflictError) as caught:
                ceremonies.act(identifier, state.planned.number)
            assert caught.value.code == "hsm.ceremony.key-exists"
            return
        ceremonies.act(identifier, state.planned.number)
        ceremonies.confirm(identifier, state.planned.number, MASTER)


def test_steps_are_done_and_confirmed_in_order_by_people_who_are_there(ceremonies: Ceremonies) -> None:
    approve(ceremonies, ONE_KEY)
    identifier = ceremonies.begin(ONE_KEY, rehearsal=True)
    for act in (lambda: ceremonies.act(identifier, 2), lambda: ceremonies.confirm(identifier, 1, MASTER)):
        with pytest.raises(ConflictError) as caught:
            act()
        assert caught.value.code == "hsm.ceremony.order"
    ceremonies.act(identifier, 1)
    for stranger in (REVIEWER, "Mallory", ""):
        with pytest.raises(RejectedError) as refused:
            ceremonies.confirm(identifier, 1, stranger)
        assert refused.value.code == "hsm.ceremony.person"
    first = ceremonies.confirm(identifier, 1, WITNESS)
    assert ceremonies.confirm(identifier, 1, MASTER) == first, "the first confirmation stays"
    for number in (0, 99):
        with pytest.raises(NotFoundError):
            ceremonies.act(identifier, number)
    with pytest.raises(NotFoundError):
        ceremonies.steps("20300101-00000000")


def test_two_terminals_at_the_same_ceremony_make_each_key_once(ceremonies: Ceremonies, database: Database) -> None:
    approve(ceremonies, ONE_KEY)

    def terminal() -> Transcript:
        identifier = ceremonies.begin(ONE_KEY, rehearsal=True)
        for state in ceremonies.steps(identifier):
            ceremonies.act(identifier, state.planned.number)
            ceremonies.confirm(identifier, state.planned.number, WITNESS)
        return ceremonies.transcript(identifier)

    with ThreadPoolExecutor(2) as pool:
        first, second = (call.result() for call in [pool.submit(terminal) for _ in range(2)])
    assert first == second
    assert judge(first).verdict is Verdict.VALID
    with database.transaction() as session:
        query = select(func.count()).select_from(KeyRow).where(KeyRow.label.like("ca-%"))
        assert session.scalar(query) == 1


class KilledError(Exception):
    """The process ends here."""


class MortalDatabase:
    """A database whose process dies at the first transaction that writes: just before its commit, or just after it."""

    def __init__(self, database: Database, *, commits: bool) -> None:
        self._database = database
        self._commits = commits

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        written: list[object] = []
        with self._database.transaction() as session:
            event.listen(session, "after_flush", lambda _, context: written.append(context))
            yield session
            if written and not self._commits:
                raise KilledError
        if written:
            raise KilledError


def test_a_ceremony_killed_before_and_after_every_commit_goes_on_and_makes_each_key_once(
    service: HsmService, database: Database
) -> None:
    immortal = service.ceremonies
    approve(immortal, ONE_KEY)
    made: list[str] = []

    def make_key(key: PlannedKey, actor: str) -> None:
        immortal._acts._make_key(key, actor)
        made.append(key.label)

    def process(*, commits: bool) -> Transcript:
        mortal: Any = MortalDatabase(database, commits=commits)
        # As a new process would: nothing is remembered from the one before.
        acts = CeremonyActs(
            mortal, service._pool, service, make_key=make_key, sharing=lambda: None, software=service._pool.names
        )
        ceremonies = Ceremonies(
            mortal,
            acts=acts,
            audit_signer=AuditSigner(service, certificate=lambda: None, clock=immortal._clock),
            random=service.random,
            four_eyes=False,
            clock=immortal._clock,
        )
        try:
            identifier = ceremonies.begin(ONE_KEY, rehearsal=True)
        except ConflictError as error:
            return ceremonies.transcript(str(error.facts["id"]))
        follow(ceremonies, identifier)
        return ceremonies.transcript(identifier)

    deaths, transcript = 0, None
    while transcript is None:
        with suppress(KilledError):
            transcript = process(commits=bool(deaths % 2))
        deaths += transcript is None
    steps = len(immortal.steps(transcript.id))
    assert deaths == 2 * (1 + 3 * steps + 2), "each of these writes was cut off once and then done"
    assert made == ["ca-sm2-root-2030"]
    assert judge(transcript).verdict is Verdict.VALID
    with database.transaction() as session:
        query = select(func.count()).select_from(KeyRow).where(KeyRow.label.like("ca-%"))
        assert session.scalar(query) == 1
        assert verify_chain(session).verdict is Verdict.VALID


def leaves(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values that are no lists and no tables."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    found = False
    for name, value in items:
        found = True
        yield from leaves(value, (*path, name))
    if not found:
        yield path


def changed(content: Any, path: tuple[Any, ...]) -> Any:
    """A copy with another value at ``path``."""
    copy = json.loads(json.dumps(content))
    place = copy
    for name in path[:-1]:
        place = place[name]
    value = place[path[-1]]
    place[path[-1]] = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}0"
    if value in ({}, []):
        place[path[-1]] = {"more": "0"} if value == {} else ["more"]
    return copy


def canonical(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


FREE = {"id", "login", "serial", "manufacturer", "model", "library"}
"""What stands nowhere else, and what a machine said of itself that nobody expected: only the signature protects it."""


def test_a_change_of_any_field_is_found_and_mostly_even_when_it_is_signed_anew(
    ceremonies: Ceremonies, service: HsmService
) -> None:
    transcript = hold(ceremonies)
    content = json.loads(transcript.data)
    assert canonical(content) == transcript.data
    signer = service.signer("pkcs11:object=xinyin-audit;type=private")
    unnoticed = set()
    for path in leaves(content):
        data = canonical(changed(content, path))
        assert data != transcript.data
        report = verify_transcript(
            data, transcript.signature, transcript.public_key_der, trusted_key_der=transcript.public_key_der
        )
        assert "hsm.ceremony.signature" in {step.code for step in report.problems}, path
        anew = verify_transcript(
            data, signer.sign(data), signer.public_key_der, trusted_key_der=transcript.public_key_der
        )
        if anew.verdict is Verdict.VALID:
            unnoticed.add(path[-1])
    assert unnoticed == FREE


def test_another_key_or_a_broken_one_is_found(ceremonies: Ceremonies, service: HsmService) -> None:
    transcript = hold(ceremonies)
    other = service.signer(service.generate("other", KeyAlgorithm.SM2))
    forged = verify_transcript(
        transcript.data, other.sign(transcript.data), other.public_key_der, trusted_key_der=transcript.public_key_der
    )
    assert [step.code for step in forged.problems] == ["hsm.ceremony.signer"]
    for signature, key in ((b"", transcript.public_key_der), (transcript.signature, b""), (b"0" * 70, b"0" * 91)):
        report = verify_transcript(transcript.data, signature, key, trusted_key_der=transcript.public_key_der)
        assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"form":"xinyin-key-ceremony-1"}', b'"\\ud800"']
)
def test_what_is_no_transcript_is_not_valid(data: bytes) -> None:
    assert verify_transcript(data, b"", b"").verdict is Verdict.INVALID
    with pytest.raises(MalformedError) as caught:
        read_transcript(data)
    assert caught.value.code == "hsm.ceremony.transcript"


@pytest.mark.parametrize("value", ["x", 1, None, [], {}, [1], [{}], {"a": "b"}])
def test_fields_of_another_kind_are_judged_and_do_no_harm(ceremonies: Ceremonies, value: object) -> None:
    transcript = hold(ceremonies)
    content = json.loads(transcript.data)
    for path in [(name,) for name in content] + [("steps", 0, name) for name in content["steps"][0]]:
        copy = json.loads(transcript.data)
        (copy if len(path) == 1 else copy["steps"][0])[path[-1]] = value
        report = verify_transcript(canonical(copy), transcript.signature, transcript.public_key_der)
        assert copy == content or report.verdict is Verdict.INVALID, path


def test_a_ceremony_waits_for_the_two_persons_who_have_to_agree(
    open_machines: OpenHsm, clock: Callable[[], datetime]
) -> None:
    with open_machines(HsmSettings(four_eyes=True), clock=clock) as service:
        ceremonies = service.ceremonies
        with pytest.raises(ForbiddenError) as nobody:
            ceremonies.review(ONE_KEY, MASTER, login="cli:root")
        assert nobody.value.code == "hsm.approval.person"
        ceremonies.review(ONE_KEY, MASTER, login="user:zhao")
        with pytest.raises(ConflictError) as twice:
            ceremonies.review(ONE_KEY, REVIEWER, login="user:zhao")
        assert twice.value.code == "hsm.ceremony.same-person"
        ceremonies.review(ONE_KEY, REVIEWER, login="user:li")
        identifier = ceremonies.begin(ONE_KEY, rehearsal=True)
        with pytest.raises(RejectedError) as caught:
            follow(ceremonies, identifier)
        assert caught.value.code == "hsm.approval.needed"
        assert service.find("ca-sm2-root-2030") is None
        (request,) = service.pending()
        for person in ("user:zhao", "user:qian"):
            service.approve(request.id, person)
        follow(ceremonies, identifier)
        assert judge(ceremonies.transcript(identifier)).verdict is Verdict.VALID


def test_a_transcript_is_a_cms_too_when_the_audit_key_has_a_certificate(
    ceremonies: Ceremonies, service: HsmService, tmp_path: Path
) -> None:
    signer = service.signer(service.generate(AUDIT_KEY, KeyAlgorithm.SM2, purpose=KeyPurpose.AUDIT))
    with pytest.warns(SoftwareKeyWarning):
        template = Workshop(SoftwareKeys()).template("Audit", signer, None)
    certificate = signed(certificate_tbs(template), signer)
    service.link_certificate(AUDIT_KEY, certificate)
    transcript = hold(ceremonies)
    assert transcript.cms is not None
    for data, verdict in ((transcript.cms, Verdict.VALID), (b"", Verdict.INVALID), (certificate, Verdict.INVALID)):
        report = verify_transcript(
            transcript.data, transcript.signature, transcript.public_key_der,
            trusted_key_der=transcript.public_key_der, cms_der=data,
        )  # fmt: skip
        assert report.verdict is verdict
    other = verify_transcript(
        transcript.data + b" ", transcript.signature, transcript.public_key_der, cms_der=transcript.cms
    )
    assert "hsm.ceremony.cms" in {step.code for step in other.problems}


def test_limits_keys_that_decrypt_and_shares_are_part_of_a_ceremony(
    open_machines: OpenHsm, clock: Callable[[], datetime], data_dir: Path, database: Database
) -> None:
    text = ONE_KEY.decode().replace('request_subject = "', 'usage_limit = 500\nrequest_subject = "')
    text += '\n[[key]]\nlabel = "kek"\nalgorithm = "sm2"\npurpose = "encryption"\n'
    text += "\n[activation]\nthreshold = 2\nshares = 2\n"
    text += "".join(f'\n[[person]]\nname = "{name}"\nrole = "custodian"\n' for name in ("周", "吴"))
    machines = tuple(m.model_copy(update={"pin_shares": True}) for m in software.software_machines(data_dir))
    settings = HsmSettings(machines=machines, four_eyes=False)
    with open_machines(settings, clock=clock) as service:
        ceremonies = service.ceremonies
        approve(ceremonies, text.encode())
        identifier = ceremonies.begin(text.encode(), rehearsal=True)
        with pytest.raises(RejectedError) as caught:
            follow(ceremonies, identifier)
        assert caught.value.code == "hsm.ceremony.mismatch", "the secret is not shared yet"
        activation = Activation(settings, data_dir=data_dir, database=database, clock=clock, random=service.random)
        activation.commit(activation.share(activation.unsealed_pins(), threshold=2, count=2))
        follow(ceremonies, identifier)
        transcript = ceremonies.transcript(identifier)
        assert judge(transcript).verdict is Verdict.VALID
        assert service.key("ca-sm2-root-2030").usage_limit == 500
        assert service.key("kek").purpose is KeyPurpose.ENCRYPTION
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    assert pin.encode() not in transcript.data


def test_the_printed_transcripts_show_everything_and_mark_the_rehearsal(ceremonies: Ceremonies) -> None:
    transcript = hold(ceremonies)
    content = read_transcript(transcript.data)
    for text in (
        transcript_markdown(content, transcript.file, transcript.data),
        transcript_html(content, transcript.file, transcript.data),
    ):
        assert "REHEARSAL" in text
        for step in content["steps"]:
            assert step["zh"] in text
            assert step["confirmed_at"] in text
        for person in transcript.file.person:
            assert person.name in text
        assert content["file_sm3"] in text


def test_markup_in_a_file_is_text_in_the_page(ceremonies: Ceremonies) -> None:
    data = ONE_KEY.replace("赵明".encode(), b"<script>alert(1)</script>")
    for name in ("<script>alert(1)</script>", REVIEWER):
        ceremonies.review(data, name, login="tester")
    identifier = ceremonies.begin(data, rehearsal=True)
    for state in ceremonies.steps(identifier):
        ceremonies.act(identifier, state.planned.number)
        ceremonies.confirm(identifier, state.planned.number, WITNESS)
    transcript = ceremonies.transcript(identifier)
    content = read_transcript(transcript.data)
    assert "<script>" not in transcript_html(content, transcript.file, transcript.data)
    assert "<script>" not in transcript_markdown(content, transcript.file, transcript.data)


def test_the_audit_trail_tells_of_the_ceremony_without_names(ceremonies: Ceremonies, database: Database) -> None:
    transcript = hold(ceremonies)
    with database.transaction() as session:
        rows = list(session.scalars(select(AuditRow).where(AuditRow.action.like("hsm.ceremony.%"))))
    actions = [row.action for row in rows]
    assert actions[:3] == ["hsm.ceremony.reviewed", "hsm.ceremony.reviewed", "hsm.ceremony.begun"]
    assert actions[-2:] == ["hsm.ceremony.finished", "hsm.ceremony.signed"]
    assert actions.count("hsm.ceremony.step-confirmed") == len(ceremonies.steps(transcript.id))
    told = json.dumps([row.facts for row in rows], ensure_ascii=False)
    assert not any(person.name in told for person in transcript.file.person)


PROCESS = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from hsm.service import open_hsm
from hsm.settings import HsmSettings
from trustcore.database import Database

folder, file = map(Path, sys.argv[1:])
start = datetime(2030, 2, 1, tzinfo=UTC)
clock = lambda: start + timedelta(seconds=time.monotonic())
database = Database(f"sqlite:///{folder / 'test.db'}")
with open_hsm(HsmSettings(), data_dir=folder, database=database, clock=clock) as service:
    ceremonies = service.ceremonies
    identifier = ceremonies.begin(file.read_bytes(), rehearsal=True)
    for state in ceremonies.steps(identifier):
        if state.confirmed_by is None:
            ceremonies.act(identifier, state.planned.number)
            ceremonies.confirm(identifier, state.planned.number, "\\u8d75\\u660e")
    ceremonies.transcript(identifier)
"""


@pytest.mark.slow
def test_processes_that_die_inside_a_machines_call_leave_a_ceremony_that_goes_on(
    open_machines: OpenHsm, data_dir: Path, faults: Path, tmp_path: Path, database: Database
) -> None:
    """The module aborts its process after so many calls: at another place of the ceremony each time."""
    with open_machines() as service:
        approve(service.ceremonies, ONE_KEY)
    file = tmp_path / "ceremony.toml"
    file.write_bytes(ONE_KEY)
    codes = []
    # SoftHSM rewrites this file at each login, in place: a process that dies meanwhile leaves no token (its issue 757).
    tokens = {path: path.read_bytes() for path in (data_dir / "tokens").rglob("token.object")}
    assert len(tokens) == 3
    for calls in (12, 18, 24, 30, 36, 42, None):
        for path, content in tokens.items():
            path.write_bytes(content)
        for token in ("xinyin-1", "xinyin-2", "xinyin-3"):
            (faults / token).unlink(missing_ok=True)
            if calls is not None:
                (faults / token).write_text(f"crash after {calls}")
        ended = subprocess.run(
            [sys.executable, "-c", PROCESS, data_dir, file], check=False, capture_output=True, text=True
        )
        codes.append(ended.returncode)
        if ended.returncode == 0:
            break
    assert codes[-1] == 0, ended.stderr
    assert codes.count(-signal.SIGABRT) >= 3, codes
    with open_machines() as service:
        (status,) = service.ceremonies.ceremonies()
        assert judge(service.ceremonies.transcript(status.id)).verdict is Verdict.VALID
        assert all(result.ok for result in service.self_test())
    with database.transaction() as session:
        query = select(func.count()).select_from(KeyRow).where(KeyRow.label.like("ca-%"))
        assert session.scalar(query) == 1
