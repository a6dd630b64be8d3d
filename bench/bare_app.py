"""A bare ASGI app that sends the bytes of one file, whatever is asked: the least that an answer costs under uvicorn.

The file named by `MOCKBIFROST_BENCH_ANSWER` is JSON: `content_type` and `writes`, a list of `[at_s, text]`.
One write is sent at once; several go out one by one, each at its own time after the request was read. An event stream
gets no Content-Length, so it leaves in chunked encoding as streams do.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


async def read_body(receive: Receive) -> None:
    """Read the request to its end, as every server must."""
    while (await receive()).get("more_body"):
        pass


def constant_app(start: Message, body: bytes) -> App:
    """An app that answers with one write."""
    end: Message = {"type": "http.response.body", "body": body}

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await read_body(receive)
        await send(start)
        await send(end)

    return answer


def paced_app(start: Message, writes: list[tuple[float, bytes]]) -> App:
    """An app that sends each write at its absolute time, so that lateness never adds up."""
    last = len(writes) - 1
    messages: list[tuple[float, Message]] = [
        (at_s, {"type": "http.response.body", "body": data, "more_body": number < last})
        for number, (at_s, data) in enumerate(writes)
    ]

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        await read_body(receive)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await send(start)
        for at_s, message in messages:
            wait_s = begun + at_s - loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            await send(message)

    return answer


def app_of(path: Path) -> App:
    """The app for the answer written in `path`."""
    answer = json.loads(path.read_text(encoding="utf-8"))
    writes = [(float(at_s), text.encode()) for at_s, text in answer["writes"]]
    headers = [(b"content-type", answer["content_type"].encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    if len(writes) > 1:
        return paced_app(start, writes)
    body = writes[0][1]
    if "event-stream" not in answer["content_type"]:
        headers.append((b"content-length", str(len(body)).encode()))
    return constant_app(start, body)


def app() -> App:
    """The app for the answer that the environment names: `uvicorn --factory bench.bare_app:app`."""
    return app_of(Path(os.environ["MOCKBIFROST_BENCH_ANSWER"]))
