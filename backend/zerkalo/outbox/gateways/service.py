"""The senders: a mail server, an SMS gateway, and the log for the demo."""

import re
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr

import aiosmtplib
import httpx2
import structlog

from zerkalo.kit.contact import mailable_email
from zerkalo.outbox.model import Channel, Sender, SendFailed
from zerkalo.outbox.rules import SmtpServer, parse_smtp_url, sms_address, sms_refusal
from zerkalo.outbox.telegram.service import Bot
from zerkalo.settings import Settings

SMTP_TIMEOUT_SECONDS = 20.0
SMS_TIMEOUT_SECONDS = 15.0
SMS_ANSWER_BYTES_MAX = 65_536

_log = structlog.get_logger("zerkalo.outbox")


def senders_of(settings: Settings, *, is_demo: bool = False) -> Mapping[str, Sender]:
    """Return the configured senders by channel; requests for a channel without one are refused.

    `is_demo` (only `make demo`): messages of such a channel go to the log instead.
    """
    senders: dict[str, Sender] = {}
    bot = bot_of(settings)
    if bot is not None:
        senders["telegram"] = bot
    if settings.smtp_url:
        senders[Channel.EMAIL] = SmtpSender(parse_smtp_url(settings.smtp_url))
    if settings.sms_url:
        senders[Channel.PHONE] = SmsSender(settings.sms_url)
    if is_demo:
        for channel in Channel:
            senders.setdefault(channel, LogSender(channel))
    return senders


def bot_of(settings: Settings) -> Bot | None:
    """Return the salon's bot, if one is configured."""
    token = settings.telegram_bot_token
    return Bot(token, settings.telegram_api_url) if token else None


class SmtpSender:
    """Mail through one server. `tls_context` None: the machine's trusted authorities."""

    def __init__(self, server: SmtpServer, tls_context: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._tls_context = tls_context

    async def send(self, recipient: str, subject: str, body: str) -> None:
        """Deliver one mail, on a connection of its own. A 5xx answer about it is final."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.is_tls,
            start_tls=False if server.is_tls else None,
            tls_context=self._tls_context,
            timeout=SMTP_TIMEOUT_SECONDS,
        )
        try:
            await client.connect()
            try:
                await self._log_in(client)
                await client.send_message(self._mail(recipient, subject, body))
            finally:
                client.close()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # `from None`: the original text may contain the recipient.
            raise _smtp_failure(error) from None

    async def _log_in(self, client: aiosmtplib.SMTP) -> None:
        if self._server.username is None:
            return
        if client.get_transport_info("sslcontext") is None and not self._server.is_local:
            raise SendFailed("the mail server offers no TLS, and the password does not travel in clear")
        await client.login(self._server.username, self._server.password or "")

    def _mail(self, recipient: str, subject: str, body: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._server.sender
        mail["To"] = mailable_email(recipient)
        mail["Subject"] = subject
        mail["Date"] = formatdate(localtime=False)
        mail["Message-ID"] = make_msgid(domain=parseaddr(self._server.sender)[1].rpartition("@")[2] or None)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(body)
        return mail


def _smtp_failure(error: Exception) -> SendFailed:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        codes = [refused.code for refused in error.recipients]
        return SendFailed(
            f"recipient refused, SMTP {codes[0] if codes else '?'}", is_final=min(codes, default=0) >= 500
        )
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        # Not final: an operator may correct the password before the message expires.
        return SendFailed(f"the mail server refuses our log-in, SMTP {error.code}")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return SendFailed(f"SMTP {error.code}", is_final=error.code >= 500)
    return SendFailed(f"the mail server can't be used: {type(error).__name__}")


class SmsSender:
    """SMS through a gateway's HTTP call. `template`: `SMS_URL`."""

    def __init__(self, template: str) -> None:
        self._template = template

    async def send(self, recipient: str, subject: str, body: str) -> None:
        """Deliver one SMS; the subject is not sent. Follows no redirects: the address carries the gateway's key."""
        address = sms_address(self._template, recipient, body)
        try:
            async with (
                httpx2.AsyncClient(timeout=SMS_TIMEOUT_SECONDS, follow_redirects=False) as client,
                client.stream("GET", address) as response,
            ):
                answer = b""
                async for part in response.aiter_bytes():
                    answer += part
                    if len(answer) > SMS_ANSWER_BYTES_MAX:
                        break
                refusal = sms_refusal(response.status_code, answer[:SMS_ANSWER_BYTES_MAX])
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # The error's text contains the URL, and with it the key, the phone and the code.
            raise SendFailed(f"the SMS gateway can't be reached: {type(error).__name__}") from None
        if refusal is not None:
            raise SendFailed(f"the SMS gateway: {refusal}")


class LogSender:
    """Writes messages to the log, for `make demo` only."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def send(self, recipient: str, subject: str, body: str) -> None:
        """Log the text without the recipient: at info level where it has a code or a link that a person waits for."""
        is_awaited = re.search(r"[0-9]{6}|https?://", body) is not None
        log = _log.info if is_awaited else _log.debug
        log("demo: a message that would be sent", channel=str(self._channel), text=body)
