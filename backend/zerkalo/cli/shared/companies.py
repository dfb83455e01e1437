"""Options of commands about companies, and their logging."""

from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.logs import configure_logging
from zerkalo.settings import Settings


def chosen_companies(settings: Settings, company: int | None) -> tuple[int, ...]:
    """The named company, else all companies of the settings. Raises `CommandFailed` where YCLIENTS is off."""
    if not settings.yclients_enabled:
        raise CommandFailed("YCLIENTS_ENABLED is off: set YCLIENTS_ENABLED=True in .env")
    if company is None:
        return settings.yclients_company_ids
    if company not in settings.yclients_company_ids:
        raise CommandFailed(f"company {company} is not among YCLIENTS_COMPANY_ID")
    return (company,)


def log_warnings(settings: Settings) -> None:
    """Log only warnings and errors, because a command prints its own progress; everything with LOG_LEVEL=DEBUG."""
    level = settings.log_level if settings.log_level in ("DEBUG", "ERROR") else "WARNING"
    configure_logging(settings.model_copy(update={"log_level": level}))
