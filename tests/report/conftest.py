"""A small exploration, and a headless Chromium driven through the DevTools protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import websocket

from hwexplore import workloads
from hwexplore.search import Front, Space, explore

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
    "--remote-debugging-port=0",
)


@pytest.fixture(scope="session")
def front() -> Front:
    """The front of 1152 designs that span array, buffer and DRAM bounds."""
    space = Space(
        pe=["mac(int8, int8, acc=int32)", "mac(int4, int8, acc=int24 sat)", "mac(int4, int4, acc=int20 sat)"],
        rows=[1, 16],
        cols=[16, 256],
        dataflow=["os", "ws"],
        clock_mhz=[250, "max"],
        voltage=1.1,
        vector_lanes=[16, 64],
        sram_kib=[128, 512],
        dram=["ddr4-3200", "hbm2"],
        channels=[1],
        policy=["int8_channel/int8/int8", "int4_g128/int8/int8", "int4_g128/int4/int4"],
    )
    return explore(space, workloads.load("smollm2-135m", phase="decode", batch=4, context=512))


class Browser:
    """One page of a headless Chromium; ``problems`` collects what its console complained about."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=60, suppress_origin=True)
        self._count = 0
        self.problems: list[str] = []
        self.requests: list[str] = []
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._socket.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while (message := json.loads(self._socket.recv())).get("id") != self._count:
            self._note(message["method"], message["params"])
        assert "error" not in message, message
        return dict(message["result"])

    def _note(self, event: str, data: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.problems.append(str(data["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and data["type"] in ("error", "warning", "assert"):
            self.problems.append(str(data["args"]))
        elif event == "Log.entryAdded" and data["entry"]["level"] in ("error", "warning"):
            self.problems.append(str(data["entry"]))
        elif event == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])

    def open(self, path: Path) -> None:
        self.problems.clear()
        self.requests.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        deadline = time.monotonic() + 30
        while not self.run(condition):
            assert time.monotonic() < deadline, f"{condition} did not come true"
            time.sleep(0.05)

    def mouse(self, kind: str, x: float, y: float) -> None:
        pressed = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.mouse("mouseMoved", *start)
        self.mouse("mousePressed", *start)
        for part in (0.25, 0.5, 0.75, 1):
            x, y = (a + part * (b - a) for a, b in zip(start, end, strict=True))
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        self.mouse("mouseReleased", *end)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if program is None:
        assert "CI" not in os.environ, "CI has to have Chromium"
        pytest.skip("no Chromium on this machine")
    folder = tmp_path_factory.mktemp("chromium")
    with subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield from _page(folder)
        finally:
            process.terminate()


def _page(folder: Path) -> Iterator[Browser]:
    deadline = time.monotonic() + 30
    while not (file := folder / "DevToolsActivePort").exists() or "\n" not in file.read_text():
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.05)
    port = file.read_text().splitlines()[0]
    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        targets = json.load(answer)
    browser = Browser(next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page"))
    try:
        yield browser
    finally:
        browser.close()
