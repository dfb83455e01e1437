"""What the commands on the sync share: which companies they are about, and how little they log."""

from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.logs import configure_logging
from zerkalo.settings import Settings


def chosen_companies(settings: Settings, company: int | None) -> tuple[int, ...]:
    """The one that was named, else all of the settings. Raises `CommandFailed` where YCLIENTS can't be asked."""
    if not settings.yclients_enabled:
        raise CommandFailed("YCLIENTS_ENABLED is off: set YCLIENTS_ENABLED=True in .env")
    if company is None:
        return settings.yclients_company_ids
    if company not in settings.yclients_company_ids:
        raise CommandFailed(f"company {company} is not among YCLIENTS_COMPANY_ID")
    return (company,)


def log_warnings(settings: Settings) -> None:
    """Log only what went wrong, for a command tells its progress itself; everything with LOG_LEVEL=DEBUG."""
    level = settings.log_level if settings.log_level in ("DEBUG", "ERROR") else "WARNING"
    configure_logging(settings.model_copy(update={"log_level": level}))
