"""What happened on our side before somebody looks: accounts, a run that failed, points by hand, a call nobody can read."""

import math
from collections.abc import Sequence
from datetime import timedelta

from yclients_emulator.emulator import Emulator
from zerkalo.auth.model import Role
from zerkalo.checkup.service import webhook_url
from zerkalo.cli.demo.model import (
    ADMIN,
    BORROWED,
    BORROWER,
    COMPANY_ID,
    RECEPTIONIST,
    UNPROVED,
    USER,
    Guest,
    named,
)
from zerkalo.companies.store import know_companies
from zerkalo.composition import Parts
from zerkalo.db.transaction import transaction
from zerkalo.loyalty.by_hand.service import adjust, redeem
from zerkalo.runs import store as runs
from zerkalo.users.model import NewUser
from zerkalo.users.proving.store import holder_of_email
from zerkalo.users.service import CodeTaken, EmailTaken, add_user
from zerkalo.yclients.errors import VendorUnavailable

UNREADABLE = {
    "company_id": COMPANY_ID,
    "resource": "record",
    "resource_id": 990_001,
    "status": "create",
    "data": {"id": 990_001, "company_id": COMPANY_ID, "date": "завтра в три", "services": "стрижка"},
}
"""A call that another program has posted to the webhook's address by mistake."""
FAILED_RUN = str(VendorUnavailable("status 503"))
POINTS_SPENT, POINTS_GIVEN = 700, 300


async def add_accounts(parts: Parts, people: Sequence[Guest]) -> None:
    """The accounts of those who have one, one who has proved nothing, and a receptionist's; only where none was before.

    All have the same password: its hash is made once, or the demo would start some seconds later.
    """
    password_hash = await parts.people.auth.passwords.hash(USER.password, address="console")
    unproved = named(people, UNPROVED)
    accounts = [_account_of(one, password_hash) for one in people if one.is_user or one is unproved]
    receptionist = NewUser(
        email=RECEPTIONIST.email,
        name=RECEPTIONIST.name,
        unique_code=RECEPTIONIST.code,
        password_hash=password_hash,
        role=Role.RECEPTIONIST,
        email_proved=True,
    )
    async with transaction(parts.pool) as conn:
        for new in (receptionist, *accounts):
            try:
                await add_user(conn, new, now=parts.clock(), new_code=parts.people.ports.new_code)
            except (EmailTaken, CodeTaken):
                # The first of them was here before, and may have left since: whoever looks at the demo decides.
                return


def _account_of(guest: Guest, password_hash: str) -> NewUser:
    return NewUser(
        email=guest.email,
        phone=guest.phone,
        name=f"{guest.name} {guest.surname}",
        unique_code=guest.code or None,
        password_hash=password_hash,
        email_proved=guest.is_user,
        phone_proved=guest.is_user,
    )


async def fail_yesterday(parts: Parts) -> None:
    """A run of yesterday that YCLIENTS did not answer; the first of today reads what it could not."""
    then = parts.clock() - timedelta(days=1)
    async with transaction(parts.pool) as conn:
        await know_companies(conn, [COMPANY_ID], now=then)
        if await runs.latest_runs(conn, before_id=None, limit=1):
            return
        await runs.open_run(conn, COMPANY_ID, full_history=False, now=then)
        run = await runs.claim_run(conn, COMPANY_ID, "demo")
        assert run is not None, "opened above, and nobody else has seen it"
        await runs.fail_run(
            conn, run, "demo", error=FAILED_RUN, refused=False, now=then + timedelta(minutes=2)
        )


async def tell_the_rest(parts: Parts, emulator: Emulator, people: Sequence[Guest]) -> None:
    """Sync. In a new salon there follow points spent and given, an e-mail that came late, a call that can't be read.

    `people` is empty where the salon is not new.
    """
    run = await parts.runs.open_or_join(COMPANY_ID)
    await parts.bells.sync(COMPANY_ID)
    await parts.runs.wait([run.id], timeout_seconds=math.inf)
    if not people:
        return
    await move_points(parts)
    company = emulator.vendor.company(COMPANY_ID)
    card = emulator.vendor.client_by_phone(company.id, named(people, BORROWER).phone[1:])
    assert card is not None, "every guest has a card"
    emulator.vendor.change_client(emulator.now(), card.id, email=named(people, BORROWED).email)
    emulator.hooks.announce((webhook_url(parts.settings),), UNREADABLE)


async def move_points(parts: Parts) -> None:
    """Points that an admin gave to Anna and took for a visit; repeated, nothing moves again."""
    async with parts.pool.connection() as conn:
        user, admin = [await holder_of_email(conn, one.email) for one in (USER, ADMIN)]
    assert user is not None, "added before the first sync"
    assert admin is not None, "the start makes the admin of the settings"
    # A visit that was read before the account stood earns once the worker has looked at it again. That is not
    # waited for but done here: a redemption that comes before would find too few points.
    await parts.applier.rematcher.rematch(user.id)
    for move, points, reason in (
        (adjust, POINTS_GIVEN, "Подарок ко дню рождения"),
        (redeem, POINTS_SPENT, "Оплата части укладки"),
    ):
        await move(
            parts.pool,
            user_id=user.id,
            points=points,
            reason=reason,
            idempotency_key=f"demo {move.__name__}",
            admin_id=admin.id,
            policy=parts.policy,
            now=parts.clock(),
        )
