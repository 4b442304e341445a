"""openid-client, a certified relying party that is not ours, against a provider on a real port."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from sso.applications import Registration
from sso.core.roles import Role
from sso.service import SsoService
from sso.settings import SsoSettings
from sso.web.api import create_api
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database

JUDGE = Path(__file__).parent.parent / "interop" / "openid-client"
CALLBACK = "http://127.0.0.1:9/callback"
GOODBYE = "http://127.0.0.1:9/goodbye"

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not installed"),
]


@pytest.fixture
def environment(database: Database, software_keys: SoftwareKeys) -> Iterator[dict[str, str]]:
    """A provider that listens, and the judge's settings for it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        public_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = SsoSettings(public_url=public_url)
        service = SsoService(database, software_keys, lambda: datetime.now(UTC), os.urandom, settings)
        registration = Registration(
            client_id="judge",
            name="openid-client",
            redirect_uris=(CALLBACK,),
            post_logout_redirect_uris=(GOODBYE,),
            scopes=frozenset({"openid", "profile", "roles"}),
        )
        secret = service.applications.register(registration, actor="test")
        password = service.accounts.add("Judge", display_name="裁判", roles=[Role.OPERATOR], actor="test")
        app = FastAPI()
        app.mount("/sso", create_api(service))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield {
            "XINYIN_ISSUER": f"{public_url}/sso",
            "XINYIN_CLIENT_ID": "judge",
            "XINYIN_CLIENT_SECRET": secret or "",
            "XINYIN_REDIRECT_URI": CALLBACK,
            "XINYIN_POST_LOGOUT_REDIRECT_URI": GOODBYE,
            "XINYIN_USERNAME": "Judge",
            "XINYIN_PASSWORD": password,
            "XINYIN_NEW_PASSWORD": "an entirely different one",
        }
        server.should_exit = True
        thread.join(timeout=10)


def test_openid_client_goes_through_a_login_and_refuses_what_was_altered(environment: dict[str, str]) -> None:
    if not (JUDGE / "node_modules" / "openid-client").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=JUDGE, check=True, capture_output=True)
    done = subprocess.run(
        ["node", "judge.mjs"], cwd=JUDGE, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["agrees"], done.stdout
    assert done.returncode == 0
    assert len(report["accepted"]) == 6
    assert len(report["refused"]) == 8
    assert {one["altered"] for one in report["refused"] if "ID token" in one["altered"]} == {
        "ID token with one bit of its signature flipped",
        "ID token of another subject",
        "ID token with alg none",
    }
