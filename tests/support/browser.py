"""Headless Chromium, driven by its own protocol over two pipes: no driver, no network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["LAYOUT", "Browser", "Seen", "browser", "chromium"]

#: What a page says of itself, asked for in the page: how wide it is and its window, and its images; what is
#: moved within a box may be wider.
LAYOUT = """(() => {
  const all = [...document.images].map(one => [one.naturalWidth, one.clientWidth, one.clientHeight, one.alt.length]);
  const wide = [...document.querySelectorAll('body *')].filter(
    one => !one.closest('.skip, thead, .wide > *, pre > *') && one.getBoundingClientRect().right > innerWidth + 1
  ).map(one => one.tagName);
  return {width: document.documentElement.scrollWidth, window: innerWidth, images: all, wide: wide,
    scripts: document.scripts.length, back: getComputedStyle(document.body).backgroundColor};
})()"""


def chromium() -> str | None:
    """Return the browser that is installed, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


@dataclass
class Seen:
    """What was seen of a page.

    `requests` are the addresses that were asked for, but the page itself and what stands within it; `said` what the
    console was told.
    """

    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


class Browser:
    """A page of a browser."""

    def __init__(self, write: Any, read: Any) -> None:
        self._write, self._read = write, read
        self._number = 0
        self._session: str | None = None
        self._seen = Seen()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, f"{method}: {told.get('error')}"
                result: dict[str, Any] = told["result"]
                return result

    def open(self, page: Path, width: int, *, dark: bool = False) -> Seen:
        """Open a page in a window so wide and return what was seen until all of it was there."""
        self._seen = Seen()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass
        self.run("Promise.all([...document.images].map(image => image.decode()))")
        self._seen.requests = [
            one for one in self._seen.requests if one != page.as_uri() and not one.startswith("data:")
        ]
        return self._seen

    def run(self, code: str) -> Any:
        """Run code in the page and return its value."""
        result = self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def picture(self) -> bytes:
        """Return the whole page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _next(self) -> dict[str, Any]:
        data = bytearray()
        while not data.endswith(b"\0"):
            more = self._read.read(1)
            assert more, "the browser has left"
            data += more
        told: dict[str, Any] = json.loads(data[:-1])
        if told.get("method") == "Network.requestWillBeSent":
            self._seen.requests.append(told["params"]["request"]["url"])
        elif told.get("method") == "Log.entryAdded":
            self._seen.said.append(told["params"]["entry"]["text"])
        elif told.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self._seen.said.append(json.dumps(told["params"])[:500])
        return told


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Browser]:
    """Start a browser and end it after the block."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    arguments = [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars"]
    arguments += [f"--user-data-dir={profile}", "--no-first-run", "--disable-extensions", "--disable-dev-shm-usage"]

    def pipes() -> None:
        # The browser reads from 3 and writes to 4; either may be what another is called now.
        one, other = os.dup(to_read), os.dup(from_write)
        os.dup2(one, 3)
        os.dup2(other, 4)
        # Where they were called so already they would be closed as the browser starts.
        os.set_inheritable(3, True)
        os.set_inheritable(4, True)

    process = subprocess.Popen(
        arguments,
        preexec_fn=pipes,
        close_fds=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(from_write)
    try:
        with os.fdopen(to_write, "wb") as write, os.fdopen(from_read, "rb") as read:
            yield Browser(write, read)
    finally:
        process.kill()
        process.wait()
