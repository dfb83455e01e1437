"""The form's step of the specialist shows what YCLIENTS says of them, as text."""

from pathlib import Path

import httpx2
import pytest
from msgspec import structs

from tests.support.application import COMPANY_ID, running_application
from zerkalo.kit.language import NBSP

pytestmark = pytest.mark.integration


async def test_rating_and_description_stand_beside_the_name(dsn: str, tmp_path: Path) -> None:
    async with running_application(dsn, tmp_path) as application, application.client() as guest:
        staff = application.emulator.vendor.staff
        staff[502] = structs.replace(staff[502], about="<script>alert(1)</script>&lt;img src=x&gt;")
        chosen = {"company": str(COMPANY_ID), "service": "3001"}
        page = (await guest.get("/book", params=chosen)).text.replace(NBSP, " ")
        english = (await guest.get("/book", params=chosen | {"lang": "en"})).text.replace(NBSP, " ")
        told = (await guest.get("/api/v1/booking/staff", params={"service_ids": 3001})).json()["items"]

    assert "★ 4,9 · 118 оценок" in page
    assert "Стрижки и укладки, 12 лет у зеркала. Любит сложные формы." in page
    assert "★ 4.9 · 118 ratings" in english
    assert page.count("★") == 2, "nobody has voted for the third"
    assert "alert(1)&lt;img src=x&gt;" in page
    assert (told[0]["rating"], told[0]["votes"]) == (4.9, 118)


async def test_a_picture_comes_from_the_vendor_alone_and_initials_stand_under_it(
    dsn: str, tmp_path: Path
) -> None:
    async with running_application(dsn, tmp_path) as application, application.client() as guest:
        answer = await guest.get("/book", params={"company": str(COMPANY_ID), "service": "3001"})
        other = await guest.get("/")
        told = (await guest.get("/api/v1/booking/staff", params={"service_ids": 3001})).json()["items"]
        host = application.emulator_url.partition("/api/")[0]
        async with httpx2.AsyncClient() as browser:
            picture = await browser.get(told[0]["picture_url"])

    assert told[0]["picture_url"] == f"{host}/masters/sm/{told[0]['staff_id']}.png"
    assert f'<img src="{told[0]["picture_url"]}" alt=""' in answer.text
    assert ">АР<img" in answer.text, "the initials of Алиса Рощина"
    allowed = "img-src 'self' https://*.yclients.com https://*.yclients.ru https://*.alteg.io"
    assert f"{allowed} {host};" in answer.headers["content-security-policy"]
    assert "img-src 'self';" in other.headers["content-security-policy"]
    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    assert len(picture.content) < 2000
