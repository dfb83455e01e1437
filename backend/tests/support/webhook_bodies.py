"""Bodies for the webhook that nobody means well with: any bytes, any JSON, and damage to the bodies we know."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.support.emulator import FIXTURES

KNOWN = [path.read_bytes() for path in sorted(FIXTURES.glob("[01]*-*webhook-*.json"))]

_ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**30, 1.5, 1e308, -0.0, 70000000101),
    *(
        "",
        "0",
        "1",
        "1 800,50",
        "\x00",
        "\ud800",
        "x" * 30_000,
        "1e400000",
        "+7" + "0" * 10,
        "'; drop table users;--",
    ),
    *([], {}, [[]], {"0": {}}, [None], "<script>alert(1)</script>", "{{7*7}}", "%s%n", "../../etc/passwd"),
    *("0000-00-00 00:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-12-03 15:30:00"),
    *(
        "Код клиента: ABC12345",
        "http://127.0.0.1:1/",
        "\u202eABC",
        "a\r\nSet-Cookie: x=1",
        "=cmd|' /C calc'!A0",
    ),
]
ODD_VALUES = st.sampled_from(_ODD) | st.text(alphabet=st.characters(codec=None), max_size=20) | st.integers()
RAW_NUMBERS = st.sampled_from(
    [
        b"NaN",
        b"Infinity",
        b"-0",
        b"1e400000",
        b"-1e-400000",
        b"1e99999999999999999999",
        b"9" * 400,
        b"9" * 5000,
    ]
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in list(pairs) for place in [(value, key), *places(inner)]]


@st.composite
def changed_bodies(draw: st.DrawFn) -> bytes:
    """A known body with one to four of its values replaced or taken away."""
    document = json.loads(draw(st.sampled_from(KNOWN)))
    for _ in range(draw(st.integers(1, 4))):
        found = places(document)
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        if isinstance(container, dict) and draw(st.integers(0, 3)) == 0:
            del container[key]
        else:
            container[key] = deepcopy(draw(ODD_VALUES))  # it may be changed in turn, and put into itself
    return json.dumps(document, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


@st.composite
def odd_numbers(draw: st.DrawFn) -> bytes:
    """A known body with a number in it that JSON or PostgreSQL can't hold."""
    document = json.loads(draw(st.sampled_from(KNOWN)))
    container, key = draw(st.sampled_from(places(document)))
    container[key] = "HERE"
    return json.dumps(document).encode().replace(b'"HERE"', draw(RAW_NUMBERS))


@st.composite
def damaged_bodies(draw: st.DrawFn) -> bytes:
    """A known body cut off, or with a part replaced by other bytes."""
    body = draw(st.sampled_from(KNOWN))
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 40)))
    return body[:start] + draw(st.binary(max_size=8)) + (body[end:] if draw(st.booleans()) else b"")


def deep_bodies() -> st.SearchStrategy[bytes]:
    """Brackets without end, alone and where a record's data should be."""
    openings = st.sampled_from(
        [b"[", b'{"a":', b'{"company_id":100200,"resource":"record","status":"update","data":[']
    )
    return st.builds(
        lambda opening, depth: (opening * depth)[:500_000], openings, st.sampled_from([10, 1_000, 100_000])
    )


ANY_BODY = (
    st.binary(max_size=300)
    | changed_bodies()
    | odd_numbers()
    | damaged_bodies()
    | deep_bodies()
    | st.sampled_from(KNOWN)
)
