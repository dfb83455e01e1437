"""Settings: read once from the environment and one `.env` file into a frozen object.

Nobody else reads the environment. A field is the setting's name in lower case; `.env.example` explains
each with its unit and default, and a test holds the two in agreement.
"""

import os
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from zerkalo import setting_values as values
from zerkalo.dotenv import DotenvError, DotenvFile, find_dotenv, read_dotenv
from zerkalo.setting_names import meant_by
from zerkalo.setting_values import LoyaltyTier

__all__ = ["SETTING_NAMES", "LoyaltyTier", "Settings", "SettingsError", "load_settings"]


class SettingsError(Exception):
    """A setting is wrong or missing. Its text is one line: the name, what is wrong, an example; never a secret."""


_WebUrl = Annotated[str, BeforeValidator(values.web_url)]
_BaseUrl = Annotated[str, BeforeValidator(values.base_url)]
_Token = Annotated[str, BeforeValidator(values.token)]


def _setting(default: Any, example: str, *, ge: int | None = None, le: int | None = None) -> Any:
    """A field with its default, the example for error lines, and the bounds of a number."""
    return Field(default, examples=[example], ge=ge, le=le)


SECRET_FIELDS = frozenset(
    {
        "database_url",
        "yclients_partner_token",
        "yclients_user_token",
        "yclients_webhook_secret",
        "secret_key",
        "admin_email",
        "admin_password",
        "smtp_url",
        "sms_url",
        "telegram_bot_token",
        "sentry_dsn",
    }
)
"""Fields never to be shown: tokens, keys, passwords, addresses that may hold one, the admin's e-mail."""


