"""A Chromium for the browser tests: found, or installed where that is possible, or a failure that says how. Never a silent skip."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOW_TO = (
    "The browser tests need Chromium: install it with 'apt-get install chromium' (as root) or '.venv/bin/playwright install chromium', "
    "or put a chromium, chromium-browser or google-chrome on the PATH."
)
INSTALL_SECONDS = 600


def _found(playwright: Playwright) -> str | None:
    for name in NAMES:
        if path := shutil.which(name):
            return path
    own = playwright.chromium.executable_path
    return own if Path(own).is_file() else None


def _installed(playwright: Playwright) -> str | None:
    """Try the system's packages (as root), then Playwright's own download."""
    attempts = []
    if os.geteuid() == 0 and shutil.which("apt-get"):
        attempts += [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]]
    attempts.append([sys.executable, "-m", "playwright", "install", "chromium"])
    for command in attempts:
        subprocess.run(
            command, check=False, capture_output=True, timeout=INSTALL_SECONDS, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        )
        if path := _found(playwright):
            return path
    return None


def chromium_path(playwright: Playwright) -> str:
    """Path of a Chromium that runs. Raises RuntimeError saying how to get one."""
    path = _found(playwright) or _installed(playwright)
    if path is None:
        raise RuntimeError(HOW_TO)
    return path


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A headless Chromium, closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(playwright), headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
