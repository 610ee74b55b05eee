"""Chromium for the tests of the page, where there is one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


class Browser:
    """A browser without a window, and what it was told to load and complained about."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1400, dark: bool = False, media: str = "screen") -> None:
        """Load a page into a window of this width, and forget what was before."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(page.as_uri())

    def js(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def press(self, element: Any) -> None:
        """Click what may lie outside the window."""
        self.js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

    def complaints(self) -> list[str]:
        """What stands on the console: errors of the script, and what the page's policy did not allow."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened, but for what the page holds itself."""
        found = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        urls = [event["params"]["request"]["url"] for event in found if event["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith("data:")]


def barriers(browser: Browser) -> tuple[list[str], int]:
    """What axe finds on the page that is open, a line each with the elements, and how many rules it was held to."""
    package = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    browser.js((Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    browser.driver.set_script_timeout(300)
    found, rules = browser.driver.execute_async_script(
        "axe.run(document).then((found) => arguments[0]([found.violations, found.passes.length]))"
    )
    told = [f"{v['impact']}: {v['help']}: {', '.join(n['html'][:200] for n in v['nodes'][:5])}" for v in found]
    return told, int(rules)


@contextmanager
def a_browser(profile: Path) -> Iterator[Browser]:
    """Debian's Chromium with its driver; the test is skipped where they are not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no chromium with chromedriver on this machine (Debian: chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield Browser(running)
    finally:
        running.quit()