class Settings(BaseModel):
    """Every setting, checked. Frozen; what is secret or personal shows as `***` in `repr` and `str`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    env_file: Path | None = None
    """The `.env` in use, None when there is none. Found, not set."""
    warnings: tuple[str, ...] = ()
    """What the user should know about their settings, a line each: names that are none, a folder that moved."""

    database_url: Annotated[str, BeforeValidator(values.postgres_url)] | None = _setting(
        None, "postgresql://zerkalo:password@localhost:5432/zerkalo"
    )
    """None means the embedded server."""
    database_schema: Annotated[str, BeforeValidator(values.schema_name)] = _setting("zerkalo", "zerkalo")
    """The schema that all our tables stand in."""
    data_dir: Path = _setting(Path("data"), "data")
    """Absolute after `load_settings`; it need not exist yet."""

    yclients_enabled: bool = _setting(False, "True")
    yclients_api_url: _BaseUrl = _setting(
        "https://api.yclients.com/api/v1", "https://api.yclients.com/api/v1"
    )
    yclients_partner_token: _Token | None = _setting(None, "partner-token")
    yclients_user_token: _Token | None = _setting(None, "user-token")
    yclients_company_ids: Annotated[tuple[int, ...], BeforeValidator(values.company_ids)] = _setting(
        (), "12345"
    )
    """From YCLIENTS_COMPANY_ID, which names one branch or several."""
    yclients_webhook_secret: Annotated[str, BeforeValidator(values.webhook_secrets)] | None = _setting(
        None, "a-long-random-word"
    )
    """One, or two with a comma between them; see `yclients_webhook_secrets`."""
    yclients_widget_url: _WebUrl | None = _setting(
        None, "https://n123456.yclients.com/company/12345/personal/menu?o="
    )
    """The salon's own booking form at YCLIENTS, shown at /book/widget."""
    yclients_sync_interval_minutes: int = _setting(30, "30", ge=1, le=1440)
    yclients_sync_window_days: int = _setting(30, "30", ge=1, le=3650)
    yclients_requests_per_second: int = _setting(5, "5", ge=1, le=100_000)
    yclients_requests_per_minute: int = _setting(200, "200", ge=1, le=1_000_000)
    yclients_egress: Annotated[str, BeforeValidator(values.egress)] = _setting("default", "office")
    yclients_balance_field: Annotated[str, BeforeValidator(values.field_code)] | None = _setting(
        None, "zerkalo_points"
    )
    """The code of a client's custom field at YCLIENTS that shows the points."""
    yclients_ca_file: Path | None = _setting(None, "/etc/ssl/certs/proxy.pem")
    """Certificates in PEM that YCLIENTS's address is checked by, in place of the usual ones; absolute after `load_settings`."""

    match_email_alone: bool = _setting(True, "False")
    """Off, an e-mail names a client only together with the phone."""

    loyalty_enabled: bool = _setting(False, "True")
    loyalty_percent: Annotated[Decimal, BeforeValidator(values.percent)] = _setting(Decimal(5), "5")
    loyalty_start_date: Annotated[date, BeforeValidator(values.iso_date)] | None = _setting(
        None, "2025-01-31"
    )
    """A date in the salon's zone."""
    loyalty_tiers: Annotated[tuple[LoyaltyTier, ...], BeforeValidator(values.loyalty_tiers)] = _setting(
        (), "20000:7,50000:10"
    )
    """Ascending by roubles; empty means LOYALTY_PERCENT for everybody."""
    loyalty_expire_days: int | None = _setting(None, "365", ge=1, le=36_500)

    salon_name: Annotated[str, BeforeValidator(values.salon_name)] | None = _setting(None, "Салон «Ромашка»")
    """In place of the branch's title at YCLIENTS."""
    salon_color: Annotated[str, BeforeValidator(values.colour)] | None = _setting(None, "#0b5e63")
    """As #rrggbb."""
    salon_logo: Path | None = _setting(None, "logo.png")
    """A PNG, JPEG or SVG; absolute after `load_settings`."""

    inbox_days: int = _setting(30, "30", ge=1, le=3650)
    secret_key: Annotated[str, BeforeValidator(values.secret_key)] | None = _setting(
        None, "64-hex-digits-from-openssl-rand"
    )
    """None where it is made; ask `secret_key.secret_key(settings)`."""
    admin_email: Annotated[str, BeforeValidator(values.email)] | None = _setting(None, "admin@salon.ru")
    admin_password: Annotated[str, BeforeValidator(values.admin_password)] | None = _setting(
        None, "a-long-password"
    )
    smtp_url: Annotated[str, BeforeValidator(values.smtp_url)] | None = _setting(
        None, "smtp://user:password@mail.salon.ru:587"
    )
    sms_url: Annotated[str, BeforeValidator(values.sms_url)] | None = _setting(
        None, "https://sms.salon.ru/send?to={phone}&msg={text}"
    )
    sms_per_hour: int = _setting(60, "60", ge=0, le=1_000_000)
    sms_per_day: int = _setting(300, "300", ge=0, le=1_000_000)
    sms_countries: Annotated[tuple[str, ...], BeforeValidator(values.countries)] = _setting(("RU",), "RU,KZ")
    """Two-letter codes."""
    notices: Annotated[tuple[str, ...], BeforeValidator(values.notices)] = _setting((), "moved,cancelled")
    """Which notices clients get; none unless set."""
    remind_hours_before: int | None = _setting(None, "24", ge=1, le=168)
    quiet_hours: Annotated[str, BeforeValidator(values.hours)] = _setting("21-9", "21-9")
    telegram_bot_token: _Token | None = _setting(None, "bot-token")
    telegram_alert_chat: Annotated[str, BeforeValidator(values.chat)] | None = _setting(
        None, "-1001234567890"
    )
    telegram_api_url: _BaseUrl = _setting("https://api.telegram.org", "https://api.telegram.org")
    log_format: Annotated[Literal["text", "json"], BeforeValidator(str.lower)] = _setting("text", "json")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = _setting(
        "INFO", "INFO"
    )
    otel_exporter_otlp_endpoint: _BaseUrl | None = _setting(None, "http://localhost:4318")
    """Traces go there by OTLP over HTTP; needs the extra `otel`."""
    sentry_dsn: _WebUrl | None = _setting(None, "https://key@sentry.salon.ru/1")
    """Errors of the log go there; needs the extra `sentry`."""
    public_url: _BaseUrl = _setting("http://localhost:8000", "https://salon.ru")
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(values.origins)] = _setting(
        (), "https://app.salon.ru,https://salon.ru"
    )
    """Origins whose pages may call the API; exact ones."""
    forwarded_allow_ips: Annotated[str, BeforeValidator(values.proxies)] = _setting("127.0.0.1", "10.0.0.5")
    """Proxies whose word on a caller's address is taken, for the limits by address."""
    stop_delay_seconds: int = _setting(0, "5", ge=0, le=60)
    """How long a server that is stopped goes on answering, not ready any more, before it ends."""

    @property
    def yclients_webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that the webhook takes: none, one, or two; the first is the one to paste into YCLIENTS."""
        return tuple(self.yclients_webhook_secret.split(",")) if self.yclients_webhook_secret else ()

    def __repr_args__(self) -> Any:
        for name, value in super().__repr_args__():
            yield name, "***" if name in SECRET_FIELDS and value is not None else value

    @model_validator(mode="after")
    def _agree(self) -> "Settings":
        """What one setting demands of another; a reason begins with the name of the setting to mend."""
        if self.yclients_enabled and not self.yclients_company_ids:
            raise ValueError("YCLIENTS_COMPANY_ID: is missing although YCLIENTS_ENABLED is on")
        if self.database_url and not self.secret_key:
            raise ValueError("SECRET_KEY: is missing; with DATABASE_URL every process needs the same one")
        if self.admin_email and not self.admin_password:
            raise ValueError("ADMIN_PASSWORD: is missing although ADMIN_EMAIL is set")
        if self.admin_password and not self.admin_email:
            raise ValueError("ADMIN_EMAIL: is missing although ADMIN_PASSWORD is set")
        return self


SETTING_NAMES = {
    "YCLIENTS_COMPANY_ID" if name == "yclients_company_ids" else name.upper(): name
    for name in Settings.model_fields
    if name not in {"env_file", "warnings"}
}
"""The name in the environment -> the field of `Settings`, in the order of the fields."""

FREE_TEXTS = frozenset({"ADMIN_PASSWORD", "SALON_NAME", "SECRET_KEY"})
"""Settings whose value may hold a space and a `#`."""
ROOT_DATA_DIR = Path("/var/lib/zerkalo")
"""Where the data of a folder that only root can enter go, under the same path."""


def load_settings(
    environ: Mapping[str, str] | None = None, cwd: Path | None = None, *, is_root: bool | None = None
) -> Settings:
    """Return the settings of this process, or raise `SettingsError` with one line that says what to mend.

    `environ` (default: the process's) wins over the `.env` found in `cwd` (default: the current folder) or the
    nearest folder above it. An empty value counts as unset. Relative paths count from the folder of the `.env`, else
    from `cwd`. `is_root` (default: whether this process is) decides where DATA_DIR is by default. Reads that one file
    and writes nothing.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd.absolute()
    is_root = os.geteuid() == 0 if is_root is None else is_root
    env_file = find_dotenv(cwd)
    try:
        file = read_dotenv(env_file, SETTING_NAMES, FREE_TEXTS) if env_file else None
    except DotenvError as error:
        raise SettingsError(str(error)) from None
    from_file = file.values if file else {}
    texts = {name: environ.get(name, from_file.get(name, "")).strip() for name in SETTING_NAMES}
    given = {SETTING_NAMES[name]: text for name, text in texts.items() if text}
    try:
        settings = Settings.model_validate({**given, "env_file": env_file})
    except ValidationError as error:
        raise SettingsError(_one_line(error.errors(include_url=False), given)) from None
    _see_that_yclients_can_be_asked(settings)
    base = env_file.parent if env_file else cwd
    warnings = _warnings_about(file) if file else []
    data_dir = _path_from(base, settings.data_dir, "DATA_DIR")
    if (
        is_root
        and "data_dir" not in given
        and settings.database_url is None
        and (closed := _closed(data_dir))
    ):
        data_dir = ROOT_DATA_DIR / data_dir.relative_to("/")
        warnings.append(
            f"DATA_DIR: {closed} is closed to other users, as one of whom PostgreSQL runs when root starts it;"
            f" the data are in {data_dir}"
        )
    ca_file = _checked_file(
        base, settings.yclients_ca_file, "YCLIENTS_CA_FILE", values.see_that_it_holds_certificates
    )
    logo = _checked_file(base, settings.salon_logo, "SALON_LOGO", values.see_that_it_is_a_logo)
    found = {"data_dir": data_dir, "yclients_ca_file": ca_file, "salon_logo": logo}
    return settings.model_copy(update={**found, "warnings": tuple(warnings)})


def is_in_environment(name: str) -> bool:
    """Whether a setting stands in the environment, which counts for more than any `.env`."""
    return name in os.environ


def _see_that_yclients_can_be_asked(settings: Settings) -> None:
    for name in ("YCLIENTS_PARTNER_TOKEN", "YCLIENTS_USER_TOKEN"):
        if settings.yclients_enabled and getattr(settings, SETTING_NAMES[name]) is None:
            raise SettingsError(
                f"{name}: is missing although YCLIENTS_ENABLED is on; for example {name}={_example(name)}"
            )


def _path_from(base: Path, path: Path, name: str) -> Path:
    """The absolute path of a setting; links in it stay, and nothing need be there yet."""
    try:
        return Path(os.path.normpath(base / path.expanduser()))
    except RuntimeError:  # ~somebody, whom this machine does not know
        raise SettingsError(
            f"{name}: names the home of nobody, {str(path)[:60]!r}; for example {name}={_example(name)}"
        ) from None


def _closed(folder: Path) -> Path | None:
    """The first of the folders down to `folder` that other users can't enter; None where there is none."""
    for path in (*reversed(folder.parents), folder):
        try:
            if not path.stat().st_mode & 0o001:
                return path
        except OSError:  # not there yet: we make it
            return None
    return None


def _checked_file(base: Path, path: Path | None, name: str, check: Callable[[Path], None]) -> Path | None:
    """The absolute path of a setting that names a file, which `check` has looked at."""
    if path is None:
        return None
    path = _path_from(base, path, name)
    try:
        check(path)
    except ValueError as error:
        raise SettingsError(f"{name}: {path} {error}; for example {name}={_example(name)}") from None
    return path


def _warnings_about(file: DotenvFile) -> list[str]:
    """A line for each setting that names in the file were probably meant to be, unless the file sets it as well."""
    meant: dict[str, list[str]] = {}
    for name in file.unknown:
        ours = meant_by(name, SETTING_NAMES)
        if ours is not None and ours not in file.values:
            meant.setdefault(ours, []).append(name)
    return [_warning(file, names, ours) for ours, names in meant.items()]


def _warning(file: DotenvFile, names: list[str], ours: str) -> str:
    is_no = "is no setting" if len(names) == 1 else "are no settings"
    lines = ", ".join(f"line {file.unknown[name]}" for name in names)
    remedy = f"write {ours}={_example(ours)}" if ours else "`.env.example` lists them all"
    return f"{', '.join(names)}: {is_no} of Zerkalo ({file.path}, {lines}) and not used; {remedy}"


def _example(name: str) -> str:
    return (Settings.model_fields[SETTING_NAMES[name]].examples or [""])[0]


def _one_line(errors: list[ErrorDetails], given: Mapping[str, str]) -> str:
    """The first thing wrong, as `NAME: what; for example NAME=…`, and how many more settings are wrong."""
    first = errors[0]
    if not first["loc"]:  # wrong between two settings
        name, _, reason = str(first["ctx"]["error"]).partition(": ")  # pyright: ignore[reportTypedDictNotRequiredAccess]  # a value_error always has it
        field = SETTING_NAMES[name]
    else:
        field = str(first["loc"][0])
        name = next(name for name, its_field in SETTING_NAMES.items() if its_field == field)
        reason = _reason(first, field)
        if (
            field not in SECRET_FIELDS and "@" not in given[field]
        ):  # before an @ in an address a password may stand
            reason = f"{reason}, not {given[field][:60]!r}"
    others = len({error["loc"][:1] for error in errors}) - 1
    return f"{name}: {reason}; for example {name}={_example(name)}" + (
        f" ({others} more wrong)" if others else ""
    )


def _reason(error: ErrorDetails, field: str) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])  # pyright: ignore[reportTypedDictNotRequiredAccess]  # as above
    if error["type"].startswith("bool"):
        return "must be True or False"
    if error["type"].startswith("int") or error["type"].endswith("than_equal"):
        bounds = Settings.model_fields[field].metadata
        low = next(bound.ge for bound in bounds if hasattr(bound, "ge"))
        high = next(bound.le for bound in bounds if hasattr(bound, "le"))
        return f"must be a whole number from {low} to {high}"
    return error["msg"].replace("Input should", "must")
