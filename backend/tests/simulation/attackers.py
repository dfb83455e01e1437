"""Strangers who know nothing of a client but the phone, and book with it: online at the salon, or in our form.

YCLIENTS writes the e-mail of whoever books online on the card of the phone. They have proved theirs. The law: of a card
that we had seen without their e-mail they never get a visit but those that they booked in our form.
"""

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.database import fetch
from tests.simulation.process import Process
from tests.simulation.salon import Contact, SalonLife
from zerkalo.kit.clock import Clock
from zerkalo.outbox.model import Channel
from zerkalo.users import service
from zerkalo.users.proving import service as proof_service
from zerkalo.users.proving.model import Resolve

if TYPE_CHECKING:
    from tests.simulation.people import PeopleLife

DOMAIN = "@attacker.test"
"""Their accounts are known by it: no admin of the simulation gives them anything by hand."""


class Attackers:
    """A few accounts, and the cards of which our mirror could not know that their e-mail came late."""

    def __init__(
        self,
        rng: Random,
        counted: Counter[str],
        contacts: list[Contact],
        salon: SalonLife,
        people: "PeopleLife",
        clock: Clock,
    ) -> None:
        self.named_first: set[tuple[int, int]] = set()
        """(company, client id) of cards that we had not seen before an attacker's e-mail stood there: a limit that is told."""
        self._emails: dict[int, str] = {}
        self._rng = rng
        self._counted = counted
        self._contacts = contacts
        self._salon = salon
        self._people = people
        self._clock = clock

    def is_one(self, user_id: int | None) -> bool:
        """Whether the account is an attacker's."""
        return user_id in self._emails

    async def step(self, process: Process) -> str:
        """Sign up, or book with somebody's phone."""
        if not self._emails or self._rng.random() < 0.2:
            return await self._sign_up(process)
        user_id, email = self._rng.choice(sorted(self._emails.items()))
        victim = self._rng.choice(self._contacts)
        company_id = self._rng.choice(process.context.company_ids)
        is_known = await self._is_known(process, company_id, victim, email)
        if self._rng.random() < 0.4:
            how, api_id = "by our form", f"form-{self._rng.getrandbits(64):016x}"
            async with process.pool.connection() as conn:
                sql = "insert into form_bookings (api_id, user_id, company_id, created_at) values (%s, %s, %s, %s)"
                await conn.execute(sql, [api_id, user_id, company_id, self._clock()])
        else:
            how, api_id = "online at the salon", ""
        made = self._salon.book_online(company_id, victim.phone, email, api_id=api_id)
        if not is_known and made.client_id is not None:
            self.named_first.add((company_id, made.client_id))
        self._counted[f"attack: {how}, card {'known' if is_known else 'new'}"] += 1
        return f"{how} record {made.id}"

    async def _sign_up(self, process: Process) -> str:
        email = f"someone{self._rng.randrange(10**6)}{DOMAIN}"
        victim = self._rng.choice(self._contacts)
        user = await service.register(
            process.people,
            email=email,
            password="a long password",
            phone=f"+{victim.phone}",
            name="Чужой",
            address=f"10.0.4.{self._rng.randrange(200)}",
            now=self._clock(),
        )
        self._emails[user.id] = email
        asked: dict[str, Any] = {"language": "ru", "address": "10.0.5.1", "now": self._clock()}
        await proof_service.request_verification(process.people, user.id, Channel.EMAIL, **asked)
        code = await self._people.read_message(process, user.id)
        self._people.proofs.honest.add((user.id, email))
        await proof_service.confirm_verification(
            process.people, user.id, Channel.EMAIL, code, resolve=Resolve.TAKE, **asked
        )
        return f"{user.id} signs up"

    async def _is_known(self, process: Process, company_id: int, victim: Contact, email: str) -> bool:
        """Whether our mirror has seen the card of the victim's phone with a phone, and without the attacker's e-mail."""
        sql = """
            select from clients where company_id = %s and client_id = %s and phone is not null
                and first_email is not null and first_email <> %s
        """
        client_id = self._salon.card_of(company_id, victim.phone)
        async with process.pool.connection() as conn:
            return client_id is not None and bool(await fetch(conn, sql, company_id, client_id, email))
