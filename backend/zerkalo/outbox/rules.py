"""Parse the addresses of the settings and the answers of gateways; decide when to try again. Pure."""

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from urllib.parse import parse_qs, quote, unquote, urlsplit

FIRST_PAUSE = timedelta(seconds=5)
QUICK_PAUSE_MAX = timedelta(minutes=5)
QUICK_ATTEMPTS = 8
"""So many tries take about 20 minutes, longer than any code is valid."""
PAUSE_MAX = timedelta(minutes=30)
ATTEMPTS_MAX = 20
"""So many take some six hours: an outage of a gateway, of which a notice or an invitation should not die. Not until a message
expires, as each try of a gateway that sends, but does not say so, is one more SMS to the same person."""
SMTP_PORT = 587
SMTPS_PORT = 465
_PLACES = re.compile(r"(\{phone\}|\{text\})")
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The parsed `SMTP_URL`."""

    host: str
    port: int
    is_tls: bool
    """TLS from the first byte (smtps://); else STARTTLS where the server offers it."""
    username: str | None
    password: str | None = field(repr=False)
    sender: str = ""
    """The From address: `?from=`, else the user name where it is an e-mail, else zerkalo@host."""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, so a password may be sent to it unencrypted."""
        return self.host in _LOCAL_HOSTS


def parse_smtp_url(url: str) -> SmtpServer:
    """Read `smtp://user:pass@host:port?from=salon@example.com`; user and password percent-decoded, port 587 or 465."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "smtps"
    host = parts.hostname or ""
    username = unquote(parts.username) if parts.username else None
    sender = next(iter(parse_qs(parts.query).get("from", [])), "")
    if not sender:
        sender = username if username and "@" in username else f"zerkalo@{host}"
    return SmtpServer(
        host,
        parts.port or (SMTPS_PORT if is_tls else SMTP_PORT),
        is_tls,
        username,
        unquote(parts.password) if parts.password else None,
        sender,
    )


def sms_address(template: str, phone: str, text: str) -> str:
    """Return the URL of one call: `{phone}` as digits with country code, without plus; `{text}` as UTF-8; both encoded.

    SMS.RU, for example: `https://sms.ru/sms/send?api_id=…&to={phone}&msg={text}&json=1` (sms.ru/api/send). For a
    gateway that needs the plus, write `%2B{phone}` in the template. Placeholders inside the text are not replaced.
    """
    values = {"{phone}": quote(phone.lstrip("+"), safe=""), "{text}": quote(text, safe="")}
    return "".join(values.get(part, part) for part in _PLACES.split(template))


def sms_refusal(status: int, body: bytes) -> str | None:
    """Return why a gateway refused the message, in a few words without its text; None where it accepted it.

    SMS.RU answers 200 even to a refusal, with `{"status": "ERROR", "status_code": 201}` for the call or the same inside
    `sms` for the number (sms.ru/api/send); others answer `"success": false` or `"error": …`. Without `json=1` SMS.RU
    answers with codes, one a line: 100 for an accepted call, then another code for a refused number. SMSC begins with
    ERROR or answers `0,-2`. Any other body with status 2xx counts as accepted.
    """
    if not 200 <= status < 300:
        return f"HTTP {status}"
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return _refusal_in_text(body)
    answers = [cast("dict[str, Any]", answer)]
    numbers: Any = answers[0].get("sms")
    if isinstance(numbers, dict):
        answers += [one for one in cast("dict[str, Any]", numbers).values() if isinstance(one, dict)]
    for one in answers:
        if str(one.get("status", "")).lower() in ("error", "fail", "failed"):
            code = one.get("status_code")
            return f"refused, code {code}" if isinstance(code, int) else "refused"
        if one.get("success") is False or one.get("error"):
            return "refused"
    return None


def _refusal_in_text(body: bytes) -> str | None:
    lines = [line.strip() for line in body.strip().split(b"\n")]
    if re.fullmatch(rb"[0-9]{3}", lines[0]):
        codes = [int(line) for line in lines if re.fullmatch(rb"[0-9]{3}", line)]
        return next((f"refused, code {code}" for code in codes if code != 100), None)
    says_no = lines[0][:5].upper() == b"ERROR" or re.fullmatch(rb"[0-9]+,-[0-9]+", lines[0])
    return "refused" if says_no else None


def pause_after(attempts: int) -> timedelta | None:
    """Return the pause after this many failed tries: 5 s, tripled each time to 5 minutes, later half an hour; None: give up."""
    if attempts >= ATTEMPTS_MAX:
        return None
    if attempts >= QUICK_ATTEMPTS:
        return PAUSE_MAX
    return min(FIRST_PAUSE * 3 ** (attempts - 1), QUICK_PAUSE_MAX)
