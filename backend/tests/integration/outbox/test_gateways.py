"""The senders against a real SMTP server and a real HTTP receiver on loopback."""

import asyncio
import email
import email.policy
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from zerkalo.outbox.gateways.service import LogSender, SmsSender, SmtpSender, senders_of
from zerkalo.outbox.model import Channel, SendFailed
from zerkalo.outbox.rules import parse_smtp_url
from zerkalo.settings import Settings

TEXT = "Ваш код подтверждения: 012345\n\nНикому его не сообщайте.\n"


@dataclass
class Mailbox:
    """What a mail server took; it refuses `refused` with 550."""

    mails: list[EmailMessage] = field(default_factory=list)
    was_tls: list[bool] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    refused: str = "nobody@example.com"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.refused:
            return f"550 no such mailbox {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        content = envelope.original_content or b""
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        assert server.transport is not None
        self.was_tls.append(server.transport.get_extra_info("sslcontext") is not None)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss", handled=False)


@contextmanager
def mail_server(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    """Yields the port of a running mail server that puts its mail into the mailbox."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]  # the controller can't tell which port the system chose
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(the server's, the client's) TLS for localhost, by a certificate of this test's own."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )  # fmt: skip
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


async def test_a_mail_arrives_whole() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        await SmtpSender(parse_smtp_url(f"smtp://127.0.0.1:{port}?from=salon%40example.com")).send(
            "anna@example.com", "Код подтверждения", TEXT
        )

    (mail,) = mailbox.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "salon@example.com",
        "anna@example.com",
        "Код подтверждения",
    )
    assert mail["Date"] is not None
    assert mail["Message-ID"].endswith("@example.com>")
    assert mail.get_content().replace("\r\n", "\n") == TEXT


async def test_a_mail_reaches_a_cyrillic_domain_through_a_server_that_knows_ascii_only() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        await SmtpSender(parse_smtp_url(f"smtp://127.0.0.1:{port}?from=salon%40example.com")).send(
            "anna@почта.рф", "Код подтверждения", TEXT
        )

    (mail,) = mailbox.mails
    assert mail["To"] == "anna@xn--80a1acny.xn--p1ai"


async def test_the_sender_may_have_a_name() -> None:
    mailbox = Mailbox()
    sender = quote("Салон «Заря» <salon@example.com>")
    with mail_server(mailbox) as port:
        await SmtpSender(parse_smtp_url(f"smtp://127.0.0.1:{port}?from={sender}")).send(
            "anna@example.com", "Код", TEXT
        )

    (mail,) = mailbox.mails
    assert mail["From"] == "Салон «Заря» <salon@example.com>"
    assert re.fullmatch(r"<[^<>@]+@example\.com>", mail["Message-ID"])


async def test_starttls_is_used_where_it_is_offered_and_then_the_password_travels(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server_tls, client_tls = certificate
    mailbox = Mailbox()
    with mail_server(
        mailbox, tls_context=server_tls, require_starttls=True, authenticator=mailbox.authenticate
    ) as port:
        url = f"smtp://me%40salon.ru:p%40ss@localhost:{port}"
        await SmtpSender(parse_smtp_url(url), client_tls).send("anna@example.com", "Код", TEXT)
        wrong_url = f"smtp://me:wrong@localhost:{port}"
        with pytest.raises(SendFailed) as wrong:
            await SmtpSender(parse_smtp_url(wrong_url), client_tls).send("anna@example.com", "Код", TEXT)

    assert mailbox.was_tls == [True]
    assert mailbox.logins[0] == (b"me@salon.ru", b"p@ss")
    assert "535" in wrong.value.reason
    assert not wrong.value.is_final, "an operator may mend it while the code is good"


async def test_smtps_is_tls_from_the_first_byte(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_tls, client_tls = certificate
    mailbox = Mailbox()
    with mail_server(mailbox, ssl_context=server_tls) as port:
        await SmtpSender(parse_smtp_url(f"smtps://localhost:{port}"), client_tls).send(
            "anna@example.com", "Код", TEXT
        )

    assert mailbox.was_tls == [True]


async def test_a_certificate_nobody_vouches_for_is_refused(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox, ssl_context=certificate[0]) as port, pytest.raises(SendFailed):
        await SmtpSender(parse_smtp_url(f"smtps://localhost:{port}")).send("anna@example.com", "Код", TEXT)

    assert mailbox.mails == []


async def test_a_refused_recipient_is_final_and_not_named() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port, pytest.raises(SendFailed) as refused:
        await SmtpSender(parse_smtp_url(f"smtp://127.0.0.1:{port}")).send("nobody@example.com", "Код", TEXT)

    assert refused.value.is_final
    assert "550" in refused.value.reason
    assert "nobody" not in refused.value.reason


async def test_a_mail_server_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(SendFailed) as away:
        await SmtpSender(parse_smtp_url("smtp://me:p%40ss@127.0.0.1:1")).send("anna@example.com", "Код", TEXT)

    assert not away.value.is_final
    assert "p@ss" not in away.value.reason


async def test_a_recipient_cannot_smuggle_a_header_in() -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as port, pytest.raises(SendFailed):
        await SmtpSender(parse_smtp_url(f"smtp://127.0.0.1:{port}")).send(
            "anna@example.com\r\nBcc: thief@example.com", "Код", TEXT
        )

    assert mailbox.mails == []


@asynccontextmanager
async def sms_gateway(answer: bytes, status: str = "200 OK") -> AsyncIterator[tuple[int, list[str]]]:
    """Yields the port of an HTTP receiver and the targets it was called with."""
    calls: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        calls.append(head.split(b" ")[1].decode())
        header = f"HTTP/1.1 {status}\r\nContent-Length: {len(answer)}\r\nLocation: /elsewhere\r\n"
        writer.write(f"{header}Connection: close\r\n\r\n".encode() + answer)
        with suppress(ConnectionError):  # a caller that has read enough goes
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], calls


def sms_sender(port: int) -> SmsSender:
    return SmsSender(f"http://127.0.0.1:{port}/sms/send?api_id=KEY&to={{phone}}&msg={{text}}&json=1")


async def test_an_sms_is_called_in_the_gateways_form() -> None:
    taken = (
        b'{"status": "OK", "status_code": 100, "sms": {"79991234567": {"status": "OK", "status_code": 100}}}'
    )
    async with sms_gateway(taken) as (port, calls):
        await sms_sender(port).send("+79991234567", "", "код & 100% {phone} #1 + привет")

    (call,) = calls
    assert urlsplit(call).path == "/sms/send"
    assert parse_qs(urlsplit(call).query) == {
        "api_id": ["KEY"],
        "to": ["79991234567"],
        "msg": ["код & 100% {phone} #1 + привет"],
        "json": ["1"],
    }


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (b'{"status": "ERROR", "status_code": 201}', "200 OK", "code 201"),
        (b"", "500 Internal Server Error", "HTTP 500"),
        (b"", "302 Found", "HTTP 302"),
    ],
)
async def test_a_gateways_no_is_told_without_phone_and_key(answer: bytes, status: str, reason: str) -> None:
    async with sms_gateway(answer, status) as (port, calls):
        with pytest.raises(SendFailed) as refused:
            await sms_sender(port).send("+79991234567", "", "код 123456")

    assert reason in refused.value.reason
    for secret in ("7999", "KEY", "123456"):
        assert secret not in refused.value.reason
    assert len(calls) == 1, "a redirect is not followed: the address carries the key"


async def test_an_endless_answer_is_cut() -> None:
    async with sms_gateway(b"x" * 10_000_000) as (port, _):
        await sms_sender(port).send("+79991234567", "", "код 123456")


async def test_a_gateway_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(SendFailed) as away:
        await sms_sender(1).send("+79991234567", "", "код 123456")

    assert not away.value.is_final
    assert "KEY" not in away.value.reason


def test_only_what_is_set_up_can_be_sent_and_the_demo_logs() -> None:
    assert senders_of(Settings()) == {}
    only_mail = senders_of(Settings(smtp_url="smtp://localhost"))
    demo = senders_of(Settings(smtp_url="smtp://localhost"), is_demo=True)

    assert set(only_mail) == {Channel.EMAIL}
    assert isinstance(demo[Channel.EMAIL], SmtpSender)
    assert isinstance(demo[Channel.PHONE], LogSender)
