"""Debian's Chromium, without a window: pages as their readers see them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it; the test is skipped where there is none, and fails where CI has none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("expected a Chromium: apt-get install chromium")
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        # As root, and in containers, its sandbox cannot be set up; the pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Reader:
    """A page that was opened from a file. `said` is its console, `asked` all that it wanted to load.

    `failed` is what of that it did not get.
    """

    def __init__(self, browser: Browser, path: Path, **context: Any) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.path = path
        self._context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | context)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(30_000)
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append("a dialog"), dialog.dismiss()))
        self.failed: list[Request] = []
        self._context.on("requestfailed", lambda request: self.failed.append(request))  # noqa: PLW0108  (it marks what it is given)
        self._context.on("request", lambda request: self.asked.append(request.url))
        self._context.route(lambda url: not url.startswith("file:"), lambda route: route.abort())
        self.page.goto(path.as_uri())
        if context.get("java_script_enabled", True):
            self.page.wait_for_selector("html[data-ready]", state="attached")

    def close(self) -> None:
        """Close it, after which what it asked for is complete."""
        self._context.close()
