"""Names in a `.env` that are no settings of ours, but were probably meant to be.

A misspelt name, or the name by which another program knows the same thing, would do nothing, unseen. It is never taken
for the setting: whoever wrote it may have meant something else.
"""

import difflib
from collections.abc import Collection

LIKENESS_OF_A_SLIP = 0.85
OUR_PREFIXES = ("YCLIENTS_", "LOYALTY_", "ZERKALO_")

OTHER_NAMES = {
    "DATABASE_URL": (
        *("DB_URL", "DB_URI", "DB_DSN", "DATABASE_DSN", "POSTGRES_URL", "POSTGRES_DSN", "PG_URL", "PG_DSN"),
        *("SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL", "ASYNC_DATABASE_URL", "DB_CONNECTION_STRING"),
        *(
            "DB_HOST",
            "DB_NAME",
            "DB_USER",
            "DB_PASSWORD",
            "DATABASE_HOST",
            "DATABASE_NAME",
            "DATABASE_PASSWORD",
        ),
        *(
            "POSTGRES_HOST",
            "POSTGRES_DB",
            "POSTGRES_USER",
            "POSTGRES_PASSWORD",
            "PGHOST",
            "PGDATABASE",
            "PGUSER",
        ),
        *("PGPASSWORD", "POSTGRES_SERVER"),
    ),
    "YCLIENTS_PARTNER_TOKEN": (
        *(
            "YCLIENTS_API_TOKEN",
            "YCLIENTS_API_KEY",
            "YCLIENTS_TOKEN",
            "YCLIENTS_BEARER_TOKEN",
            "YCLIENTS_BEARER",
        ),
        *("YCLIENTS_PARTNER_KEY", "YCLIENTS_DEVELOPER_TOKEN", "YCLIENTS_KEY"),
    ),
    "YCLIENTS_USER_TOKEN": ("YCLIENTS_LOGIN", "YCLIENTS_PASSWORD", "YCLIENTS_USER", "YCLIENTS_USER_KEY"),
    "YCLIENTS_COMPANY_ID": (
        *(
            "YCLIENTS_SALON_ID",
            "YCLIENTS_BRANCH_ID",
            "YCLIENTS_FILIAL_ID",
            "YCLIENTS_ID",
            "COMPANY_ID",
            "SALON_ID",
        ),
    ),
    "YCLIENTS_API_URL": ("YCLIENTS_BASE_URL", "YCLIENTS_URL", "YCLIENTS_HOST", "YCLIENTS_API_BASE"),
    "YCLIENTS_WEBHOOK_SECRET": (
        "WEBHOOK_SECRET",
        "WEBHOOK_TOKEN",
        "YCLIENTS_WEBHOOK_TOKEN",
        "YCLIENTS_SECRET",
    ),
    "YCLIENTS_SYNC_INTERVAL_MINUTES": ("SYNC_INTERVAL", "SYNC_INTERVAL_MINUTES"),
    "SECRET_KEY": (
        *(
            "JWT_SECRET",
            "JWT_SECRET_KEY",
            "JWT_KEY",
            "DJANGO_SECRET_KEY",
            "APP_SECRET",
            "APP_SECRET_KEY",
            "APP_KEY",
        ),
        *("AUTH_SECRET", "SESSION_SECRET"),
    ),
    "SMTP_URL": (
        *("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD", "EMAIL_URL", "MAIL_URL"),
        *("MAIL_SERVER", "MAIL_HOST", "MAIL_PORT", "MAIL_USERNAME", "MAIL_PASSWORD", "MAILER_DSN"),
        *("SMTP_HOST", "SMTP_SERVER", "SMTP_PORT", "SMTP_USER", "SMTP_USERNAME", "SMTP_PASSWORD", "SMTP_DSN"),
    ),
    "SMS_URL": ("SMS_API_URL", "SMS_GATEWAY_URL", "SMS_API_KEY", "SMSC_LOGIN", "SMSRU_API_ID", "SMS_TOKEN"),
    "ADMIN_EMAIL": (
        *("FIRST_SUPERUSER", "DJANGO_SUPERUSER_EMAIL", "SUPERUSER_EMAIL", "ADMIN_USER", "ADMIN_LOGIN"),
        *("ADMIN_USERNAME", "FIRST_ADMIN_EMAIL"),
    ),
    "ADMIN_PASSWORD": (
        *("FIRST_SUPERUSER_PASSWORD", "DJANGO_SUPERUSER_PASSWORD", "SUPERUSER_PASSWORD", "ADMIN_PASS"),
        *("FIRST_ADMIN_PASSWORD",),
    ),
    "PUBLIC_URL": (
        "BASE_URL",
        "APP_URL",
        "SITE_URL",
        "EXTERNAL_URL",
        "PUBLIC_BASE_URL",
        "ROOT_URL",
        "HOST_URL",
    ),
    "CORS_ORIGINS": ("CORS_ALLOWED_ORIGINS", "ALLOWED_ORIGINS", "BACKEND_CORS_ORIGINS", "CORS_ORIGIN"),
    "LOG_LEVEL": ("LOGLEVEL", "LOGGING_LEVEL", "DJANGO_LOG_LEVEL", "LOGURU_LEVEL"),
    "DATA_DIR": ("DATA_PATH", "DATA_FOLDER", "STORAGE_DIR", "DATA_DIRECTORY"),
    "FORWARDED_ALLOW_IPS": ("TRUSTED_PROXIES", "TRUSTED_HOSTS", "PROXY_IPS"),
}
"""Our setting -> what other programs call it, or a part of it."""

_OURS_BY_OTHER = {other: ours for ours, others in OTHER_NAMES.items() for other in others}


def meant_by(name: str, known: Collection[str]) -> str | None:
    """The setting among `known` that `name`, which is not one, was probably meant to be; None where it is not ours.

    A name with our prefix that resembles no setting is still ours: it gives the empty text.
    """
    plain = name.upper().removeprefix("ZERKALO_")
    if plain in known:
        return plain
    other = _OURS_BY_OTHER.get(plain)
    if other in known:
        return other
    close = difflib.get_close_matches(plain, known, 1, LIKENESS_OF_A_SLIP)
    if close:
        return close[0]
    prefix = next((prefix for prefix in OUR_PREFIXES if name.upper().startswith(prefix)), None)
    if prefix is None:
        return None
    # The common prefix would make all of them alike.
    rests = {one.removeprefix(prefix): one for one in known if one.startswith(prefix)}
    close = difflib.get_close_matches(plain.removeprefix(prefix), rests, 1)
    return rests[close[0]] if close else ""
