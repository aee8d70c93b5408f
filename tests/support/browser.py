"""A Chromium without a screen, driven over its debugging protocol as a person would: looks, types, clicks."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.peers import need
from tests.support.server import clean_environment

START_S_MAX = 30.0
ANSWER_S_MAX = 30.0
UNTIL_MS_MAX = 20_000
END_S_MAX = 10.0

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
# Resolves with true once the condition holds, with false when it has not for too long.
UNTIL = """new Promise((resolve) => {
  const end = Date.now() + %d;
  const look = () => (%s) ? resolve(true) : Date.now() > end ? resolve(false) : setTimeout(look, 20);
  look();
})"""


class Page:
    """One page. `complaints` are its uncaught exceptions and what its console called an error."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[str, asyncio.Event] = {}
        self._task = asyncio.create_task(self._read())

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol; its result. AssertionError where it is refused."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        answer = await asyncio.wait_for(self._answers[number], ANSWER_S_MAX)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    async def open(self, url: str) -> None:
        """Returns when the page and what it names are loaded."""
        loaded = self._events["Page.loadEventFired"] = asyncio.Event()
        await self.ask("Page.navigate", url=url)
        await asyncio.wait_for(loaded.wait(), ANSWER_S_MAX)

    async def look(self, expression: str) -> Any:
        """The value of a JavaScript expression (awaited, if it is a promise)."""
        result = await self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, (expression, result["exceptionDetails"])
        return result["result"].get("value")

    async def until(self, condition: str) -> None:
        """Waits until a JavaScript expression is true; AssertionError with the page's text when it is not."""
        if not await self.look(UNTIL % (UNTIL_MS_MAX, condition)):
            raise AssertionError(f"{condition} is not true of: {await self.look('document.body.innerText')}")

    async def type(self, selector: str, text: str) -> None:
        """Puts the cursor there, types, and presses Enter."""
        await self.look(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.ask("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            text_of_key = {"text": "\r"} if kind == "keyDown" else {}
            await self.ask(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                code="Enter",
                windowsVirtualKeyCode=13,
                **text_of_key,
            )

    async def click(self, selector: str) -> None:
        """Where the middle of the element is."""
        rectangle = await self.look(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView();"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask(
                "Input.dispatchMouseEvent",
                type=kind,
                x=rectangle[0],
                y=rectangle[1],
                button="left",
                clickCount=1,
            )

    async def size(self, width: int, height: int) -> None:
        """The screen, in CSS pixels; a narrow one is a telephone's."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def photograph(self, path: Path) -> None:
        """A PNG of what is on the screen."""
        path.write_bytes(base64.b64decode((await self.ask("Page.captureScreenshot"))["data"]))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
                continue
            method, parameters = said["method"], said["params"]
            if method == "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                self.complaints.append(str(parameters["entry"]))
            elif method in self._events:
                self._events[method].set()


@asynccontextmanager
async def browser(directory: Path) -> AsyncIterator[Page]:
    """A page of a Chromium that keeps everything in `directory`, and ends with the block."""
    program = need("chromium")
    profile = directory / "profile"
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        env=clean_environment(HOME=str(directory)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    drain: asyncio.Task[None] | None = None
    try:
        origin = await asyncio.wait_for(_origin(process.stderr), START_S_MAX)
        drain = asyncio.create_task(_drain(process.stderr))
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{origin}/json/list") as answer:
                targets = json.loads(await answer.text())
            (url,) = (each["webSocketDebuggerUrl"] for each in targets if each["type"] == "page")
            async with http.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                try:
                    for domain in ("Page", "Runtime", "Log"):
                        await page.ask(f"{domain}.enable")
                    yield page
                finally:
                    await page.close()
    finally:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_S_MAX)
        except TimeoutError:
            process.kill()
            await process.wait()
        if drain is not None:
            await drain


async def _origin(stderr: asyncio.StreamReader) -> str:
    """http://host:port of the debugging server, once it says so."""
    said = ""
    while line := (await stderr.readline()).decode(errors="replace"):
        said += line
        if line.startswith("DevTools listening on ws://"):
            return "http://" + line.removeprefix("DevTools listening on ws://").partition("/")[0]
    raise AssertionError(f"Chromium has ended: {said}")


async def _drain(stderr: asyncio.StreamReader) -> None:
    """So that it never waits for somebody to read what it says."""
    while await stderr.read(65536):
        pass
