"""The gate: who may in, who is whom, and what a foreign page or a guessed cookie gets."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.gate import COOKIE, Accounts, Gate, Sessions, read_accounts

PATHS = ["/", "/config", "/gradio_api/info", "/gradio_api/queue/data", "/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/api/v1/status", "/v1/models", "/extension/route"]


async def who(request: Request) -> JSONResponse:
    assert [abs(float(at) - time.monotonic()) < 60 for at in request.headers.getlist("x-seisei-arrived")] == [True]
    return JSONResponse({"owner": request.headers.get("x-seisei-owner"), "host": request.headers.get("x-seisei-host")})


def client(tmp_path: Path, accounts: Accounts, base_url: str = "http://127.0.0.1:7860") -> TestClient:
    app = Starlette(routes=[Route("/{rest:path}", who, methods=["GET", "POST"])], middleware=[Middleware(Gate, accounts=accounts, sessions=Sessions(tmp_path), exposed=bool(accounts.users))])
    return TestClient(app, base_url=base_url, follow_redirects=False)


TWO = {"ann": "secret", "bob": "other"}


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_served_without_sign_in(tmp_path: Path, path: str) -> None:
    assert client(tmp_path, Accounts(TWO)).get(path).status_code == 401


def test_a_browser_is_led_to_the_sign_in_page_and_in(tmp_path: Path) -> None:
    browser = client(tmp_path, Accounts(TWO))
    assert browser.get("/", headers={"accept": "text/html"}).headers["location"] == "/signin"
    assert "password" in browser.get("/signin").text
    assert browser.post("/signin", data={"user": "ann", "password": "wrong"}).status_code == 401
    assert browser.post("/signin", data={"user": "ann", "password": "secret"}).status_code == 303
    assert browser.get("/").json() == {"owner": "local", "host": "1"}


def test_only_the_first_account_is_the_host(tmp_path: Path) -> None:
    api = client(tmp_path, Accounts(TWO))
    assert api.get("/", auth=("bob", "other")).json() == {"owner": "bob", "host": "0"}
    assert api.get("/", headers={"authorization": "Bearer ann:secret"}).json() == {"owner": "local", "host": "1"}
    wrong = base64.b64encode(b"ann:other").decode()
    assert api.get("/", headers={"authorization": f"Basic {wrong}"}).status_code == 401


def test_nobody_names_himself(tmp_path: Path) -> None:
    forged = {"x-seisei-owner": "ann", "x-seisei-host": "1", "x-seisei-arrived": "1"}
    assert client(tmp_path, Accounts(TWO)).get("/", headers=forged, auth=("bob", "other")).json() == {"owner": "bob", "host": "0"}
    assert client(tmp_path, Accounts(TWO)).get("/", headers=forged).status_code == 401


def test_a_changed_or_expired_cookie_is_refused(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    token = sessions.sign("ann", "ann")
    assert sessions.read(token) == ("ann", "ann")
    assert sessions.read(token[:-1] + ("0" if token[-1] != "0" else "1")) is None
    assert sessions.read(sessions.sign("ann", "ann", now=1.0)) is None
    api = client(tmp_path, Accounts(TWO))
    api.cookies.set(COOKIE, "nonsense")
    assert api.get("/").status_code == 401


def test_guests_with_one_password_are_different_people(tmp_path: Path) -> None:
    accounts = Accounts({"owner": "a", "guest": "b"})
    seen = set()
    for _ in range(2):
        browser = client(tmp_path, accounts)
        browser.post("/signin", data={"user": "guest", "password": "b"})
        seen.add(browser.get("/").json()["owner"])
    assert len(seen) == 2


def test_guessing_is_slowed(tmp_path: Path) -> None:
    browser = client(tmp_path, Accounts(TWO))
    codes = [browser.post("/signin", data={"user": "ann", "password": str(n)}).status_code for n in range(11)]
    assert codes == [401] * 10 + [429]


def test_exposure_never_starts_without_sign_in() -> None:
    made = read_accounts("", exposed=True)
    assert made.made_up and len(made.users) == 2 and all(len(password) >= 12 for password in made.users.values())
    assert read_accounts("", exposed=True).users != made.users
    assert read_accounts("", exposed=False).users == {}
    assert read_accounts("ann:secret, bob:other", exposed=True).users == TWO


def test_without_sign_in_this_computer_is_the_host(tmp_path: Path) -> None:
    assert client(tmp_path, Accounts()).get("/").json() == {"owner": "local", "host": "1"}


def test_without_sign_in_foreign_names_and_sites_are_refused(tmp_path: Path) -> None:
    assert client(tmp_path, Accounts(), "http://evil.example").get("/").status_code == 403
    local = client(tmp_path, Accounts())
    assert local.post("/x", headers={"origin": "http://evil.example"}).status_code == 403
    assert local.post("/x", headers={"origin": "http://127.0.0.1:7860"}).status_code == 200
    assert local.post("/x", headers={"origin": "http://[evil"}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "https://studio.example"}, 200),  # behind a tunnel that keeps its own name
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://[evil"}, 403),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"origin": "http://studio.home", "x-forwarded-host": "studio.home"}, 200),
        ({}, 200),
    ],
)
def test_with_sign_in_another_site_can_not_use_the_password_that_a_browser_remembers(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    """HTTP credentials know no SameSite: a browser sends them whoever asks."""
    api = client(tmp_path, Accounts(TWO))
    assert api.post("/x", headers=headers, auth=("bob", "other")).status_code == status
    assert api.get("/x", headers=headers, auth=("bob", "other")).status_code == 200  # a link may lead here


def test_a_program_with_a_key_may_ask_from_any_site(tmp_path: Path) -> None:
    keyed = {"authorization": "Bearer bob:other", "sec-fetch-site": "cross-site", "origin": "https://app.example"}
    assert client(tmp_path, Accounts(TWO)).post("/v1/chat/completions", headers=keyed).json()["owner"] == "bob"


def test_a_cookie_of_odd_letters_is_refused_and_breaks_nothing(tmp_path: Path) -> None:
    answer = client(tmp_path, Accounts(TWO)).get("/", headers={"cookie": f'{COOKIE}="a.\xe9"'.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 401
