"""Telegram's bot API: sending a message, and reading what people write to the bot."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from zerkalo.outbox.model import SendFailed

TIMEOUT_SECONDS = 15.0
TEXT_CHARS_MAX = 4096
FINAL = frozenset({400, 403})
"""The chat is gone, or the person has blocked the bot: another try can't succeed."""


@dataclass(frozen=True, slots=True)
class Update:
    """A message to the bot."""

    id: int
    chat_id: int
    is_private: bool
    text: str


class Bot:
    """One bot. Its token is part of the URL, so the text of an HTTP error is never passed on."""

    def __init__(self, token: str, api_url: str) -> None:
        self._address = f"{api_url.rstrip('/')}/bot{token}/"
        self.digest = hashlib.sha256(token.encode()).hexdigest()
        """Of the token, in hex: tells bots apart and gives nothing away."""
        self._name = ""

    async def send(self, recipient: str, subject: str, body: str) -> None:
        """Deliver one message to a chat, with the subject, if any, as its first line."""
        text = "\n".join(part for part in (subject, body) if part)[:TEXT_CHARS_MAX]
        await self._call("sendMessage", {"chat_id": int(recipient), "text": text})

    async def name(self) -> str:
        """Return the bot's user name for links; ask Telegram once."""
        if not self._name:
            self._name = str((await self._call("getMe", {})).get("username", ""))
        return self._name

    async def updates(self, offset: int) -> Sequence[Update]:
        """Return up to a hundred updates from this id on; Telegram then deletes the earlier ones."""
        found: Any = await self._call("getUpdates", {"offset": offset, "timeout": 0, "limit": 100})
        return [update for one in found if (update := _update(one)) is not None]

    async def _call(self, method: str, values: dict[str, object]) -> Any:
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
                response = await client.post(self._address + method, json=values)
                answer: Any = response.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise SendFailed(f"Telegram can't be reached: {type(error).__name__}") from None
        if not isinstance(answer, dict) or not cast("dict[str, Any]", answer).get("ok"):
            status = response.status_code
            raise SendFailed(f"Telegram: HTTP {status}", is_final=status in FINAL)
        return cast("dict[str, Any]", answer).get("result")


def _update(one: Any) -> Update | None:
    """Parse an update; one that is not a message gets an empty text. None: it has no id."""
    update = _object(one)
    number = update.get("update_id")
    if not isinstance(number, int):
        return None
    message = _object(update.get("message"))
    chat = _object(message.get("chat"))
    chat_id = chat.get("id")
    return Update(
        number,
        chat_id if isinstance(chat_id, int) else 0,
        chat.get("type") == "private",
        str(message.get("text", "")),
    )


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
