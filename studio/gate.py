"""The gate: one ASGI middleware before pages, Gradio's endpoints, the API and every route of an extension.

It decides who is asking. Owners are signed cookies or HTTP credentials, never a client's own word.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

OWNER_HEADER = b"x-seisei-owner"
HOST_HEADER = b"x-seisei-host"
ARRIVED_HEADER = b"x-seisei-arrived"  # seconds of a steady clock: which of two requests came first
COOKIE = "seisei_session"
SESSION_SECONDS = 30 * 24 * 3600
LOCAL_OWNER = "local"
GUEST = "guest"
FOREIGN = "Another site tried to use this studio; it was refused."
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class Accounts:
    """Who may sign in. The first account is the studio's owner; guests share one password and get an id each."""

    users: dict[str, str] = field(default_factory=dict)
    made_up: bool = False

    @property
    def host(self) -> str:
        return next(iter(self.users), "")

    def check(self, user: str, password: str) -> bool:
        wanted = self.users.get(user)
        given = hashlib.sha256(password.encode()).digest()
        return hmac.compare_digest(given, hashlib.sha256((wanted or secrets.token_hex()).encode()).digest()) and wanted is not None


def read_accounts(auth: str, *, exposed: bool) -> Accounts:
    """user:password pairs separated by commas; made up where the studio is exposed and none are given."""
    pairs = [pair.strip().partition(":") for pair in auth.split(",") if pair.strip()]
    users = {user: password for user, _, password in pairs if user and password}
    if users or not exposed:
        return Accounts(users)
    return Accounts({"owner": secrets.token_urlsafe(9), GUEST: secrets.token_urlsafe(9)}, made_up=True)


