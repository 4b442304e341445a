"""What must happen once, on PostgreSQL, where transactions really run beside each other."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from sso.core.errors import OAuthError
from sso.logins import Credentials
from trustcore.audit import verify_chain
from trustcore.errors import RejectedError, UnauthenticatedError
from trustcore.report import Verdict

from support.identity import PASSWORD, World

pytestmark = pytest.mark.postgres


def at_once(count: int, act: Callable[[int], str]) -> Counter[str]:
    start = Barrier(count)

    def one(number: int) -> str:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(one, range(count)))


def test_what_must_happen_once_happens_once(world_on_postgres: World) -> None:
    world = world_on_postgres
    form = world.redemption(world.code(world.session()))
    tokens: list[object] = []

    def redeem(_: int) -> str:
        try:
            tokens.append(world.service.token(form, authorization=None)["access_token"])
        except OAuthError as error:
            return str(error.error)
        return "redeemed"

    assert at_once(12, redeem) == {"redeemed": 1, "invalid_grant": 11}
    with pytest.raises(UnauthenticatedError):
        world.service.userinfo(f"Bearer {tokens[0]}")

    def guess(number: int) -> str:
        credentials = Credentials(username="nobody", password=PASSWORD, address=f"192.0.2.{number}")
        try:
            world.service.login(credentials, previous=None)
        except RejectedError as error:
            return error.code
        return "in"

    assert at_once(12, guess) == {"sso.login.refused": 5, "sso.login.throttled": 7}
    with world.database.transaction() as session:
        assert verify_chain(session).verdict is Verdict.VALID
