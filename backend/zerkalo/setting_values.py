"""What a setting's text may be: each function turns it into its value or raises `ValueError` with the reason.

A reason reads on from the setting's name and never repeats the text, which may be a secret.
"""

import ipaddress
import itertools
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict

SECRET_KEY_CHARS_MIN = 16
ADMIN_PASSWORD_CHARS_MIN = 8
SMTPS_PORT = 465
SALON_NAME_CHARS_MAX = 80
LOGO_BYTES_MAX = 40 * 1024
LOGO_SIGNATURES = {
    ".png": b"\x89PNG\r\n",
    ".jpg": b"\xff\xd8\xff",
    ".jpeg": b"\xff\xd8\xff",
    ".svg": b"<svg",
}
"""What such a file begins with; an SVG has it somewhere."""


class LoyaltyTier(BaseModel):
    """From so many roubles spent in a year on, a visit earns so many per cent."""

    model_config = ConfigDict(frozen=True)

    from_roubles: int  # whole roubles a year, at least 1
    percent: Decimal  # 0 to 100


def web_url(text: str) -> str:
    """An http(s) address, without slashes at its end."""
    return _url(text, ("http", "https"), "must be an http:// or https:// address").rstrip("/")


def base_url(text: str) -> str:
    """An http(s) address that paths are put behind: with nothing after its path, and no user, since it is shown."""
    url = web_url(text)
    if set(url) & set("?#@"):
        raise ValueError("must be an address without ?, # and @, since paths are put behind it")
    return url


def postgres_url(text: str) -> str:
    """Where one's own server is. libpq understands the rest of it, so only the scheme is looked at."""
    if not text.startswith("postgresql://"):
        raise ValueError("must begin with postgresql://")
    return text


def schema_name(text: str) -> str:
    """A schema of PostgreSQL whose name needs no quotes, and that is not PostgreSQL's own."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", text) or text.startswith("pg_"):
        raise ValueError("must be a name of small letters, digits and _, not beginning with a digit or pg_")
    if text == "public":
        raise ValueError("must not be public: another program's tables may stand there")
    return text


def smtp_url(text: str) -> str:
    """A mail server: smtp:// (STARTTLS where offered) or smtps:// (TLS from the first byte)."""
    url = _url(text, ("smtp", "smtps"), "must be smtp://user:password@host:port, or smtps:// the same way")
    parts = urlsplit(url)
    if parts.scheme == "smtp" and parts.port == SMTPS_PORT:  # it would wait for a greeting that never comes
        raise ValueError(f"must begin with smtps://, since port {SMTPS_PORT} speaks TLS from the first byte")
    return url


