"""A browser for tests: Chromium without a window, driven over a pipe, so that nothing but Chromium is needed.

The DevTools protocol is spoken over two file descriptors (`--remote-debugging-pipe`), messages as JSON that end in a
zero byte. `Page.run` evaluates an expression, `Page.click` and `Page.press` are real events of mouse and keyboard.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 60.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ALIKE = """
(() => {
  const met = new Map();
  window.setAside = [];
  for (const part of document.querySelectorAll('tr, li, p, option, dl > div, figure, svg *')) {
    if (!part.isConnected) continue;
    let look = '';
    for (let up = part.parentNode; up.tagName; up = up.parentNode) look += `${up.tagName}.${up.getAttribute('class')} `;
    look += part.outerHTML
      .replace(/>[^<]*\\S[^<]*</g, '>text<')
      .replace(/ (id|href|for|headers|aria-labelledby|aria-describedby|aria-controls)="[^"]*"/g,
               (named) => named.replace(/\\d+/g, '0'))
      .replace(/ (data-value|data-label|x|y|d|transform)="[^"]*"/g, ' $1');
    met.set(look, (met.get(look) ?? 0) + 1);
    if (met.get(look) > 2) {
      window.setAside.push([part, part.parentNode, part.nextSibling]);
      part.remove();
    }
  }
})()
"""
"""Takes out what looks like two earlier parts of the same kind of place, but for its words and numbers.

A page has hundreds of rows of one kind; a colour too pale is too pale in the first of them, and axe takes seconds.
"""
_KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), " ": (32, " ")}


def chromium() -> str | None:
    """Where Chromium is, None where it is not installed."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


class Browser:
    """One Chromium; its pages follow one another."""

    def __init__(self, program: str, profile: str) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # Moved above the numbers that Chromium reads and writes, so that one is not overwritten by the other.
        high_in, high_out = os.dup(theirs_in), os.dup(theirs_out)

        def hand_over() -> None:
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)

        self._process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=hand_over, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (theirs_in, theirs_out, high_in, high_out):
            os.close(end)
        self._read, self._write = ours_in, ours_out
        self._rest = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        """End the browser and wait for it."""
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)
        os.close(self._read)
        os.close(self._write)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol; events that come meanwhile are kept in `events`."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        for found in self.messages():
            if found.get("id") == self._number:
                if "error" in found:
                    raise AssertionError(f"{method}: {found['error']}")
                result: dict[str, Any] = found["result"]
                return result
            self.events.append(found)
        raise AssertionError(f"{method}: the browser said nothing for {PATIENCE_SECONDS:g} seconds")

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the browser says, until it has said nothing for long."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            whole, zero, rest = self._rest.partition(b"\0")
            if zero:
                self._rest = rest
                yield json.loads(whole)
            elif select.select([self._read], [], [], until - time.monotonic())[0]:
                more = os.read(self._read, 1 << 20)
                if not more:
                    raise AssertionError("the browser ended")
                self._rest += more

    def open(self, address: Path | str, width: int = 1400, height: int = 900, dark: bool = False) -> Page:
        """A page, loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        page.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        self.events.clear()
        page.call("Page.navigate", url=address.resolve().as_uri() if isinstance(address, Path) else address)
        page.wait("document.readyState === 'complete'")
        return page


class Page:
    """One page of a browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A method of the protocol on this page."""
        return self._browser.call(method, self._session, **parameters)

    def run(self, expression: str) -> Any:
        """The value of an expression of JavaScript; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.run(condition):
            if time.monotonic() > until:
                raise AssertionError(f"never true: {condition}")
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of an element."""
        x, y = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, selector: str) -> None:
        """Rest the mouse on the middle of an element."""
        x, y = self._middle(selector)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str) -> None:
        """Press a key: Enter, Tab, Escape or a space."""
        code, text = _KEYS[key]
        named = {"key": key, "code": {" ": "Space"}.get(key, key), "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def resize(self, width: int, height: int, phone: bool = False) -> None:
        """Another window."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def pdf(self) -> bytes:
        """The page as it is printed, on A4."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def pages_on_paper(self) -> int:
        """How many pages the page has when it is printed."""
        return len(re.findall(rb"/Type\s*/Page\b", self.pdf()))

    def cut_on_paper(self, width: int = 703) -> list[str]:
        """Tables that are wider than what is between the margins of A4, in pixels; the page stays as on paper."""
        self.call("Emulation.setEmulatedMedia", media="print")
        self.resize(width, 1000)
        if self.run("document.documentElement.scrollWidth") > width + 1:
            return ["the page"]
        found: list[str] = self.run(
            "[...document.querySelectorAll('main .wide')].filter(box => box.checkVisibility() &&"
            "box.scrollWidth > box.clientWidth + 1).map(box => box.outerHTML.slice(0, 200))"
        )
        return found

    def violations(self, axe: str) -> list[Any]:
        """What axe finds wrong for people who cannot see or click, everything unfolded: rule, and where.

        Of parts that differ in words and numbers alone it sees two; the page is whole again afterwards.

        Args:
            axe: Its script.
        """
        self.run("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        self.run(f"{axe}; {_ALIKE}; 0")
        found: list[Any] = self.run(
            "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map("
            "v => [v.id, v.nodes.map(node => node.html.slice(0, 200))]))"
        )
        self.run("for (const [part, parent, next] of window.setAside.reverse()) parent.insertBefore(part, next)")
        self.run("document.querySelectorAll('details').forEach(part => { part.open = false; })")
        return found

    def picture(self) -> bytes:
        """The page as it is seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def picture_down_to(self, selector: str, width: int, below: int = 6) -> bytes:
        """The page from its top to the last element of a kind, and so many pixels below it, as PNG."""
        last = f"[...document.querySelectorAll({json.dumps(selector)})].at(-1)"
        self.resize(width, 900)
        self.resize(width, math.ceil(self.run(f"{last}.getBoundingClientRect().bottom")) + below)
        return self.picture()

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events
            if event.get("method") == "Network.requestWillBeSent" and event.get("sessionId") == self._session
        ]

    @property
    def complaints(self) -> list[str]:
        """What the console says: errors, warnings, refusals by the policy."""
        self.run("0")
        found = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            if event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] in ("error", "warning"):
                found.append(event["params"]["entry"]["text"])
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"]))
        return found

    def close(self) -> None:
        """Close the page."""
        self.call("Page.close")

    def _middle(self, selector: str) -> tuple[float, float]:
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const box = e.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        return float(place[0]), float(place[1])


@contextmanager
def started() -> Iterator[Browser]:
    """A browser, ended afterwards.

    Raises:
        RuntimeError: Chromium is not installed.
    """
    program = chromium()
    if program is None:
        raise RuntimeError("Chromium is not installed")
    with tempfile.TemporaryDirectory(prefix="groundlings-chromium", ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            yield browser
        finally:
            browser.close()
