"""A program for tests: knocks at every route of a whole studio without signing in, prints [method, path, status] of each.

A program of its own, as Gradio leaves sockets and event loops behind that a test run must not inherit.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from gradio.routes import App
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from studio.app import build, build_studio
from studio.gate import Accounts
from studio.provision import Provision
from studio.settings import Settings


def routes_of(app: Any) -> list[tuple[str, str]]:
    """(method, path) of everything that is mounted, path values filled in; "WS" for a websocket."""
    found = []
    for route in app.routes:
        path = re.sub(r"\{[^}]*\}", "x", getattr(route, "path", "/"))
        kinds = sorted(getattr(route, "methods", None) or ()) or ["WS" if "WebSocket" in type(route).__name__ else "GET"]
        found += [(kind, path) for kind in kinds]
    return [*found, ("WS", "/gradio_api/queue/join")]


def knock(stranger: TestClient, method: str, path: str) -> int:
    if method != "WS":
        return stranger.request(method, path).status_code
    try:
        with stranger.websocket_connect(path):
            return 101
    except WebSocketDisconnect as closed:
        return closed.code


def main(data: str) -> None:
    settings = Settings(data_dir=data, auth="ann:secret")
    studio = build_studio(settings, [])
    page, options = build(studio, Provision(settings, on_ready=lambda: None), Accounts({"ann": "secret"}))
    app = App.create_app(page, app_kwargs=options)
    stranger = TestClient(app, follow_redirects=False)
    print(json.dumps([[method, path, knock(stranger, method, path)] for method, path in routes_of(app)]))
    studio.jobs.close()
    studio.store.close()


if __name__ == "__main__":
    main(sys.argv[1])
