"""Chromium, driven by its driver, and what a person does with it."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.waiting import until

PHONE = (360, 740)
DESK = (1280, 900)


class Browser:
    """One window."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    @property
    def path(self) -> str:
        """Where it is, without the host."""
        return self.driver.current_url.split("/", 3)[3]

    @property
    def text(self) -> str:
        """Everything that can be read."""
        return str(self.script("return document.body.innerText"))

    @property
    def focused(self) -> WebElement:
        """What the keyboard speaks to."""
        return self.driver.switch_to.active_element

    def open(self, url: str) -> None:
        self.driver.get(url)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        [found] = self.all(selector)
        return found

    def press(self, *keys: str) -> None:
        """Press keys one after another, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def tab_to(self, selector: str, *, at_most: int = 60) -> WebElement:
        """Press Tab until what this selects has the focus; an AssertionError when it is never reached."""
        for _ in range(at_most):
            self.press(Keys.TAB)
            if self.script("return document.activeElement.matches(arguments[0])", selector):
                return self.focused
        raise AssertionError(f"{at_most} times Tab do not lead to {selector}")

    def read(self, selector: str) -> str:
        """The words of the first such element, read at once: what is kept up to date may be another the next moment."""
        return self.script("return document.querySelector(arguments[0]).innerText", selector).strip()

    def script(self, source: str, *arguments: Any) -> Any:
        return self.driver.execute_script(source, *arguments)

    def sign_in(self, url: str, name: str, password: str) -> None:
        """Open this page, signed in as somebody; only keys are used."""
        self.open(url)
        self.focus_comes_to("name")
        self.press(name, Keys.TAB, password, Keys.ENTER)
        until(lambda: not self.path.startswith("dashboard/sign-in"), what="the way leads on from signing in")

    def focus_comes_to(self, identity: str) -> None:
        """Return once the keyboard speaks to the element of this id: a page that is there has not taken it yet."""
        until(
            lambda: self.script("return document.activeElement.id") == identity, what=f"the focus comes to {identity}"
        )

    def shows(self, words: str, *, timeout_s: float = 10.0) -> None:
        """Return once these words can be read."""
        until(lambda: words in self.text, timeout_s=timeout_s, what=f"{words!r} is shown")

    def as_wide_as(self, size: tuple[int, int]) -> None:
        """Look at pages as a screen of this size does, in CSS pixels."""
        width, height = size
        self._tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def in_scheme(self, scheme: str) -> None:
        """Prefer light or dark."""
        self._tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, *, height: int) -> bytes:
        """The page's beginning, so many CSS pixels of it, as a PNG."""
        self.as_wide_as((int(self.script("return innerWidth")), height))
        return self.driver.get_screenshot_as_png()

    def forget(self) -> None:
        """Lose every cookie, and what was emulated."""
        self._tell("Network.clearBrowserCookies")
        self.as_wide_as(DESK)
        self.in_scheme("light")

    @property
    def complaints(self) -> list[str]:
        """What the browser itself says is wrong: a script that fails, or something that the page's policy forbids."""
        entries = cast("list[dict[str, Any]]", self.driver.get_log("browser"))
        # A page that answers 4xx on purpose is told here, too.
        return [entry["message"] for entry in entries if "status of 4" not in entry["message"]]

    def _tell(self, command: str, **parameters: Any) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


@contextmanager
def browser_started() -> Generator[Browser]:
    """A browser with an empty profile, for as long as the block lasts."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in programs.items() if path is None]
    assert not missing, f"{', '.join(missing)} not found; scripts/install-test-tools installs what is missing"
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"] or ""
    # Root, which tests often are, has no sandbox; pages of ours are all that it sees.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(programs["chromedriver"]))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
