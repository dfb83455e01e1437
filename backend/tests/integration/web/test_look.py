"""The salon's name, colour and logo stand on its pages, under the policy that all pages have."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import running_application
from zerkalo.web.headers import CONTENT_SECURITY_POLICY

pytestmark = pytest.mark.integration

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


async def test_name_colour_and_logo_of_the_settings_stand_on_the_pages(dsn: str, tmp_path: Path) -> None:
    (tmp_path / "Our logo.svg").write_bytes(LOGO)
    look: dict[str, Any] = {
        "SALON_NAME": "Салон <Ромашка>",
        "SALON_COLOR": "#ffd500",
        "SALON_LOGO": "Our logo.svg",
    }
    async with running_application(dsn, tmp_path, **look) as application, application.client() as guest:
        page = await guest.get("/me/sign-in")
        error = await guest.get("/nowhere", headers={"Accept": "text/html"})
        manifest = (await guest.get("/manifest.webmanifest")).json()
        sheet_url, logo_url = (
            found[1]
            for pattern in (r'href="([^"]*/salon\.css)"', r'<img src="([^"]*/salon-logo\.svg)" alt="">')
            if (found := re.search(pattern, page.text))
        )
        sheet, logo = await guest.get(sheet_url), await guest.get(logo_url)

    assert page.text.count("Салон &lt;Ромашка&gt;") == 2, "the title and the head"
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert sheet_url in error.text
    assert manifest["name"] == "Салон <Ромашка>"
    assert sheet.headers["content-type"].startswith("text/css")
    assert "--fill: #ffd500" in sheet.text
    assert (logo.headers["content-type"], logo.content) == ("image/svg+xml", LOGO)
    assert "immutable" in logo.headers["cache-control"]


async def test_without_settings_the_pages_are_ours_and_bear_the_title_of_the_branch(
    dsn: str, tmp_path: Path
) -> None:
    async with running_application(dsn, tmp_path) as application, application.client() as guest:
        page = await guest.get("/me/sign-in")

    assert "salon.css" not in page.text
    assert "salon-logo" not in page.text
    assert "· Salon</title>" in page.text