def countries(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Two-letter country codes, separated by commas."""
    if isinstance(text, tuple):
        return text
    named = [part.strip().upper() for part in text.split(",") if part.strip()]
    if not named or not all(re.fullmatch(r"[A-Z]{2}", one) for one in named):
        raise ValueError("must be two-letter country codes separated by commas")
    return tuple(dict.fromkeys(named))


def sms_url(text: str) -> str:
    """The http(s) template of a gateway's call."""
    url = _url(text, ("http", "https"), "must be an http:// or https:// address")
    if "{phone}" not in url or "{text}" not in url:
        raise ValueError("must contain {phone} and {text}, which are filled in for each message")
    return url


def _url(text: str, schemes: tuple[str, ...], reason: str) -> str:
    try:
        parts: SplitResult = urlsplit(text)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its text would repeat a part of the address, perhaps the password
        usable = False
    if not usable or re.search(r"\s", text):
        raise ValueError(reason)
    return text


def company_ids(text: str | tuple[int, ...]) -> tuple[int, ...]:
    """Branch numbers separated by commas, in the order given, repetitions dropped."""
    if isinstance(text, tuple):
        return text
    numbers = [part.strip() for part in text.split(",") if part.strip()]
    if not numbers or not all(re.fullmatch(r"0*[1-9][0-9]{0,17}", number) for number in numbers):
        raise ValueError("must be one branch number of YCLIENTS, or several separated by commas")
    return tuple(dict.fromkeys(int(number) for number in numbers))


def origins(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """Origins separated by commas, as browsers write them: scheme, host, port if it is not the usual one."""
    if isinstance(text, tuple):
        return text
    parts = [part.strip().rstrip("/").lower() for part in text.split(",") if part.strip()]
    if not parts or not all(re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", part) for part in parts):
        raise ValueError("must be exact origins separated by commas, with no path and no *")
    usual = re.compile(r"^(http://[^:/]+):80$|^(https://[^:/]+):443$")
    return tuple(dict.fromkeys(usual.sub(r"\1\2", part) for part in parts))


def percent(text: str | int | Decimal) -> Decimal:
    """A percentage from 0 to 100 with at most four decimals; a comma is taken for a point."""
    digits = str(text).strip().replace(",", ".")
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", digits) or Decimal(digits) > 100:
        raise ValueError("must be a percentage from 0 to 100")
    return Decimal(digits)


def iso_date(text: str | date) -> date:
    """A calendar date; a bare number is refused, which pydantic would take for seconds since 1970."""
    if isinstance(text, date):
        return text
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("must be a date as YYYY-MM-DD")


def loyalty_tiers(text: str | tuple[LoyaltyTier, ...]) -> tuple[LoyaltyTier, ...]:
    """Pairs `roubles:percent` separated by commas, the roubles ascending."""
    if isinstance(text, tuple):
        return text
    pairs = [re.fullmatch(r"\s*([1-9][0-9]{0,9})\s*:\s*([0-9.]+)\s*", pair) for pair in text.split(",")]
    if not all(pairs):
        raise ValueError("must be pairs of roubles a year and a percentage, with commas between the pairs")
    tiers = tuple(LoyaltyTier(from_roubles=int(pair[1]), percent=percent(pair[2])) for pair in pairs if pair)
    if any(low.from_roubles >= high.from_roubles for low, high in itertools.pairwise(tiers)):
        raise ValueError("must name the roubles in ascending order, each once")
    return tiers


def proxies(text: str) -> str:
    """Addresses and networks of proxies, separated by commas; "*" is refused: a caller could choose their address."""
    named = [part.strip() for part in text.split(",") if part.strip()]
    try:
        for one in named:
            ipaddress.ip_network(one, strict=False)
    except ValueError:
        raise ValueError("must be addresses or networks of your proxies, separated by commas") from None
    return ",".join(str(ipaddress.ip_network(one, strict=False)) if "/" in one else one for one in named)


def egress(text: str) -> str:
    """The name of an address from which YCLIENTS is reached."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("must be a name of 1 to 64 letters, digits, dots, dashes and underscores")
    return text


def token(text: str) -> str:
    """A secret that travels in a header or an address: ASCII, printable, no spaces."""
    if not re.fullmatch(r"[!-~]{1,1000}", text):
        raise ValueError("must be Latin letters, digits and signs without spaces")
    return text


def webhook_secrets(text: str) -> str:
    """One secret of the webhook, or two with a comma between them while one replaces the other."""
    secrets = [part.strip() for part in text.split(",")]
    if len(secrets) > 2 or not all(re.fullmatch(r"[!-~]{1,1000}", secret) for secret in secrets):
        raise ValueError(
            "must be Latin letters, digits and signs without spaces, or two such words with a comma between them"
        )
    return ",".join(dict.fromkeys(secrets))


def secret_key(text: str) -> str:
    """What signs tokens; too short a one could be guessed from a token."""
    if len(text) < SECRET_KEY_CHARS_MIN:
        raise ValueError(
            f"must have at least {SECRET_KEY_CHARS_MIN} characters; `openssl rand -hex 32` makes one"
        )
    return text


def admin_password(text: str) -> str:
    """The first admin's password."""
    if not ADMIN_PASSWORD_CHARS_MIN <= len(text) <= 1000:
        raise ValueError(f"must have at least {ADMIN_PASSWORD_CHARS_MIN} characters")
    return text


def email(text: str) -> str:
    """An e-mail address by its form; no server is asked."""
    # Here, because it takes 80 ms to import and most starts have no e-mail to check.
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError("must be an e-mail address") from None


NOTICE_KINDS = ("confirmation", "moved", "cancelled", "points", "burning")


def notices(text: object) -> object:
    """Kinds of notices, separated by commas."""
    if not isinstance(text, str):
        return text
    kinds = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    if not set(kinds) <= set(NOTICE_KINDS):
        raise ValueError(f"must be some of {', '.join(NOTICE_KINDS)}, separated by commas")
    return kinds


def hours(text: object) -> object:
    """From which to which whole hour, as in 21-9."""
    if not isinstance(text, str):
        return text
    begins, _, ends = text.partition("-")
    if (
        not all(part.isascii() and part.isdigit() and int(part) < 24 for part in (begins, ends))
        or begins == ends
    ):
        raise ValueError("must be two different hours of the day with a dash between them")
    return f"{int(begins)}-{int(ends)}"


def chat(text: object) -> object:
    """The number of a chat of Telegram; a group's is negative."""
    if isinstance(text, str) and not (text.lstrip("-").isascii() and text.lstrip("-").isdigit()):
        raise ValueError("must be the number of a chat")
    return text


def field_code(text: object) -> object:
    """The code of a custom field at YCLIENTS."""
    if isinstance(text, str) and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ValueError("must be the field's code: Latin letters, digits, _ and -")
    return text


def salon_name(text: object) -> object:
    """What the salon is called, on one line."""
    if isinstance(text, str) and not (text.isprintable() and len(text) <= SALON_NAME_CHARS_MAX):
        raise ValueError(f"must be one line of at most {SALON_NAME_CHARS_MAX} characters")
    return text


def colour(text: object) -> object:
    """A colour of a web page, as #rrggbb; the # may be left out."""
    if not isinstance(text, str):
        return text
    if not re.fullmatch(r"#?[0-9A-Fa-f]{6}", text):
        raise ValueError("must be a colour as #rrggbb")
    return f"#{text.removeprefix('#').lower()}"


def see_that_it_holds_certificates(path: Path) -> None:
    """Raise `ValueError` for a file that can't be read or holds no certificates in PEM."""
    import ssl  # only where a file is named

    try:
        ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        raise ValueError("holds no certificates in PEM") from None
    except OSError as error:
        raise ValueError(f"can't be read ({error.strerror})") from None


def see_that_it_is_a_logo(path: Path) -> None:
    """Raise `ValueError` for a file that can't be read, is no PNG, JPEG or SVG by name and content, or weighs too much."""
    signature = LOGO_SIGNATURES.get(path.suffix.lower())
    if signature is None:
        raise ValueError("must be a .png, .jpg or .svg file")
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ValueError(f"can't be read ({error.strerror})") from None
    if len(body) > LOGO_BYTES_MAX:
        raise ValueError(f"weighs {len(body)} bytes, more than {LOGO_BYTES_MAX}: every page carries it")
    if signature not in body if signature == b"<svg" else not body.startswith(signature):
        raise ValueError("holds no picture of the kind that its name says")
