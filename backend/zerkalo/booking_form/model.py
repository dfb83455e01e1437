"""The values of the booking form, frozen. Money in kopecks, durations in minutes, instants aware with the salon's offset."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from zerkalo.auth.model import Limit

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FormLimits:
    """Limits on the use of the form, counted by all processes on one database together.

    Questions use up YCLIENTS's rate limit, bookings the salon's time, SMS its money.
    """

    questions_of_address: Limit = Limit("form question address", 40, _MINUTE)
    """Questions that were sent to YCLIENTS: cached answers don't count."""
    questions_of_user: Limit = Limit("form question user", 40, _MINUTE)
    questions_of_guests: Limit = Limit("form question guests", 60, _MINUTE)
    """Of a company, by all guests together: signed-in users keep a share of their own."""
    questions_of_company: Limit = Limit("form question company", 100, _MINUTE)
    changes_of_user: Limit = Limit("form change user", 10, timedelta(minutes=10))
    """Moves and cancels; one costs up to six requests."""
    changes_of_address: Limit = Limit("form change address", 30, timedelta(minutes=10))
    changes_of_company: Limit = Limit("form change company", 300, _HOUR)
    bookings_of_address: Limit = Limit("form booking address", 30, _HOUR)
    bookings_of_phone: Limit = Limit("form booking phone", 15, _HOUR)
    bookings_of_company: Limit = Limit("form booking company", 300, _HOUR)
    looks_of_booking: Limit = Limit("form booking look", 1, _MINUTE)
    """Before a wish without a key is answered with a booking made before."""
    codes_of_phone: Limit = Limit("form code phone", 1, _MINUTE)
    codes_of_phone_a_day: Limit = Limit("form code phone a day", 8, _DAY)
    codes_of_address: Limit = Limit("form code address", 20, _HOUR)
    codes_of_company: Limit = Limit("form code company", 200, _HOUR)
    claims_of_user: Limit = Limit("form claim user", 10, _HOUR)
    claims_of_address: Limit = Limit("form claim address", 30, _HOUR)


def limits_of(requests_per_minute: int) -> FormLimits:
    """The default limits, with questions bounded by YCLIENTS's rate limit."""
    company = max(requests_per_minute // 2, 1)
    return FormLimits(
        questions_of_company=Limit("form question company", company, _MINUTE),
        questions_of_guests=Limit("form question guests", max(company * 3 // 5, 1), _MINUTE),
    )


@dataclass(frozen=True, slots=True)
class Asker:
    """The caller that a request counts for."""

    address: str
    """Of the network, as `auth.dependencies.client_address` gives it."""
    user_id: int | None = None
    """None: a guest."""
    form_id: str | None = None
    """The `api_id` of a booking that a guest has proved to have made in our form."""


@dataclass(frozen=True, slots=True)
class OfferedService:
    """A service that can be booked. The price is a range; 0 to 0 where the salon set none."""

    service_id: int
    title: str
    category: str
    price_min: int
    price_max: int
    duration: int | None
    """None where masters differ and none is chosen."""
    comment: str


@dataclass(frozen=True, slots=True)
class OfferedStaff:
    """A master who can be booked."""

    staff_id: int
    name: str
    specialization: str
    rating: float | None = None
    """Of 5; None where the salon does not show it, or nobody has voted."""
    votes: int = 0
    description: str = ""
    picture_url: str = ""
    """Of a portrait at YCLIENTS; "" where there is none."""


@dataclass(frozen=True, slots=True)
class OfferedTime:
    """A free time."""

    starts_at: datetime
    wall_time: str
    """As the salon's clock shows it, "15:30"."""
    duration: int | None


@dataclass(frozen=True, slots=True)
class Wish:
    """A request to book, as it was typed. A contact of None: the account's own, where there is one."""

    service_ids: tuple[int, ...]
    staff_id: int
    """0 is anybody."""
    starts_at: datetime
    """Naive: the salon's wall clock."""
    consent: bool
    """Consent to the processing of personal data; without it nothing is booked."""
    company_id: int | None = None
    """None: the only company there is."""
    comment: str = field(default="", repr=False)
    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    code: str = field(default="", repr=False)
    """From the SMS, where the salon wants phones confirmed."""


@dataclass(frozen=True, slots=True)
class Person:
    """What the form needs of the signed-in user."""

    id: int
    name: str
    phone: str | None
    email: str | None
    unique_code: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A valid wish: what is sent to YCLIENTS."""

    company_id: int
    service_ids: tuple[int, ...]
    staff_id: int
    starts_at: datetime
    name: str = field(repr=False)
    phone: str = field(repr=False)
    """E.164."""
    email: str = field(repr=False)
    """"" where none was given."""
    comment: str = field(repr=False)
    """With the user's code in front, if there is one."""
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Need:
    """What must be free for a booking to be moved."""

    company_id: int
    service_ids: tuple[int, ...]
    staff_id: int


@dataclass(frozen=True, slots=True)
class ClientRules:
    """What a salon lets its clients change, and until how many seconds before the visit."""

    may_move: bool | None
    """None: YCLIENTS does not say; try, and let it decide."""
    may_cancel: bool | None
    move_seconds_before: int
    cancel_seconds_before: int


@dataclass(frozen=True, slots=True)
class HookPlan:
    """The changes of adding our address to a branch's webhook settings; shown before they are made."""

    company_id: int
    adds_url: bool
    """False: it is listed, only events are turned on."""
    other_urls: int
    turned_on: tuple[str, ...]
    """Events, by YCLIENTS's names, that the other addresses don't get now and will get."""
    seen: str
    """A digest of the settings that the plan was made from; it is valid as long as they stay the same."""


@dataclass(frozen=True, slots=True)
class HookState:
    """A branch's webhook settings, as far as they concern us. Other integrations' addresses are counted, never shown."""

    company_id: int
    url: str
    """Ours, with the secret: for admins only."""
    is_listed: bool
    """Our address stands in the list."""
    is_active: bool
    """Webhooks are on, those about records among them."""
    other_urls: int

    @property
    def is_set_up(self) -> bool:
        """Whether YCLIENTS sends us changes."""
        return self.is_listed and self.is_active
