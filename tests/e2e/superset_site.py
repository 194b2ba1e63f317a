"""Superset as the browser tests use it: logging in through its page, the dashboard as a reader sees it, its HTTP API with a user's session.

Belongs here: where things stand on Superset's pages. Not here: what they must show (the tests).
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Response
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from lake_config.settings import Settings
from orchestration.services.secrets import superset_secrets

DASHBOARD = "/superset/dashboard/toan-canh/"
USERS = {"admin": "admin", "lanh_dao": "viewer"}
"""Users by name -> their prefix in superset.json."""
WAIT_SECONDS = 60
_PRESSES = 3
VIEWPORT = {"width": 1440, "height": 1000}


@dataclass
class Traffic:
    """What a page asked for and got."""

    requests: list[Request] = field(default_factory=list)
    blocked: list[Request] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Record from now on."""
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failed)
        context.on("response", self._on_response)

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)

    def _on_failed(self, request: Request) -> None:
        if request.failure == "csp":  # stopped inside the browser by the page's own policy: nothing left it
            self.blocked.append(request)

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.failed.append((response.status, urlsplit(response.url).path))

    def foreign(self, host: str) -> list[str]:
        """Addresses on other hosts that were really asked for."""
        sent = [request.url for request in self.requests if request not in self.blocked]
        return [url for url in sent if urlsplit(url).scheme not in ("data", "blob", "about") and urlsplit(url).netloc != host]


class Site:
    """Superset of one lake: sessions of its users, made once through the login page (it counts attempts)."""

    def __init__(self, settings: Settings, browser: Browser) -> None:
        self.settings = settings
        self.browser = browser
        self.traffic = Traffic()
        self._sessions: dict[str, object] = {}

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.settings.ports['superset']}"

    @property
    def url(self) -> str:
        """Address of Superset."""
        return f"http://{self.host}"

    def context(self, user: str | None = None, **options: object) -> BrowserContext:
        """A browser context, logged in as the user; None is nobody."""
        given = {"viewport": VIEWPORT, "locale": "vi-VN", "timezone_id": "Asia/Ho_Chi_Minh", "base_url": self.url, **options}
        if user is not None:
            given["storage_state"] = self.session(user)
        context = self.browser.new_context(**given)  # type: ignore[arg-type]
        self.traffic.watch(context)
        return context

    def session(self, user: str) -> object:
        """Cookies of the user, after a login through the page."""
        if user not in self._sessions:
            context = self.context()
            page = context.new_page()
            self.log_in(page, user, superset_secrets(self.settings)[f"{USERS[user]}_password"])
            page.wait_for_url(lambda url: "/login" not in url, timeout=WAIT_SECONDS * 1000, wait_until="commit")
            self._sessions[user] = context.storage_state()
            context.close()
        return self._sessions[user]

    @staticmethod
    def log_in(page: Page, user: str, password: str) -> None:
        """Fill in the login page and send it; on a busy machine the form may not listen yet when the key is pressed: then press again."""
        page.goto("/login/")
        for _ in range(_PRESSES):
            page.locator("#username").fill(user)
            page.locator("#password").fill(password)
            try:
                with page.expect_request(lambda request: request.method == "POST" and "/login" in request.url, timeout=WAIT_SECONDS * 250):
                    page.locator("#password").press("Enter")
            except PlaywrightTimeoutError:
                continue
            return
        raise AssertionError(f"the login form was not sent; it says {page.locator('body').inner_text()[:300]!r}")

    def api(self, user: str) -> httpx.Client:
        """A client with the user's session and CSRF token; it follows no redirect."""
        context = self.context(user)
        page = context.new_page()
        page.goto(DASHBOARD)
        token = page.locator("#csrf_token").get_attribute("value") or ""
        cookies = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
        context.close()
        headers = {"X-CSRFToken": token, "Referer": self.url}
        return httpx.Client(base_url=self.url, cookies=cookies, headers=headers, trust_env=False, timeout=WAIT_SECONDS)


