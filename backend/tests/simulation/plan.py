"""What a seed decides once: the settings of Zerkalo, the habits of YCLIENTS, where and when it all happens."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from yclients_emulator import EmulatorSettings
from zerkalo.notices.model import Kind
from zerkalo.settings import Settings

SECRET = "a-secret-that-nobody-guesses"
ZONES = (
    "Europe/Moscow",
    "Europe/Berlin",
    "Asia/Yekaterinburg",
    "America/New_York",
    "Pacific/Auckland",
    "Asia/Kathmandu",
)
DAYS = (
    (datetime(2026, 10, 24, 8, tzinfo=UTC), "Europe/Berlin"),  # clocks go back in the following night
    (datetime(2027, 3, 27, 12, tzinfo=UTC), "Europe/Berlin"),  # and forth
    (datetime(2026, 11, 1, 0, tzinfo=UTC), "America/New_York"),  # back
    (datetime(2026, 12, 30, 20, tzinfo=UTC), "Europe/Moscow"),
    (datetime(2028, 2, 28, 6, tzinfo=UTC), "Europe/Moscow"),
)
"""When it begins, and where a branch is for which that matters."""


@dataclass(frozen=True)
class Plan:
    """Drawn by `draw_plan`."""

    settings: Settings = field(repr=False)
    settings_later: Settings = field(repr=False)
    """After a restart in the middle: the programme of bonuses may have changed."""
    vendor: EmulatorSettings = field(repr=False)
    began_at: datetime
    zones: dict[int, str]
    wrong_summer_offset: bool
    rezoned: bool
    """One branch's zone is corrected in the middle."""
    skew: timedelta
    hours: float
    sweep_seconds: float
    tick_seconds: float
    tend_seconds: float
    processes: int
    acts_per_hour: float
    is_rough: bool
    """False: nothing breaks, only deliveries go wrong."""

    @property
    def counted(self) -> Counter[str]:
        """What of the plan is trouble by itself, for the report."""
        drawn = {
            "clocks apart": bool(self.skew),
            "two processes": self.processes > 1,
            "several branches": len(self.zones) > 1,
            "without a secret": self.settings.yclients_webhook_secret is None,
            "an e-mail alone does not count": not self.settings.match_email_alone,
            "wrong summer offset": self.wrong_summer_offset,
            "settings changed by a restart": self.settings_later is not self.settings,
        }
        return Counter({f"seed: {name}": int(value) for name, value in drawn.items() if value})

    @property
    def webhook_path(self) -> str:
        """Where YCLIENTS sends its events."""
        secret = self.settings.yclients_webhook_secret
        return "/api/v1/yclients/webhook" + (f"?token={secret}" if secret else "")


def draw_plan(rng: Random) -> Plan:
    """The plan of a seed."""
    day, first_zone = rng.choice(DAYS)
    others = rng.sample([zone for zone in ZONES if zone != first_zone], rng.choice((0, 1, 1, 2)))
    zones = {100200 + n: zone for n, zone in enumerate((first_zone, *others))}
    settings = Settings(
        data_dir=Path("/nonexistent"),
        yclients_enabled=True,
        yclients_partner_token="emulator-partner-token",
        yclients_user_token="emulator-user-token",
        yclients_company_ids=tuple(zones),
        yclients_webhook_secret=SECRET if rng.random() < 0.6 else None,
        yclients_sync_interval_minutes=rng.choice((60, 120, 240)),
        yclients_sync_window_days=rng.choice((3, 10, 30)),
        match_email_alone=rng.random() < 0.7,
        loyalty_enabled=rng.random() < 0.8,
        loyalty_percent=Decimal(rng.choice(("5", "7.5", "0.33", "10"))),
        yclients_balance_field="points",
        notices=tuple(Kind),
        remind_hours_before=24,
        smtp_url="smtp://mail.salon.test:25",
        sms_url="https://sms.salon.test/?to={phone}&text={text}",
    )
    began_at = day + timedelta(minutes=rng.randrange(600))
    later = {"loyalty_enabled": True, "loyalty_percent": Decimal(rng.choice(("5", "12")))}
    if rng.random() < 0.5:
        later["loyalty_start_date"] = _near(began_at, rng)
    vendor = EmulatorSettings(
        page_size_max=rng.choice((4, 10, 20, 50, 200)),
        list_order=rng.choice(("id", "id_desc", "date", "changed")),
        deleted_get=rng.choice(("record", "404")),
        cost_covers=rng.choice(("unit", "total", "rotate")),
        client_edit_touches_records=rng.random() < 0.3,
        retry_after=rng.random() < 0.5,
        rate_limit_body=rng.random() < 0.5,
    )
    return Plan(
        settings=settings,
        settings_later=settings.model_copy(update=later) if rng.random() < 0.4 else settings,
        vendor=vendor,
        began_at=began_at,
        zones=zones,
        wrong_summer_offset=rng.random() < 0.4,
        rezoned=rng.random() < 0.15,
        skew=timedelta(seconds=rng.choice((0, 0, -90, 400, -3000, 7200))),
        hours=rng.choice((3, 5, 8)),
        sweep_seconds=rng.choice((900, 1800, 3600)),
        tick_seconds=rng.choice((1200, 2400)),
        tend_seconds=rng.choice((3600, 10_000)),
        processes=rng.choice((1, 2, 2)),
        acts_per_hour=rng.choice((8, 15, 30)),
        is_rough=rng.random() < 0.85,
    )


def _near(moment: datetime, rng: Random) -> date:
    return (moment + timedelta(days=rng.randrange(-20, 3))).date()
