"""One Chromium, a studio for each file (files that say SHARED have one together), a fresh page for each test: it must end without script errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from studio.testing import browser as chromium
from tests.browser.driving import PATIENCE, open_page
from tests.running import Running, running

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="package")
def shared_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("shared")) as studio:
        yield studio


@pytest.fixture(scope="module")
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """SHARED = True in a file: its tests take the studio as they find it, and leave nothing that others count."""
    if getattr(request.module, "SHARED", False):
        yield request.getfixturevalue("shared_studio")
        return
    with running(tmp_path_factory.mktemp("browser")) as studio:
        yield studio


@pytest.fixture(scope="package")
def chrome() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chrome: Any, studio: Running) -> Iterator[Any]:
    page = open_page(chrome, studio.url)
    yield page
    assert page.problems == []
    page.context.close()
