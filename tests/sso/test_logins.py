"""Passwords, throttling, sessions: single-sign-on.md §5.2."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from argon2 import extract_parameters

from sso.core import passwords, throttle
from sso.core.passwords import HashParameters
from sso.core.roles import Role
from sso.hashing import PasswordHasher
from sso.logins import Credentials
from sso.service import LoginNeeded, Redirect
from trustcore.audit import rows
from trustcore.errors import (
    BusyError,
    ConflictError,
    MalformedError,
    NotFoundError,
    RejectedError,
    UnauthenticatedError,
)

from support.identity import PASSWORD, World

WRONG = "wrong"


def attempt(world: World, *, username: str = "alice", password: str = WRONG, address: str = "192.0.2.7") -> str:
    """The code of the refusal, or ``in``."""
    try:
        world.service.login(Credentials(username=username, password=password, address=address), previous=None)
    except RejectedError as error:
        return error.code
    return "in"


def test_the_right_password_opens_and_a_wrong_one_does_not(world: World) -> None:
    assert attempt(world, password=PASSWORD) == "in"
    assert attempt(world, username="ALICE", password=PASSWORD) == "in"
    for wrong in ("", PASSWORD + " ", PASSWORD[:-1], PASSWORD.upper()):
        assert attempt(world, password=wrong) == "sso.login.refused"


def test_unknown_and_stopped_people_are_told_the_same_and_cost_the_same_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """“27. … constant work for unknown user”: one password is hashed in either case."""
    hashes: list[str] = []
    real = passwords.verify_secret
    monkeypatch.setattr(passwords, "verify_secret", lambda *given: hashes.append("one") or real(*given))
    world.add_person("bob")
    world.service.accounts.disable("bob", actor="test")
    for username in ("alice", "nobody", "bob", "", "汉字", "a" * 10_000, "\ud800"):
        hashes.clear()
        assert attempt(world, username=username, password=PASSWORD + "!") == "sso.login.refused"
        assert hashes == ["one"], username
    assert attempt(world, username="bob", password=PASSWORD) == "sso.login.refused"


def admitted(world: World, *, username: str, address: str = "192.0.2.7") -> bool:
    """Whether a login would get as far as its password being looked at; it counts as a failed one."""
    credentials = Credentials(username=username, password=WRONG, address=address)
    try:
        world.service._logins._admit(credentials, world.clock.now)
    except RejectedError as error:
        assert error.code == "sso.login.throttled"  # noqa: PT017 - the other outcome is no error
        return False
    return True


def test_after_five_wrong_passwords_each_further_one_doubles_the_wait(world: World) -> None:
    """“28. … limit attempts per account”; nobody is locked out for good."""
    for _ in range(5):
        assert attempt(world) == "sso.login.refused"
    waits = []
    for _ in range(12):
        with pytest.raises(RejectedError) as caught:
            world.service.login(Credentials(username="alice", password=PASSWORD, address="198.51.100.9"), previous=None)
        assert caught.value.code == "sso.login.throttled"  # even the right one, even from elsewhere
        waits.append(int(caught.value.facts["retry_after_seconds"]))
        world.clock.advance(seconds=waits[-1])
        assert admitted(world, username="alice")
    assert waits[:4] == [3, 5, 9, 17]
    assert max(waits) == 901
    world.clock.advance(minutes=16)
    assert attempt(world, password=PASSWORD) == "in"
    assert attempt(world) == "sso.login.refused"


def test_accounts_that_do_not_exist_are_throttled_alike(world: World) -> None:
    outcomes = [attempt(world, username="nobody", address=f"192.0.2.{n}") for n in range(6)]
    assert outcomes == ["sso.login.refused"] * 5 + ["sso.login.throttled"]


def test_an_address_that_tries_many_accounts_is_throttled(world: World) -> None:
    outcomes = [admitted(world, username=f"user{n}", address=f"2001:db8::{n}") for n in range(32)]
    assert outcomes == [True] * 30 + [False] * 2
    assert attempt(world, password=PASSWORD, address="2001:db8:0:1::1") == "in"
    assert attempt(world, password=PASSWORD, address="2001:db8::ffff") == "sso.login.throttled"


def test_one_right_login_does_not_wipe_out_what_its_address_did(world: World) -> None:
    for n in range(29):
        assert admitted(world, username=f"user{n}")
    assert attempt(world, password=PASSWORD) == "in"
    assert [admitted(world, username=f"other{n}") for n in range(2)] == [True, False]


def test_of_16_parallel_guesses_five_are_tried(world: World) -> None:
    start = Barrier(16)

    def guess(number: int) -> str:
        start.wait()
        return attempt(world, address=f"192.0.2.{number}")

    with ThreadPoolExecutor(16) as pool:
        outcomes = Counter(pool.map(guess, range(16)))
    assert outcomes == {"sso.login.refused": 5, "sso.login.throttled": 11}


def test_old_failures_are_forgotten(world: World) -> None:
    for _ in range(4):
        attempt(world)
    world.clock.advance(hours=24, seconds=1)
    assert [attempt(world) for _ in range(5)] == ["sso.login.refused"] * 5


def test_the_delay_never_exceeds_its_limit() -> None:
    for rule in (throttle.ACCOUNT, throttle.ADDRESS):
        delays = [throttle.delay_after(failures, rule) for failures in range(10_000)]
        assert delays == sorted(delays)
        assert delays[0] == timedelta(0)
        assert delays[-1] == rule.longest_delay


def test_addresses_count_as_networks_give_them_out() -> None:
    assert throttle.address_key("2001:db8::1") == throttle.address_key("2001:db8::ffff%eth0")
    assert throttle.address_key("2001:db8::1") != throttle.address_key("2001:db8:0:1::1")
    assert throttle.address_key("::ffff:192.0.2.1") == throttle.address_key("192.0.2.1")
    assert throttle.address_key("unix") == throttle.address_key("")


def test_a_login_gets_a_new_session_and_the_one_before_dies(world: World) -> None:
    """“22. New session id at login …; old id dead”."""
    first = world.session()
    credentials = Credentials(username="alice", password=PASSWORD, address="192.0.2.1")
    second = world.service.login(credentials, previous=first)
    assert second != first
    assert isinstance(world.service.authorize(world.query(), cookie=first), LoginNeeded)
    assert isinstance(world.service.authorize(world.query(), cookie=second), Redirect)


def test_a_session_that_somebody_planted_is_not_taken_over(world: World) -> None:
    credentials = Credentials(username="alice", password=PASSWORD, address="192.0.2.1")
    planted = "A" * 43
    assert world.service.login(credentials, previous=planted) != planted
    assert isinstance(world.service.authorize(world.query(), cookie=planted), LoginNeeded)


def test_the_database_holds_nothing_that_opens_a_session(world: World) -> None:
    """“23. ≥128-bit opaque server-side session”."""
    cookie = world.session()
    code = world.code(cookie)
    assert len(cookie) >= 43
    world.database.close()
    content = b"".join(file.read_bytes() for file in _files(world))
    for secret in (cookie, code, world.secret, PASSWORD):
        assert secret.encode() not in content


def _files(world: World) -> list[Path]:
    database = Path(str(world.database.engine.url.database))
    return list(database.parent.glob(f"{database.name}*"))


def test_a_one_time_password_lets_one_choose_another_and_nothing_else(world: World) -> None:
    once = world.service.accounts.add("carol", display_name="李雷", roles=[Role.OPERATOR], actor="test")
    assert attempt(world, username="carol", password=once) == "sso.login.password-change-required"

    def choose(new: str) -> str:
        credentials = Credentials(username="carol", password=once, new_password=new, address="192.0.2.1")
        return world.service.login(credentials, previous=None)

    for new, code in (
        ("short", "sso.password.too-short"),
        ("x" * 257, "sso.password.too-long"),
        ("aaaaaaaaaaaaa", "sso.password.guessable"),
        ("carolcarolcarol", "sso.password.guessable"),
        (once, "sso.password.unchanged"),
    ):
        with pytest.raises(RejectedError) as caught:
            choose(new)
        assert caught.value.code == code
    assert isinstance(world.service.authorize(world.query(), cookie=choose("梅花香自苦寒来，宝剑锋从磨砺出")), Redirect)
    assert attempt(world, username="carol", password=once) == "sso.login.refused"
    assert attempt(world, username="carol", password="梅花香自苦寒来，宝剑锋从磨砺出") == "in"


def test_a_one_time_password_expires(world: World) -> None:
    once = world.service.accounts.add("carol", display_name="李雷", roles=[], actor="test")
    world.clock.advance(hours=72)
    assert attempt(world, username="carol", password=once) == "sso.login.one-time-password-expired"


def test_of_parallel_choices_one_wins(world: World) -> None:
    once = world.service.accounts.add("carol", display_name="李雷", roles=[], actor="test")
    start = Barrier(4)

    def choose(number: int) -> str:
        credentials = Credentials(
            username="carol", password=once, new_password=f"another password {number}", address="192.0.2.1"
        )
        start.wait()
        try:
            world.service.login(credentials, previous=None)
        except RejectedError as error:
            return error.code
        return "in"

    with ThreadPoolExecutor(4) as pool:
        assert Counter(pool.map(choose, range(4))) == {"in": 1, "sso.login.refused": 3}


def test_a_reset_ends_every_session(world: World) -> None:
    """“25. … disable user ⇒ all sessions dead ≤5 s”: at once, tokens included."""
    cookie = world.session()
    bearer = f"Bearer {world.redeem(world.code(cookie))['access_token']}"
    assert world.service.userinfo(bearer)
    world.service.accounts.reset_password("Alice", actor="test")
    assert isinstance(world.service.authorize(world.query(), cookie=cookie), LoginNeeded)
    with pytest.raises(UnauthenticatedError):
        world.service.userinfo(bearer)
    assert attempt(world, password=PASSWORD) == "sso.login.refused"


def test_a_password_that_is_reset_while_it_is_being_checked_opens_nothing(world: World) -> None:
    real = world.service._logins._hasher

    class ResetMeanwhile:
        def verify(self, encoded: str | None, password: str) -> bool:
            world.service.accounts.reset_password("alice", actor="test")
            return real.verify(encoded, password)

        def is_outdated(self, encoded: str) -> bool:
            return real.is_outdated(encoded)

    world.service._logins._hasher = ResetMeanwhile()
    assert attempt(world, password=PASSWORD) == "sso.login.refused"


def test_a_stopped_person_is_out_at_once(world: World) -> None:
    cookie = world.session()
    bearer = f"Bearer {world.redeem(world.code(cookie))['access_token']}"
    world.service.accounts.disable("alice", actor="test")
    assert isinstance(world.service.authorize(world.query(), cookie=cookie), LoginNeeded)
    with pytest.raises(UnauthenticatedError):
        world.service.userinfo(bearer)


def test_the_three_administrators_are_three_people(world: World) -> None:
    both = [Role.SYSTEM_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR]
    with pytest.raises(RejectedError) as caught:
        world.service.accounts.add("dave", display_name="D", roles=both, actor="test")
    assert caught.value.code == "sso.user.roles-not-separate"
    assert world.service.accounts.add(
        "dave", display_name="D", roles=[Role.AUDIT_ADMINISTRATOR, Role.OPERATOR], actor="test"
    )


def test_accounts_refuse_what_makes_no_sense(world: World) -> None:
    for username in ("", "a b", "a\n", "a" * 65, "<script>"):
        with pytest.raises(MalformedError):
            world.service.accounts.add(username, display_name="X", roles=[], actor="test")
    for name in ("", " ", "a\nb", "x" * 101):
        with pytest.raises(MalformedError):
            world.service.accounts.add("erin", display_name=name, roles=[], actor="test")
    with pytest.raises(ConflictError):
        world.service.accounts.add("ALICE", display_name="X", roles=[], actor="test")
    with pytest.raises(NotFoundError):
        world.service.accounts.reset_password("nobody", actor="test")


def test_an_administrator_is_made_once(world: World) -> None:
    once = world.service.ensure_administrator("admin")
    assert once is not None
    assert world.service.ensure_administrator("Admin") is None
    assert attempt(world, username="admin", password=once) == "sso.login.password-change-required"


def test_the_audit_trail_tells_of_logins_without_names_or_secrets(world: World) -> None:
    """“36. Audit: every decision, no tokens/ID numbers, tamper-evident chain”."""
    attempt(world, username="alice")
    attempt(world, username="hunter2-typed-in-the-wrong-field")
    world.redeem(world.code(world.session()))
    with world.database.transaction() as session:
        found = rows(session, limit=500)
    actions = [row.action for row in found]
    for action in (
        "sso.login.failed",
        "sso.login.succeeded",
        "sso.code.issued",
        "sso.token.issued",
        "sso.client.added",
    ):
        assert action in actions
    told = " ".join(f"{row.actor} {row.subject} {row.facts}" for row in found)
    for hidden in ("alice", "hunter2", "王芳", world.secret, PASSWORD):
        assert hidden not in told


def test_password_hashing_has_the_owasp_cost() -> None:
    encoded = passwords.digest("x", salt=bytes(16), parameters=HashParameters())
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not passwords.is_outdated(encoded, HashParameters())
    weaker = passwords.digest("x", salt=bytes(16), parameters=HashParameters(memory_kib=8192, passes=1))
    assert passwords.is_outdated(weaker, HashParameters())


def test_the_hash_of_nobody_costs_as_much_as_any_and_matches_nothing() -> None:
    real = passwords.digest("x", salt=bytes(16), parameters=HashParameters())
    nobodys = passwords.unmatched(random=bytes(passwords.UNMATCHED_BYTES), parameters=HashParameters())
    assert extract_parameters(nobodys) == extract_parameters(real)
    assert not passwords.verify(nobodys, "x")
    assert not passwords.verify(nobodys, "")


def test_a_password_is_the_same_from_every_keyboard_and_is_never_cut() -> None:
    parameters = HashParameters(memory_kib=64, passes=1)
    composed = passwords.digest("caf\u00e9", salt=bytes(16), parameters=parameters)
    assert passwords.verify(composed, "cafe\u0301")
    longest = passwords.digest("x" * 256, salt=bytes(16), parameters=parameters)
    assert passwords.verify(longest, "x" * 256)
    assert not passwords.verify(longest, "x" * 257)
    assert not passwords.verify(longest, "x" * 255)


@pytest.mark.parametrize(
    "good",
    ["correct horse battery staple", "梅花香自苦寒来，宝剑锋从磨砺出", "zq7!kd02mmp1", "my xinyin is very dear to me"],
)
def test_good_passwords_pass(good: str) -> None:
    passwords.check_policy(good, username="alice")


@pytest.mark.parametrize(
    "bad", ["password12345", "Administrator1", "xinyin2026!!!!"[:13], "abababababab", "alicealice123", "1234567890ab"]
)
def test_guessable_passwords_do_not(bad: str) -> None:
    with pytest.raises(RejectedError) as caught:
        passwords.check_policy(bad, username="alice")
    assert caught.value.code == "sso.password.guessable"


def test_too_many_logins_at_once_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sso.hashing._WAIT_SECONDS", 0.01)
    hasher = PasswordHasher(bytes, concurrent=1)
    with hasher._admission(), pytest.raises(BusyError):
        hasher.digest("x")


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(Credentials(username="alice", password="secret-one", new_password="secret-two", address=""))
    assert "secret" not in shown
