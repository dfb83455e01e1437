"""A Telegram of our own on loopback: it keeps what bots send, and hands out what people wrote to them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Telegram:
    """What was sent (chat, text), and the updates that wait; `blocked` chats answer 403. `next_id`: of the next update."""

    url: str = ""
    sent: list[tuple[int, str]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    blocked: set[int] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    next_id: int = 100

    def write(self, chat_id: int, text: str, *, kind: str = "private") -> None:
        """Somebody writes to the bot."""
        message = {"chat": {"id": chat_id, "type": kind}, "text": text}
        self.updates.append({"update_id": self.next_id, "message": message})
        self.next_id += 1

    def answer(self, method: str, asked: dict[str, Any]) -> tuple[int, Any]:
        self.calls.append(method)
        if method == "getMe":
            return 200, {"username": "salon_bot"}
        if method == "getUpdates":
            # As Telegram does: an offset confirms what is below it, which nobody gets any more.
            self.updates = [one for one in self.updates if one["update_id"] >= asked["offset"]]
            return 200, self.updates[: asked["limit"]]
        if asked["chat_id"] in self.blocked:
            return 403, None
        self.sent.append((asked["chat_id"], asked["text"]))
        return 200, {"message_id": 1}


@contextmanager
def running_telegram() -> Iterator[Telegram]:
    """Yields it on a port of its own."""
    telegram = Telegram()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, result = telegram.answer(self.path.rpartition("/")[2], asked)
            body = json.dumps({"ok": status == 200, "result": result}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    telegram.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield telegram
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
