"""People whom the staff enter: a contact is one person's, however many enter it at once."""

import asyncio

import pytest

from tests.support.people import PeopleApi, people_api
from tests.support.rows import add_user
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.users.desk.service import edit_user, enter_user
from zerkalo.users.model import User

PHONE = "+79991234567"
AT_ONCE = 6


@pytest.mark.parametrize(
    ("email", "phone", "code"),
    [("anna@example.com", None, "email_taken"), (None, PHONE, "phone_taken")],
)
async def test_a_contact_entered_by_several_at_once_makes_one_account(
    pool: Pool, email: str | None, phone: str | None, code: str
) -> None:
    """As a double tap does it, and two receptionists: a second account would take the first one's proof."""
    people = people_api(pool)
    desk = await _staff(people)

    made = await asyncio.gather(
        *(
            enter_user(people.people, email=email, phone=phone, name="Анна", admin_id=desk, now=people.now)
            for _ in range(AT_ONCE)
        ),
        return_exceptions=True,
    )

    refused = [str(one) for one in made if isinstance(one, ProblemError)]
    assert len([one for one in made if isinstance(one, User)]) == 1
    assert len([one for one in refused if one.startswith(f"409 {code}")]) == AT_ONCE - 1, refused


async def test_the_email_of_who_signs_in_by_a_password_is_replaced_but_not_removed(pool: Pool) -> None:
    """Without it nobody could sign in by the password, and no SMS opens an account that has one."""
    people = people_api(pool)
    desk = await _staff(people)
    async with people.pool.connection() as conn:
        anna = await add_user(conn, email="anna@example.com", phone=PHONE, password_hash="hash")

    async def edit(email: str | None) -> User:
        return await edit_user(
            people.people, anna, email=email, phone=PHONE, name="Анна", note="", admin_id=desk, language="ru", now=people.now
        )  # fmt: skip

    with pytest.raises(ProblemError, match="email_needed"):
        await edit(None)

    assert (await edit("new@example.com")).email == "new@example.com"


async def _staff(people: PeopleApi) -> int:
    async with people.pool.connection() as conn:
        return await add_user(conn, role="receptionist")