class Sessions:
    """Signed cookies; the key is made once and kept in the data folder, readable by its owner only."""

    def __init__(self, data: Path) -> None:
        path = data / "secret.key"
        if not path.exists():
            data.mkdir(parents=True, exist_ok=True)
            path.write_bytes(secrets.token_bytes(32))
            path.chmod(0o600)
        self._key = path.read_bytes()

    def sign(self, owner: str, user: str, now: float | None = None) -> str:
        expires = int((now or time.time()) + SESSION_SECONDS)
        body = base64.urlsafe_b64encode(f"{expires}\n{user}\n{owner}".encode()).decode()
        return f"{body}.{self._mac(body)}"

    def read(self, token: str) -> tuple[str, str] | None:
        """(owner, user) of a valid token."""
        body, _, mac = token.rpartition(".")
        if not body or not hmac.compare_digest(mac.encode(), self._mac(body).encode()):
            return None
        expires, user, owner = base64.urlsafe_b64decode(body).decode().split("\n")
        return (owner, user) if float(expires) > time.time() else None

    def _mac(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()


class Gate:
    """ASGI middleware. Without accounts everybody is the local owner; foreign Host headers are refused then."""

    def __init__(self, app: Callable[..., Awaitable[None]], accounts: Accounts, sessions: Sessions, exposed: bool) -> None:
        self.app, self.accounts, self.sessions, self.exposed = app, accounts, sessions, exposed
        self._failures: dict[str, list[float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        refused = self._refusal(scope, headers)
        if refused:
            return await _answer(scope, send, 403, refused)
        if scope["path"].startswith("/gradio_api/startup-events") and _loopback(scope):
            return await self.app(scope, receive, send)
        if scope["path"] == "/signin" and self.accounts.users:
            return await self._sign_in(scope, receive, send)
        who = self._who(headers)
        if who is None:
            return await self._unknown(scope, headers, send)
        owner, is_host = who
        kept = [(name, value) for name, value in scope["headers"] if name.lower() not in (OWNER_HEADER, HOST_HEADER, ARRIVED_HEADER)]
        kept += [(OWNER_HEADER, quote(owner).encode()), (HOST_HEADER, b"1" if is_host else b"0"), (ARRIVED_HEADER, f"{time.monotonic():.6f}".encode())]
        await self.app(scope | {"headers": kept}, receive, send)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        """What another site makes a browser send along with its name and password, with sign-in too; without one also DNS rebinding."""
        changes = scope.get("method") not in ("GET", "HEAD")
        if self.accounts.users:
            return FOREIGN if changes and _from_elsewhere(headers) else ""
        host = _hostname(headers.get(b"host", b"").decode("latin-1"))
        if host not in ("localhost", "127.0.0.1", "::1", "testserver"):
            return "This studio serves this computer only. Start it with --listen 0.0.0.0 to open it to your network."
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and changes and _hostname(origin.partition("//")[2]) not in ("localhost", "127.0.0.1", "::1"):
            return FOREIGN
        return ""

    def _who(self, headers: dict[bytes, bytes]) -> tuple[str, bool] | None:
        if not self.accounts.users:
            return LOCAL_OWNER, True
        known = self.sessions.read(_cookie(headers, COOKIE))
        if known and known[1] in self.accounts.users:
            return known[0], known[1] == self.accounts.host
        user, password = _credentials(headers.get(b"authorization", b"").decode("latin-1"))
        if self.accounts.check(user, password):
            return self._owner_of(user), user == self.accounts.host
        return None

    def _owner_of(self, user: str) -> str:
        """The studio's owner keeps the history of the days without sign-in; guests get one each at sign-in."""
        return LOCAL_OWNER if user == self.accounts.host else user

    async def _unknown(self, scope: Scope, headers: dict[bytes, bytes], send: Send) -> None:
        if scope["type"] == "http" and b"text/html" in headers.get(b"accept", b"") and scope.get("method") == "GET":
            await _send(send, 303, b"", [(b"location", b"/signin")])
        else:
            await _answer(scope, send, 401, "Sign in first: open the page in a browser, or send user and password with the request.")

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            return await _send(send, 200, _page("").encode(), [(b"content-type", b"text/html; charset=utf-8")])
        form = parse_qs((await _body(receive)).decode("utf-8", "replace"))
        user, password = form.get("user", [""])[0], form.get("password", [""])[0]
        if self._too_many(user):
            return await _send(send, 429, _page("Too many attempts. Wait a minute.").encode(), [(b"content-type", b"text/html; charset=utf-8")])
        if not self.accounts.check(user, password):
            self._failures.setdefault(user, []).append(time.monotonic())
            return await _send(send, 401, _page("User or password is wrong.").encode(), [(b"content-type", b"text/html; charset=utf-8")])
        owner = f"{user}-{secrets.token_hex(8)}" if user == GUEST else self._owner_of(user)
        cookie = f"{COOKIE}={self.sessions.sign(owner, user)}; Path=/; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Lax"
        await _send(send, 303, b"", [(b"location", b"/"), (b"set-cookie", cookie.encode())])

    def _too_many(self, user: str) -> bool:
        recent = [moment for moment in self._failures.get(user, []) if time.monotonic() - moment < 60]
        if recent:
            self._failures[user] = recent
        else:
            self._failures.pop(user, None)
        return len(recent) >= 10


def _hostname(netloc: str) -> str:
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:  # "[": no name at all
        return ""


def _from_elsewhere(headers: dict[bytes, bytes]) -> bool:
    """Whether a browser says so, or, where it says nothing (over plain http), whether the page's site is another one than the name that it asked by.

    A key that a program sends is no password that a browser adds by itself.
    """
    if headers.get(b"authorization", b"").lower().startswith(b"bearer "):
        return False
    if told := headers.get(b"sec-fetch-site"):
        return told == b"cross-site"
    scheme, _, site = headers.get(b"origin", b"").decode("latin-1").partition("://")
    asked = [_hostname(headers[name].decode("latin-1")) for name in (b"host", b"x-forwarded-host") if name in headers]
    return scheme == "http" and b"authorization" in headers and _hostname(site) not in asked


def _loopback(scope: Scope) -> bool:
    return (scope.get("client") or ("",))[0] in ("127.0.0.1", "::1")


def _cookie(headers: dict[bytes, bytes], name: str) -> str:
    try:
        morsel = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _credentials(authorization: str) -> tuple[str, str]:
    """Basic, or Bearer user:password as API clients send a key."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
    elif scheme.lower() != "bearer":
        return "", ""
    user, _, password = value.partition(":")
    return user, password


async def _body(receive: Receive, limit: int = 4096) -> bytes:
    body = b""
    while len(body) < limit:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body[:limit]


async def _answer(scope: Scope, send: Send, status: int, sentence: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4401, "reason": sentence[:120]})
        return
    import json

    code = "sign_in" if status == 401 else "not_allowed"
    body = json.dumps({"error": {"code": code, "message": sentence, "hint": "", "type": code}}).encode()
    await _send(send, status, body, [(b"content-type", b"application/json"), (b"www-authenticate", b'Basic realm="Seisei Studio"')][: 2 if status == 401 else 1])


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


def _page(problem: str) -> str:
    note = f'<p role="alert" class="bad">{html.escape(problem)}</p>' if problem else ""
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Seisei Studio: sign in</title><style>
:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;min-height:100vh;margin:0;background:light-dark(#f6f5f1,#17181b);color:light-dark(#222,#eee)}}
form{{width:min(320px,88vw);padding:28px;border-radius:14px;background:light-dark(#fff,#212327)}}h1{{font-size:20px;margin:0 0 12px}}
label{{display:block;margin:12px 0 4px}}input{{width:100%;box-sizing:border-box;padding:10px;font:inherit;border:1px solid light-dark(#b9b6ad,#5a5d66);border-radius:8px}}
button{{margin-top:18px;width:100%;padding:10px;font:inherit;border:0;border-radius:8px;background:#2f6f62;color:#fff}}.bad{{color:light-dark(#a3271f,#ff9d94)}}
</style><main><form method="post" action="/signin"><h1>生成 Seisei Studio</h1>{note}
<label for="user">User · ユーザー名</label><input id="user" name="user" autocomplete="username" autofocus required>
<label for="password">Password · パスワード</label><input id="password" name="password" type="password" autocomplete="current-password" required>
<button>Sign in · サインイン</button></form></main></html>"""
