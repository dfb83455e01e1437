"""What people do with us: register, prove, change, import, merge, erase, spend. Remembers who ever proved what."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.attackers import DOMAIN, Attackers
from tests.simulation.database import fetch
from tests.simulation.process import DATABASE_ERRORS, Process
from tests.simulation.salon import Contact, SalonLife
from zerkalo.codes.rules import new_code
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty.by_hand import service as by_hand
from zerkalo.mirror.by_hand import service as card_links
from zerkalo.mirror.by_hand.service import link_by_hand, unlink_by_hand
from zerkalo.outbox.model import Channel
from zerkalo.users import service
from zerkalo.users.erasing.service import erase_user
from zerkalo.users.merging import service as merge_service
from zerkalo.users.model import NewUser
from zerkalo.users.proving import service as proof_service
from zerkalo.users.proving.model import Resolve


@dataclass
class Proofs:
    """Who ever proved what, as the database showed it after each act; and what was honestly proved at all."""

    emails: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    phones: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    honest: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])
    """(user, contact) whose code somebody entered who could read it, or that an admin entered."""
    erased_bookings: set[int] = field(default_factory=set[int])


class PeopleLife:
    """One act a `step`. Each goes to a process that may die under it; then the person gives up, or comes again."""

    def __init__(
        self,
        rng: Random,
        codes: Random,
        counted: Counter[str],
        contacts: list[Contact],
        salon: SalonLife,
        clock: Clock,
    ) -> None:
        self.proofs = Proofs()
        self.hand_points: list[tuple[int, int, str]] = []
        """(user, points, key) of movements by hand that were asked for."""
        self.hand_links: dict[tuple[int, int], int | None] = {}
        """(company, record) -> whose an admin said it is; None: nobody's, for good."""
        self.given_cards: set[tuple[tuple[int, int], int]] = set()
        """((company, client id), user) of cards that an admin ever gave, or began to give."""
        self._linking: tuple[tuple[int, int], int | None] | None = None
        self.answered_points: set[tuple[int, int]] = set()
        """(entry, points) of those that somebody was told are done."""
        self._rng = rng
        self._codes = codes
        self._counted = counted
        self._contacts = contacts
        self._salon = salon
        self._clock = clock
        self._keys = 0
        self._entering: NewUser | None = None
        """Whom an admin has begun to enter: the process may die between the commit and telling us her number."""
        self._known_id_max = 0
        self.attackers = Attackers(rng, counted, contacts, salon, self, clock)

    async def step(self, process: Process) -> str:
        """Do one thing by this process and say what."""
        acts = [self._register, self._register, self._prove, self._prove, self._prove, self._enter]
        acts += [self._change_contact, self._erase, self._merge, self._move_points, self._form, self._steal]
        acts += [self._link, self._give_card, self._give_card, self._take_card_back]
        acts += [self.attackers.step, self.attackers.step]
        act = self._rng.choice(acts)
        name = "attack" if act == self.attackers.step else act.__name__.strip("_")
        try:
            done = await act(process)
        except ProblemError as error:
            return f"{name}: {error.code}"
        except DATABASE_ERRORS as error:
            return f"{name}: {type(error).__name__}"
        self._counted[f"people: {name}" if done else "people: rest"] += 1
        return f"{name} {done}"

    async def remember(self, conn: Connection) -> None:
        """Note who has proved what by now, who was entered with which contacts, and which bookings are erased."""
        for user in await fetch(conn, "select * from users where erased_at is null order by id"):
            if self._entering is not None and user["id"] > self._known_id_max:
                self.proofs.honest |= {
                    (user["id"], text) for text in (self._entering.email, self._entering.phone) if text
                }
            if user["email_verified_at"] is not None:
                self.proofs.emails.setdefault(user["email"].lower(), set()).add(user["id"])
            if user["phone_verified_at"] is not None:
                self.proofs.phones.setdefault(user["phone10"], set()).add(user["id"])
        erased = await fetch(conn, "select id from bookings where erased_at is not null")
        self.proofs.erased_bookings |= {row["id"] for row in erased}
        if (
            self._linking is not None
        ):  # whether it was done is only known to the database, if the process died over it
            key, user_id = self._linking
            sql = "select user_id, matched_by from bookings where company_id = %s and yclients_record_id = %s"
            if [(user_id, "manual")] == [tuple(row.values()) for row in await fetch(conn, sql, *key)]:
                self.hand_links[key] = user_id
            self._linking = None
        (newest,) = await fetch(conn, "select coalesce(max(id), 0) as id from users")
        self._known_id_max, self._entering = newest["id"], None

    async def _register(self, process: Process) -> str:
        contact = self._rng.choice(self._contacts)
        user = await service.register(
            process.people,
            email=contact.email,
            password="a long password",
            phone=f"+{contact.phone}",
            name=contact.name,
            address=f"10.0.0.{self._rng.randrange(200)}",
            now=self._clock(),
        )
        contact.code = user.unique_code or ""
        return str(user.id)

    async def _prove(self, process: Process) -> str:
        """She asks for a code, reads it and enters it."""
        user = await self._somebody(process, "email_verified_at is null or phone_verified_at is null")
        if user is None:
            return ""
        channel = Channel.PHONE if user["email_verified_at"] else self._rng.choice(list(Channel))
        await proof_service.request_verification(
            process.people,
            user["id"],
            channel,
            language="ru",
            address=f"10.0.1.{self._rng.randrange(200)}",
            now=self._clock(),
        )
        message = await self.read_message(process, user["id"])
        self.proofs.honest.add((user["id"], user[channel.value]))
        await proof_service.confirm_verification(
            process.people,
            user["id"],
            channel,
            message,
            resolve=Resolve.TAKE,
            address="10.0.1.1",
            language="ru",
            now=self._clock(),
        )
        return f"{user['id']} {channel}"

    async def _steal(self, process: Process) -> str:
        """Somebody claims another's contact; the code goes to the other, so she guesses."""
        victim = self._rng.choice(self._contacts)
        now = self._clock()
        thief = await service.register(
            process.people,
            email=f"thief{self._rng.randrange(10**6)}@salon.test",
            password="a long password",
            phone=f"+{victim.phone}",
            name="Чужая",
            address=f"10.0.2.{self._rng.randrange(200)}",
            now=now,
        )
        await proof_service.request_verification(
            process.people,
            thief.id,
            Channel.PHONE,
            language="ru",
            address="10.0.3.1",
            now=now,
        )
        message = await self.read_message(process, thief.id)
        guess = f"{(int(message) + 1) % 1_000_000:06d}"
        await proof_service.confirm_verification(
            process.people, thief.id, Channel.PHONE, guess, address="10.0.3.1", language="ru", now=now
        )
        return f"{thief.id} although the code was wrong"

    async def _enter(self, process: Process) -> str:
        """An admin or an import enters somebody: her contacts count as proved, her code may stand in comments already."""
        contact = self._rng.choice(self._contacts)
        email_proved, phone_proved = self._rng.random() < 0.5, self._rng.random() < 0.5
        new = NewUser(
            email=contact.email if self._rng.random() < 0.7 else None,
            phone=f"+{contact.phone}",
            name=contact.name,
            unique_code=self._planned_code(contact),
            email_proved=email_proved,
            phone_proved=phone_proved,
        )

        self._entering = new

        async def add(conn: Connection) -> Any:
            return await service.add_user(
                conn, new, now=self._clock(), new_code=lambda: new_code(self._codes)
            )

        try:
            user = await in_transaction(process.pool, add)
        except (service.EmailTaken, service.CodeTaken):
            return ""
        contact.code = user.unique_code or ""
        await process.people.ports.on_contact_proved(user.id)
        return str(user.id)

    def _planned_code(self, contact: Contact) -> str | None:
        """Her old card's code, which the salon has been writing into comments since before we knew her."""
        if contact.code:
            return None
        contact.code = new_code(self._codes)
        self._salon.codes.add(contact.code)
        return contact.code if self._rng.random() < 0.7 else None

    async def _change_contact(self, process: Process) -> str:
        user = await self._somebody(process, "true")
        if user is None:
            return ""
        other = self._rng.choice(self._contacts)
        change_email = self._rng.random() < 0.5
        await service.change_profile(
            process.people,
            user["id"],
            change=lambda known: (
                other.email if change_email else known.email,
                known.phone if change_email else f"+{other.phone}",
                known.name,
            ),
            is_confirmed=True,
            language="ru",
            now=self._clock(),
        )
        return str(user["id"])

    async def _erase(self, process: Process) -> str:
        user = await self._somebody(process, "true")
        if user is None or self._rng.random() < 0.5:
            return ""
        await erase_user(
            process.pool,
            user["id"],
            settle_bookings=process.people.ports.settle_bookings,
            now=self._clock(),
        )
        for contact in self._contacts:
            if contact.code == user["unique_code"]:
                contact.code = ""
        return str(user["id"])

    async def _merge(self, process: Process) -> str:
        old, kept = await self._somebody(process, "true"), await self._somebody(process, "true")
        if old is None or kept is None or self._rng.random() < 0.5:
            return ""
        await merge_service.merge_users(
            process.people, from_id=old["id"], into_id=kept["id"], admin_id=kept["id"], now=self._clock()
        )
        return f"{old['id']} into {kept['id']}"

    async def _move_points(self, process: Process) -> str:
        user = await self._somebody(process, "true")
        if user is None:
            return ""
        points = self._rng.choice((50, 10, -20, -30, -1000))
        self._keys += 1
        key = f"key {self._keys}"
        move: Callable[..., Awaitable[Any]] = by_hand.adjust if points > 0 else by_hand.redeem
        self.hand_points.append((user["id"], points, key))
        for _ in range(self._rng.choice((1, 2))):
            entry = await move(
                process.pool,
                user_id=user["id"],
                points=abs(points),
                reason="by hand",
                idempotency_key=key,
                admin_id=user["id"],
                policy=process.policy,
                now=self._clock(),
            )
            self.answered_points.add((entry.id, points))
        return f"{user['id']} {points}"

    async def _link(self, process: Process) -> str:
        """An admin says whose a booking is, or that it is nobody's."""
        admin = await self._somebody(process, "true")
        sql = "select * from bookings where erased_at is null order by id"
        async with process.pool.connection() as conn:
            bookings = await fetch(conn, sql)
        if admin is None or not bookings:
            return ""
        booking = self._rng.choice(bookings)
        user = await self._somebody(process, "true") if self._rng.random() < 0.7 else None
        key = (booking["company_id"], booking["yclients_record_id"])
        self._linking = (key, user["id"] if user else None)
        said = {
            "booking_id": booking["id"],
            "admin_id": admin["id"],
            "policy": process.policy,
            "now": self._clock(),
        }
        if user is None:
            await unlink_by_hand(process.pool, **said)
        else:
            await link_by_hand(process.pool, user_id=user["id"], **said)
        self.hand_links[key] = user["id"] if user else None
        return f"record {key[1]} {self.hand_links[key]}"

    async def _give_card(self, process: Process) -> str:
        """An admin gives a card with all its visits to somebody."""
        admin, user = await self._somebody(process, "true"), await self._somebody(process, "true")
        key = await self._some_card(process, "user_id is null")
        if admin is None or user is None or key is None:
            return ""
        self.given_cards.add((key, user["id"]))
        await card_links.give_card(
            process.pool,
            process.applier.rematcher.rematch_card,
            key,
            user["id"],
            admin_id=admin["id"],
            is_sure=self._rng.random() < 0.7,
            now=self._clock(),
        )
        return f"{key[1]} to {user['id']}"

    async def _take_card_back(self, process: Process) -> str:
        admin, key = (
            await self._somebody(process, "true"),
            await self._some_card(process, "user_id is not null"),
        )
        if admin is None or key is None:
            return ""
        rematch = process.applier.rematcher.rematch_card
        await card_links.take_card_back(process.pool, rematch, key, admin_id=admin["id"], now=self._clock())
        return f"{key[1]}"

    async def _some_card(self, process: Process, where: str) -> tuple[int, int] | None:
        sql = f"select company_id, client_id from clients where erased_at is null and {where} order by 1, 2"
        async with process.pool.connection() as conn:
            keys = [tuple(row.values()) for row in await fetch(conn, sql)]
        return self._rng.choice(keys) if keys else None

    async def _form(self, process: Process) -> str:
        """She books through our form: written down first, then YCLIENTS is asked; whether its answer comes is luck."""
        user = await self._somebody(process, "true")
        if user is None:
            return ""
        company_id = self._rng.choice(process.context.company_ids)
        api_id = f"form-{self._rng.getrandbits(64):016x}"
        sql = "insert into form_bookings (api_id, user_id, company_id, created_at) values (%s, %s, %s, %s)"
        async with process.pool.connection() as conn:
            await conn.execute(sql, [api_id, user["id"], company_id, self._clock()])
        record_id = self._salon.book_online(company_id, "79000009999", api_id=api_id).id
        if self._rng.random() < 0.5:
            answered = "update form_bookings set record_id = %s, status = 'booked' where api_id = %s"
            async with process.pool.connection() as conn:
                await conn.execute(answered, [record_id, api_id])
        return f"{user['id']} record {record_id}"

    async def _somebody(self, process: Process, where: str) -> dict[str, Any] | None:
        async with process.pool.connection() as conn:
            sql = f"""
                select * from users where erased_at is null and ({where})
                    and coalesce(email, '') not like '%%{DOMAIN}' order by id
            """
            users = await fetch(conn, sql)
        return self._rng.choice(users) if users else None

    async def read_message(self, process: Process, user_id: int) -> str:
        """The code of the newest message to a user."""
        sql = "select body from outbox where user_id = %s order by id desc limit 1"
        async with process.pool.connection() as conn:
            (message,) = await fetch(conn, sql, user_id)
        found = re.search(r"\b\d{6}\b", message["body"])
        assert found is not None, "a message with a code has a code"
        return found[0]
