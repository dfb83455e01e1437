"""What all pages of one process share: its parts, templates, keys, and the salon's branches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from jinja2 import Environment

from zerkalo.auth.rules import derive_key
from zerkalo.companies.model import Branch
from zerkalo.companies.store import branches
from zerkalo.engine.service import Bells
from zerkalo.kit.single_flight import SingleFlight
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.mirror.service import Applier
from zerkalo.runs.service import Runs
from zerkalo.settings import Settings
from zerkalo.users.routes import PeopleRuntime
from zerkalo.web.pages.admin.desk import Desk, DeskRuntime
from zerkalo.web.pages.assets import Asset, Assets, asset_of, read_assets
from zerkalo.web.pages.look.rules import sheet
from zerkalo.web.pages.templating import new_environment

SHEET = "salon.css"
SALON_KEPT_SECONDS = 60.0
_SALON = "salon"


class PagesRuntime(PeopleRuntime, DeskRuntime, Protocol):
    """What the pages need of the process's parts."""

    @property
    def secret_key(self) -> str: ...
    @property
    def policy(self) -> LoyaltyPolicy: ...
    @property
    def applier(self) -> Applier: ...
    @property
    def bells(self) -> Bells: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def refetcher(self) -> Refetcher: ...
    @property
    def sync(self) -> SyncContext: ...


@dataclass(frozen=True, slots=True)
class Salon:
    """The salon as every page shows it, as last read."""

    title: str = ""
    """The name in the settings, else the title of the only branch; "" where there are several, or it is not known yet."""
    zone: tzinfo = UTC
    """Zone of the first branch; gives the day of what belongs to no visit, ledger entries for example."""
    places: Mapping[int, Branch] = field(default_factory=dict[int, Branch])
    """Every branch, by company."""
    branches: Mapping[int, str] = field(default_factory=dict[int, str])
    """Title by company, "" where it is not known yet; empty where there is only one branch."""


@dataclass(frozen=True)
class Site:
    """The pages of one process."""

    runtime: PagesRuntime
    assets: Assets
    environment: Environment
    csrf_key: bytes
    receipt_key: bytes
    """Signs the addresses of bookings just made."""
    desk: Desk
    salons: SingleFlight
    """Caches the `Salon`."""
    own_names: tuple[str, ...] = ()
    """Names of the salon's own assets: its style sheet, its logo."""

    @property
    def salon(self) -> Salon:
        """The salon as last read, without reading: error pages must not need the database."""
        return self.salons.last(_SALON) or Salon()

    @property
    def sheet(self) -> str:
        """The name of the style sheet with the salon's colour; "" without one."""
        return SHEET if SHEET in self.own_names else ""

    @property
    def logo(self) -> str:
        """The name of the salon's logo; "" without one."""
        return next((name for name in self.own_names if name != SHEET), "")

    async def refresh_salon(self) -> None:
        """Read the salon anew, at most once in `SALON_KEPT_SECONDS`."""
        await self.salons.get(_SALON, self._read_salon, keep=SALON_KEPT_SECONDS)

    async def _read_salon(self) -> Salon:
        async with self.runtime.pool.connection() as conn:
            known = await branches(conn, self.runtime.settings.yclients_company_ids)
        return Salon(
            title=self.runtime.settings.salon_name or (known[0].title if len(known) == 1 else ""),
            zone=_zone(known[0].timezone_name) if known else UTC,
            places={one.company_id: one for one in known},
            branches={one.company_id: one.title for one in known} if len(known) > 1 else {},
        )


def new_site(runtime: PagesRuntime) -> Site:
    """Make the site of these parts. Reads templates and static files."""
    own = _own_assets(runtime.settings)
    assets = read_assets().and_own(own)
    return Site(
        runtime,
        assets,
        new_environment(assets),
        csrf_key=derive_key(runtime.secret_key, "page forms"),
        receipt_key=derive_key(runtime.secret_key, "booking receipt"),
        desk=Desk(runtime),
        salons=SingleFlight(lambda: runtime.clock().timestamp()),
        own_names=tuple(own),
    )


def _own_assets(settings: Settings) -> dict[str, Asset]:
    """Return the salon's colour and logo from the settings as assets; empty where neither is set."""
    files: dict[str, Asset] = {}
    if settings.salon_color:
        files[SHEET] = asset_of(SHEET, sheet(settings.salon_color).encode())
    if settings.salon_logo:
        name = f"salon-logo{settings.salon_logo.suffix.lower()}"
        files[name] = asset_of(name, settings.salon_logo.read_bytes())
    return files


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC
