"""The emulator as one object: truth, clock, hooks, faults and limits. A caller in the same process uses this."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from msgspec import Struct, structs

from yclients_emulator.faults import Faults
from yclients_emulator.hooks import HookQueue, HttpSender, Sender
from yclients_emulator.limits import RateLimiter
from yclients_emulator.listing import ListFilter, Listing
from yclients_emulator.model import Client, Company, Event, HookSettings, Record
from yclients_emulator.rendering.others import render_client_event, render_finance_event
from yclients_emulator.rendering.records import View, render_record
from yclients_emulator.settings import EmulatorSettings
from yclients_emulator.vendor import Vendor

RENDERED_MAX = 20_000  # cached bodies; about 50 MB
LISTINGS_MAX = 64
REQUESTS_MAX = 10_000


class SeenRequest(Struct, frozen=True, kw_only=True):
    """One answered request, for tests that check the requests."""

    at: datetime
    address: str
    method: str
    path: str
    query: str
    http_status: int
    with_user_token: bool


def utc_now() -> datetime:
    return datetime.now(UTC)


class Emulator:
    """A vendor that can be used over HTTP (`app.build_app`), called directly, and made to fail.

    `seed` decides everything random; `clock` (aware) is the emulator's time and `sleep` is used by a hanging answer:
    a simulation passes its own. `sender` sends webhooks. Nothing runs by itself until the app's lifespan
    starts, which it does not in process (ASGITransport): there the caller delivers with `hooks.deliver_due()`.
    """

    def __init__(
        self,
        settings: EmulatorSettings | None = None,
        *,
        seed: int = 1,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        sender: Sender | None = None,
    ) -> None:
        self.settings = settings or EmulatorSettings()
        self.seed = seed
        self.sleep = sleep
        self.forwarded = timedelta()  # how far the emulator's time was moved ahead
        self.skew = timedelta()  # the vendor's clock minus the emulator's time
        self.hidden: set[int] = set()
        """Records that the token may not see: lists omit them, and a GET of one is answered 404."""
        self.hides_contacts = False
        """The token may not see clients' phones and e-mails: the API shows them empty."""
        self.muted = False  # while true, changes send no webhooks
        self.requests: deque[SeenRequest] = deque(maxlen=REQUESTS_MAX)
        self.before_request: list[Callable[[str, str], None]] = []  # called with method and path
        self.background: list[Callable[[], Awaitable[None]]] = []  # what the app's lifespan runs
        self.turn = 0  # counts answers whose shape rotates
        self._clock = clock
        self.vendor = Vendor(self.random("vendor"), self._announce)
        self.hooks = HookQueue(self.random("hooks"), self.time, sender or HttpSender())
        self.faults = Faults(self.random("faults"))
        self.limiter = RateLimiter()
        self._rendered: dict[tuple[int, View], tuple[tuple[object, ...], bytes]] = {}
        self._listings: dict[tuple[int, ListFilter, str], tuple[int, Listing]] = {}

    def random(self, stream: str) -> Random:
        """Return a separate random stream, so that drawing more from one does not shift the others."""
        return Random(f"{self.seed}/{stream}")

    def time(self) -> datetime:
        """Return the emulator's time, used for deliveries and rate limits."""
        return self._clock() + self.forwarded

    def now(self) -> datetime:
        """Return the vendor's clock, used for change times, free slots and the like."""
        return self.time() + self.skew

    # --- reading

    def listing(self, company: Company, wanted: ListFilter) -> Listing:
        """Return the list of records, rebuilt only when a record of the branch has changed."""
        key = (company.id, wanted, self.settings.list_order)
        revision = self.vendor.revisions[company.id]
        known = self._listings.get(key)
        if known is not None and known[0] == revision:
            return known[1]
        if len(self._listings) >= LISTINGS_MAX:
            self._listings.clear()
        listing = Listing(self.vendor, company, wanted, self.settings.list_order)
        self._listings[key] = (revision, listing)
        return listing

    def record_body(self, record: Record, view: View) -> dict[str, Any]:
        """Return a record as the vendor renders it in that view."""
        vendor = self.vendor
        client = vendor.client(record.client_id)
        if client is not None and self.hides_contacts and view != "hook":
            client = structs.replace(client, phone="", email="")
        return render_record(
            record,
            vendor.company(record.company_id),
            vendor.staff.get(record.staff_id),
            client,
            view,
            quirks=self.settings.quirks,
            cost_covers=self.settings.cost_covers,
        )

    def record_bytes(self, record: Record, view: View) -> bytes:
        """Return the same as JSON; cached for stored records until they, their client or the settings change."""
        if record.id not in self.vendor.records[record.company_id]:
            return msgspec.json.encode(self.record_body(record, view))
        client = self.vendor.client(record.client_id)
        basis = (record, client, self.vendor.staff.get(record.staff_id), self.settings, self.hides_contacts)
        key = (record.id, view)
        known = self._rendered.get(key)
        if known is not None and all(old is new for old, new in zip(known[0], basis, strict=True)):
            return known[1]
        if len(self._rendered) >= RENDERED_MAX:
            self._rendered.clear()
        body = msgspec.json.encode(self.record_body(record, view))
        self._rendered[key] = (basis, body)
        return body

    # --- webhooks

    def set_hooks(self, company_id: int, urls: Sequence[str], **switches: int) -> HookSettings:
        """Set a branch's webhook addresses; `record` and `client` events unless `switches` differ."""
        settings = HookSettings(
            urls=tuple(urls),
            active=1,
            switches=switches or {"record": 1, "client": 1},
            self_sending=self.settings.self_sending,
        )
        self.vendor.hooks[company_id] = settings
        return settings

    def envelope(self, event: Event) -> dict[str, Any]:
        """The webhook body of an event."""
        subject = event.subject
        if isinstance(subject, Client):
            shown = render_client_event(subject, self.vendor.company(event.company_id))
        else:
            shown = self.record_body(subject, "hook")
        return {
            "company_id": event.company_id,
            "resource": event.resource,
            "resource_id": event.resource_id,
            "status": event.status,
            "data": shown,
        }

    def tell_schedule(self, company_id: int, staff_id: int) -> None:
        """Send a `schedule` event, whose data is always the empty list (body 16)."""
        settings = self.vendor.hook_settings(company_id)
        body = {"company_id": company_id, "resource": "schedule", "resource_id": staff_id}
        told = settings.urls_told("schedule")
        self.hooks.announce(told, body | {"status": "update", "data": list[Any]()})

    def _announce(self, event: Event) -> None:
        settings = self.vendor.hook_settings(event.company_id, self.settings.self_sending)
        suppressed = event.by_user and not settings.self_sending
        if self.muted or suppressed:
            return
        if told := settings.urls_told(event.resource):
            self.hooks.announce(told, self.envelope(event))
        record = event.subject
        paid_urls = settings.urls_told("finances_operation")
        if isinstance(record, Record) and record.attendance == 1 and paid_urls:
            self._announce_payment(record, paid_urls)

    def _announce_payment(self, record: Record, urls: tuple[str, ...]) -> None:
        company = self.vendor.company(record.company_id)
        payment = render_finance_event(record, self.vendor.client(record.client_id), company)
        self.hooks.announce(
            urls,
            {
                "company_id": record.company_id,
                "resource": "finances_operation",
                "resource_id": payment["id"],
                "status": "create",
                "data": payment,
            },
        )
