"""The form's step of the specialist shows what YCLIENTS says of them, as text."""

from pathlib import Path

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
