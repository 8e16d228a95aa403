"""A studio open to others: the link, the sign-in, everybody's own things; and every door asks, those of Gradio and of extensions too."""

from __future__ import annotations

import http.cookiejar
import json
import re
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from studio.gate import GUEST, Accounts, Gate, Sessions
from tests.running import MODEL, NO_END, Running, running

TUNNEL = """\
    #!{python}
    # Speaks as the tunnel's program does: takes the local port, says the public address, passes bytes both ways.
    import asyncio, sys
    if {refuse}:
        print("login to server failed: no such host", flush=True)
        sys.exit(1)
    local = int(sys.argv[sys.argv.index("-l") + 1])
    async def pass_on(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
    async def visitor(reader, writer):
        inside = await asyncio.open_connection("127.0.0.1", local)
        await asyncio.gather(pass_on(reader, inside[1]), pass_on(inside[0], writer))
    async def main():
        server = await asyncio.start_server(visitor, "127.0.0.1", 0)
        print("start proxy success: http://localhost:%d" % server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()
    asyncio.run(main())
"""


def lay_tunnel(home: Path, *, refuse: bool = False) -> dict[str, str]:
    """A tunnel program where Gradio looks for its own; the environment that points there."""
    from gradio import tunneling

    path = home / "gradio" / "frpc" / tunneling.BINARY_FILENAME
    path.parent.mkdir(parents=True)
    path.write_text(textwrap.dedent(TUNNEL).format(python=sys.executable, refuse=refuse))
    path.chmod(0o755)
    return {"HF_HOME": str(home), "SEISEI_SHARE_SERVER": "127.0.0.1:7000"}


def log_with(studio: Running, sign: str) -> str:
    """The terminal's words once `sign` is among them: the link comes after the first page."""
    deadline = time.monotonic() + 240
    while sign not in (said := (studio.data / "studio.log").read_text()):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return said


class Visitor:
    """A browser of somebody's: its own cookies."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def sign_in(self, user: str, password: str) -> None:
        self.opener.open(self.url + "/signin", urllib.parse.urlencode({"user": user, "password": password}).encode(), timeout=60).close()

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with self.opener.open(urllib.request.Request(self.url + path, data, {"content-type": "application/json"}), timeout=60) as answer:
            return json.load(answer)

    def refused(self, path: str, body: Any = None) -> int:
        with pytest.raises(urllib.error.HTTPError) as told:
            self.ask(path, body)
        told.value.close()
        return told.value.code


@pytest.mark.slow
def test_a_public_link_asks_for_sign_in_and_keeps_people_apart(tmp_path: Path) -> None:
    with running(tmp_path, "--share", env=lay_tunnel(tmp_path / "hub")) as studio:
        said = log_with(studio, f"Sign in as  {GUEST}")
        link = re.findall(r"Public link: (http://localhost:\d+)", said)[0]
        passwords = dict(re.findall(r"Sign in as  (\S+)  with password  (\S+)", said))
        assert set(passwords) == {"owner", GUEST}
        stranger = Visitor(link)
        for path in ("/config", "/api/v1/status", "/v1/models", "/gradio_api/info", "/gradio_api/file=/etc/passwd"):
            assert stranger.refused(path) == 401
        people = [Visitor(link), Visitor(link)]
        for person in people:
            person.sign_in(GUEST, passwords[GUEST])
        job = people[0].ask("/api/v1/pipelines/text.chat", {"model": MODEL, "messages": [{"role": "user", "content": "Write a long story."}], "max_tokens": 6000, "logit_bias": NO_END})["id"]
        assert people[1].refused(f"/api/v1/jobs/{job}") == 404
        assert people[1].refused(f"/api/v1/jobs/{job}/cancel", {}) == 404
        assert [row["mine"] for row in people[1].ask("/api/v1/jobs")] == [False]
        assert people[0].ask(f"/api/v1/jobs/{job}/cancel", {})["stopped"]
        mine = people[0].ask("/api/v1/pipelines/text.chat", {"model": MODEL, "messages": [{"role": "user", "content": "Say hi."}], "max_tokens": 4})["id"]
        deadline = time.monotonic() + 240
        while (state := people[0].ask(f"/api/v1/jobs/{mine}")["state"]) != "done":
            assert time.monotonic() < deadline and state in ("queued", "running"), state
            time.sleep(0.1)
        output = people[0].ask(f"/api/v1/jobs/{mine}")["outputs"][0]
        assert output in [row["id"] for row in people[0].ask("/api/v1/outputs")]
        assert people[1].ask("/api/v1/outputs") == []
        assert people[1].refused(f"/api/v1/outputs/{output}/file") == 404
        assert people[1].refused("/api/v1/downloads", {"url": "https://example.org/a.gguf"}) == 403, "models from afar are the owner's alone"
        secret = next((studio.data / "outputs").rglob("*.md"))
        for path in (secret, studio.data / "secret.key", studio.data / "studio.db", Path("/etc/passwd"), Path("README.md").resolve()):
            assert people[1].refused(f"/gradio_api/file={path}") in (403, 404)
        owner = Visitor(link)
        owner.sign_in("owner", passwords["owner"])
        assert owner.ask("/api/v1/status")["share"]["link"] == link


@pytest.mark.slow
def test_without_a_tunnel_the_studio_runs_on_and_says_so(tmp_path: Path) -> None:
    with running(tmp_path, "--share", "--auth", "ann:secret", env=lay_tunnel(tmp_path / "hub", refuse=True)) as studio:
        log_with(studio, "No public link")
        ann = Visitor(studio.url)
        ann.sign_in("ann", "secret")
        assert any("No public link" in notice for notice in ann.ask("/api/v1/status")["notices"])


MANIFEST = """
name = "doors"
version = "1.0.0"
title = "Doors"
description = "One more route."
hook_api = 1
capabilities = ["route"]
license = "MIT"
"""
EXTENSION = '''
from studio.api import Route, hookimpl

@hookimpl
def register_routes(studio):
    return [Route("/doors/open", ["GET", "POST"], lambda request: {"in": True}, "A route of an extension")]
'''


def test_every_route_of_everybody_asks_for_sign_in(tmp_path: Path) -> None:
    folder = tmp_path / "extensions" / "doors"
    folder.mkdir(parents=True)
    (folder / "extension.toml").write_text(MANIFEST)
    (folder / "extension.py").write_text(EXTENSION)
    told = subprocess.run([sys.executable, "-m", "tests.doors", str(tmp_path)], capture_output=True, text=True, check=False, timeout=300)
    answers = [tuple(row) for row in json.loads(told.stdout)]
    paths = {path for _, path, _ in answers}
    assert {"/doors/open", "/v1/chat/completions", "/api/v1/status", "/config"} <= paths and len(answers) > 60
    assert [row for row in answers if row[2] != (4401 if row[0] == "WS" else 401)] == []
    assert "Warning" not in told.stderr, "the page is built without one: who starts the studio would read it"


def test_websockets_ask_too(tmp_path: Path) -> None:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import WebSocketRoute
    from starlette.testclient import TestClient
    from starlette.websockets import WebSocket, WebSocketDisconnect

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.headers["x-seisei-owner"])
        await socket.close()

    gate = Middleware(Gate, accounts=Accounts({"ann": "secret"}), sessions=Sessions(tmp_path), exposed=True)
    client = TestClient(Starlette(routes=[WebSocketRoute("/talk", talk)], middleware=[gate]))
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/talk"):
        pass
    assert closed.value.code == 4401
    with client.websocket_connect("/talk", headers={"authorization": "Bearer ann:secret"}) as socket:
        assert socket.receive_text() == "local"
