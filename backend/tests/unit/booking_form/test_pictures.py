"""Which addresses of pictures a browser may be sent to."""

import pytest

from zerkalo.booking_form.pictures.rules import picture_of, sources

API = "https://api.yclients.com/api/v1"
EMULATOR = "http://127.0.0.1:8001/api/v1"
GOOD = "https://assets.yclients.com/masters/sm/d/df/df6c_2023.png"


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        "https://be.cdn.yclients.com/a.jpg",
        "https://assets.alteg.io/x.png",
        "https://s.yclients.ru/x.png",
    ],
)
def test_the_vendor_s_own_pictures_are_shown(url: str) -> None:
    assert picture_of(url, API) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://assets.yclients.com/a.png",
        "https://assets.example.com/a.png",
        "https://yclients.com/a.png",
        "https://yclients.com.evil.example/a.png",
        "https://evilyclients.com/a.png",
        "https://assets.yclients.com@evil.example/a.png",
        "https://user@assets.yclients.com/a.png",
        "https://assets.yclients.com:8443/a.png",
        "https://assets.yclients.com:x/a.png",
        "//assets.yclients.com/a.png",
        "javascript:alert(1)",
        "data:image/svg+xml,<svg/>",
        "https://169.254.169.254/latest",
        "https://[::1]/a.png",
        "https://[/a.png",
        "https://assets.yclients.com/a.png x",
        "https://assets.yclients.com/\na.png",
        "https://аssets.yclients.com/a.png",
        f"https://assets.yclients.com/{'a' * 500}",
        "https://assets.yclients.com/no-master-sm.png",
        "http://127.0.0.1:8001.evil.example/a.png",
    ],
)
def test_no_other_address_is(url: str) -> None:
    assert picture_of(url, API) == ""
    assert picture_of(url, EMULATOR) == ""


def test_the_api_s_own_host_counts_as_the_vendor() -> None:
    own = "http://127.0.0.1:8001/masters/sm/501.png"

    assert picture_of(own, EMULATOR) == own
    assert picture_of(own, API) == ""
    assert sources(EMULATOR)[-1] == "http://127.0.0.1:8001"
