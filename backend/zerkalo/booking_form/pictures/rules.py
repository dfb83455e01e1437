"""Which pictures of specialists may be shown: those on YCLIENTS's own hosts. Pure.

We never fetch them: the browser gets them from YCLIENTS, and the content policy of the form's pages allows images from
nowhere else (docs/decisions/0011-pictures-from-the-vendor.md).
"""

from urllib.parse import urlsplit

DOMAINS = ("yclients.com", "yclients.ru", "alteg.io")
"""Pictures stand on hosts below these."""
URL_CHARS_MAX = 500
_NOBODY = "no-master"
"""Parts of the names of the vendor's placeholder pictures."""


def picture_of(url: str, api_url: str) -> str:
    """The address, if it may be shown; "" for a foreign host or a placeholder."""
    if len(url) > URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url or _NOBODY in url:
        return ""
    try:
        parts = urlsplit(url)
        is_plain = parts.username is None and parts.password is None and parts.port is None
    except ValueError:
        return ""
    host = parts.hostname or ""
    is_vendors = any(host.endswith(f".{domain}") for domain in DOMAINS)
    if parts.scheme == "https" and is_plain and is_vendors:
        return url
    return url if url.startswith(f"{origin_of(api_url)}/") else ""


def sources(api_url: str) -> tuple[str, ...]:
    """The sources of images that the pages' content policy allows: the vendor's hosts and the API's own."""
    return (*(f"https://*.{domain}" for domain in DOMAINS), origin_of(api_url))


def origin_of(url: str) -> str:
    """Scheme, host and port of an address of ours."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