class DashboardPage:
    """The open dashboard."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._answers: list[Response] = []
        page.on("response", self._on_response)

    def _on_response(self, response: Response) -> None:
        if "/api/v1/chart/data" in response.url:
            self._answers.append(response)

    def answers(self) -> dict[int, tuple[int, int]]:
        """Chart id -> HTTP status and number of rows of the last answer it got."""
        found = {}
        for response in self._answers:
            chart_id = json.loads(response.request.post_data or "{}").get("form_data", {}).get("slice_id")
            if chart_id is not None:  # else it fills a filter
                rows = sum(result["rowcount"] for result in response.json()["result"]) if response.ok else 0
                found[chart_id] = (response.status, rows)
        return found

    def open(self) -> "DashboardPage":
        """Open it and wait for the charts in view."""
        self.page.goto(DASHBOARD)
        self.page.locator("[data-test=chart-grid-component]").first.wait_for(timeout=WAIT_SECONDS * 1000)
        self.settle()
        return self

    def show_all(self) -> None:
        """Make the window as tall as the page, because charts draw themselves when they come into view; wait until nothing loads."""
        width = (self.page.viewport_size or VIEWPORT)["width"]
        height = 0
        while height < (needed := int(self.page.locator(".grid-row").last.evaluate("row => row.getBoundingClientRect().bottom + 40"))):
            height = needed
            self.page.set_viewport_size({"width": width, "height": height})
            self.settle()

    def settle(self) -> None:
        """Wait until no chart is loading. Asked again and again, because the page's policy forbids Playwright's own waiting script."""
        self.page.wait_for_timeout(500)
        loading = "[data-test=loading-indicator], .dashboard-content .loading"
        if eventually(lambda: self.page.locator(loading).count(), 0) != 0:
            raise AssertionError("charts are still loading")

    def charts(self) -> dict[str, Locator]:
        """The charts by title."""
        found = self.page.locator("[data-test=chart-grid-component]")
        return {found.nth(at).get_attribute("data-test-chart-name") or "": found.nth(at) for at in range(found.count())}

    def chart(self, title: str) -> Locator:
        """One chart."""
        return self.page.locator(f'[data-test=chart-grid-component][data-test-chart-name="{title}"]')

    def big_number(self, title: str) -> int:
        """The number that a chart of one figure shows."""
        return number(self.chart(title).locator(".header-line").inner_text())

    def table(self, title: str) -> list[list[str]]:
        """The rows that a table shows, after scrolling to it."""
        self.chart(title).scroll_into_view_if_needed()
        rows = self.chart(title).locator("tbody tr")
        return [rows.nth(at).locator("td").all_inner_texts() for at in range(rows.count())]

    def choose(self, filter_id: str, option: str) -> None:
        """Choose one value of a filter (by its id in the bundle) and apply."""
        self.page.locator(f"[data-test=NATIVE_FILTER-{filter_id}]").click()
        self.page.locator(f'.ant-select-item-option[title="{option}"]').click()
        self.page.keyboard.press("Escape")
        self.apply()

    def choose_days(self, first: str, end: str) -> None:
        """Choose the days from ``first`` up to but without ``end`` (YYYY-MM-DD) and apply."""
        self.page.locator("[data-test=time-range-trigger]").click()
        popover = self.page.locator(".ant-popover:visible")
        popover.locator(".ant-select").first.click()
        self.page.locator('.ant-select-item-option[title="Nâng cao"]').click()
        popover.locator("input.ant-input").nth(0).fill(first)
        popover.locator("input.ant-input").nth(1).fill(end)
        popover.locator("[data-test=date-filter-control__apply-button]").click()
        self.apply()

    def clear(self) -> None:
        """Take every filter away; needs no applying."""
        self.page.locator("[data-test=filter-bar__clear-button]").click()
        self.settle()

    def apply(self) -> None:
        """Apply the filters that are set."""
        self.page.locator("[data-test=filter-bar__apply-button]").click()
        self.settle()

    def words(self) -> list[str]:
        """Every text that can be seen on the page."""
        script = """() => { const seen = []; const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) { const parent = walk.currentNode.parentElement; const text = walk.currentNode.nodeValue.trim();
            if (text && parent.offsetParent !== null && !['SCRIPT', 'STYLE'].includes(parent.tagName)) seen.push(text); }
          return seen; }"""
        return list(self.page.evaluate(script))


def number(text: str) -> int:
    """'2.400' -> 2400."""
    digits = text.strip().replace(".", "")
    if not re.fullmatch(r"-?\d+", digits):
        raise AssertionError(f"{text!r} is no number")
    return int(digits)


def eventually(read: Callable[[], object], wanted: object, seconds: float = WAIT_SECONDS) -> object:
    """Read until it is what is wanted or the time is over; returns the last reading for the test to compare."""
    deadline = time.monotonic() + seconds
    while (found := read()) != wanted and time.monotonic() < deadline:
        time.sleep(0.3)
    return found
