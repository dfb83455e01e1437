"""Every setting: what it turns into, and the line that a wrong one stops the start with."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.database import open_folder
from zerkalo.settings import SECRET_FIELDS, SETTING_NAMES, LoyaltyTier, Settings, SettingsError, load_settings

TOKENS = {"YCLIENTS_PARTNER_TOKEN": "partner", "YCLIENTS_USER_TOKEN": "user"}
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBhzCCAS2gAwIBAgIUR8KmA2Mnmo6WwoG4DDGt7Lmn/swwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNcHJveHkuZXhhbXBsZTAgFw0yNjExMjYyMTI2MDBaGA8yMTI2
MTEwMjIxMjYwMFowGDEWMBQGA1UEAwwNcHJveHkuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABJNB+zYW2W3A8xE9+fmBk5sjY1ujQaKIJgmqjP4DHcz5
J1G/drk4GLfVVVZfBGMTP8K+cs4SsmdsT2gpELGwDA6jUzBRMB0GA1UdDgQWBBTD
gQ5iDIISxa6+a2JkuOZg00I/XzAfBgNVHSMEGDAWgBTDgQ5iDIISxa6+a2JkuOZg
00I/XzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIBAg34KXI9qP
cSpOT52zO6uL9YRKbk2cp5dVUy9nM08nAiEA+gQTF3dNuY5TkgTcZRKp6U2KCVdK
pjnGyfKefngS5kY=
-----END CERTIFICATE-----
"""
OWN_SERVER = {"DATABASE_URL": "postgresql://u:pw-of-db@host/db", "SECRET_KEY": "k" * 32}


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({}, "database_url", None),
        (OWN_SERVER, "database_url", "postgresql://u:pw-of-db@host/db"),
        ({}, "yclients_enabled", False),
        ({"YCLIENTS_ENABLED": "True", "YCLIENTS_COMPANY_ID": "7", **TOKENS}, "yclients_enabled", True),
        ({"YCLIENTS_ENABLED": "yes", "YCLIENTS_COMPANY_ID": "7", **TOKENS}, "yclients_enabled", True),
        ({"YCLIENTS_ENABLED": " 0 "}, "yclients_enabled", False),
        ({}, "yclients_api_url", "https://api.yclients.com/api/v1"),
        (
            {"YCLIENTS_API_URL": "http://127.0.0.1:8090/api/v1/"},
            "yclients_api_url",
            "http://127.0.0.1:8090/api/v1",
        ),
        ({}, "yclients_company_ids", ()),
        ({"YCLIENTS_COMPANY_ID": "4564"}, "yclients_company_ids", (4564,)),
        ({"YCLIENTS_COMPANY_ID": " 4564, 99 ,4564,"}, "yclients_company_ids", (4564, 99)),
        ({"YCLIENTS_WEBHOOK_SECRET": "s3cret/+="}, "yclients_webhook_secret", "s3cret/+="),
        ({"YCLIENTS_SYNC_INTERVAL_MINUTES": "1440"}, "yclients_sync_interval_minutes", 1440),
        ({"LOYALTY_PERCENT": "0"}, "loyalty_percent", Decimal(0)),
        ({"LOYALTY_PERCENT": "7,5"}, "loyalty_percent", Decimal("7.5")),
        ({"LOYALTY_PERCENT": "100"}, "loyalty_percent", Decimal(100)),
        ({"LOYALTY_START_DATE": "2025-01-31"}, "loyalty_start_date", date(2025, 1, 31)),
        ({}, "loyalty_tiers", ()),
        (
            {"LOYALTY_TIERS": "20000:7, 50000 : 10.5"},
            "loyalty_tiers",
            (
                LoyaltyTier(from_roubles=20000, percent=Decimal(7)),
                LoyaltyTier(from_roubles=50000, percent=Decimal("10.5")),
            ),
        ),
        ({}, "loyalty_expire_days", None),
        ({"SMTP_URL": "smtp://u:p@mail.example:587"}, "smtp_url", "smtp://u:p@mail.example:587"),
        (
            {"SMS_URL": "https://g.example/?to={phone}&t={text}"},
            "sms_url",
            "https://g.example/?to={phone}&t={text}",
        ),
        ({"ADMIN_EMAIL": "Admin@Salon.RU", "ADMIN_PASSWORD": "p" * 8}, "admin_email", "Admin@salon.ru"),
        ({"LOG_LEVEL": "debug"}, "log_level", "DEBUG"),
        ({"LOG_FORMAT": "JSON"}, "log_format", "json"),
        ({"PUBLIC_URL": "https://salon.ru/"}, "public_url", "https://salon.ru"),
        ({"INBOX_DAYS": ""}, "inbox_days", 30),
        ({}, "forwarded_allow_ips", "127.0.0.1"),
        (
            {"FORWARDED_ALLOW_IPS": "10.0.0.5, 172.16.0.0/12,::1"},
            "forwarded_allow_ips",
            "10.0.0.5,172.16.0.0/12,::1",
        ),
    ],
)
def test_text_becomes_a_typed_value(tmp_path: Path, environ: dict[str, str], field: str, value: object):
    assert getattr(load_settings(environ, tmp_path), field) == value


@pytest.mark.parametrize(
    ("environ", "named", "told"),
    [
        ({"YCLIENTS_ENABLED": "on"}, "YCLIENTS_COMPANY_ID", "is missing"),
        (
            {"YCLIENTS_ENABLED": "on", "YCLIENTS_COMPANY_ID": "7", "YCLIENTS_USER_TOKEN": "user"},
            "YCLIENTS_PARTNER_TOKEN",
            "is missing although YCLIENTS_ENABLED is on",
        ),
        (
            {"YCLIENTS_ENABLED": "on", "YCLIENTS_COMPANY_ID": "7", "YCLIENTS_PARTNER_TOKEN": "partner"},
            "YCLIENTS_USER_TOKEN",
            "is missing although YCLIENTS_ENABLED is on",
        ),
        ({"YCLIENTS_WEBHOOK_SECRET": "pw-of-a,pw-of-b,pw-of-c"}, "YCLIENTS_WEBHOOK_SECRET", "two such words"),
        ({"YCLIENTS_WEBHOOK_SECRET": "pw-of-a,"}, "YCLIENTS_WEBHOOK_SECRET", "two such words"),
        (
            {"YCLIENTS_CA_FILE": "nowhere.pem"},
            "YCLIENTS_CA_FILE",
            "can't be read (No such file or directory)",
        ),
        ({"YCLIENTS_CA_FILE": "~nobody-of-that-name/ca.pem"}, "YCLIENTS_CA_FILE", "the home of nobody"),
        ({"YCLIENTS_ENABLED": "perhaps"}, "YCLIENTS_ENABLED", "True or False"),
        ({"YCLIENTS_COMPANY_ID": "12a"}, "YCLIENTS_COMPANY_ID", "branch number"),
        ({"YCLIENTS_COMPANY_ID": "0"}, "YCLIENTS_COMPANY_ID", "branch number"),
        ({"YCLIENTS_COMPANY_ID": "-4"}, "YCLIENTS_COMPANY_ID", "branch number"),
        ({"YCLIENTS_COMPANY_ID": ","}, "YCLIENTS_COMPANY_ID", "branch number"),
        ({"YCLIENTS_API_URL": "api.yclients.com"}, "YCLIENTS_API_URL", "http://"),
        ({"YCLIENTS_PARTNER_TOKEN": "two words"}, "YCLIENTS_PARTNER_TOKEN", "without spaces"),
        ({"YCLIENTS_WEBHOOK_SECRET": "секрет"}, "YCLIENTS_WEBHOOK_SECRET", "Latin letters"),
        (
            {"YCLIENTS_SYNC_INTERVAL_MINUTES": "0"},
            "YCLIENTS_SYNC_INTERVAL_MINUTES",
            "from 1 to 1440, not '0'",
        ),
        ({"YCLIENTS_SYNC_INTERVAL_MINUTES": "1441"}, "YCLIENTS_SYNC_INTERVAL_MINUTES", "from 1 to 1440"),
        ({"YCLIENTS_SYNC_WINDOW_DAYS": "month"}, "YCLIENTS_SYNC_WINDOW_DAYS", "whole number from 1 to 3650"),
        ({"YCLIENTS_REQUESTS_PER_SECOND": "0.5"}, "YCLIENTS_REQUESTS_PER_SECOND", "whole number"),
        ({"YCLIENTS_REQUESTS_PER_MINUTE": "-1"}, "YCLIENTS_REQUESTS_PER_MINUTE", "whole number"),
        ({"YCLIENTS_EGRESS": "two words"}, "YCLIENTS_EGRESS", "letters, digits"),
        ({"SALON_NAME": "я" * 81}, "SALON_NAME", "at most 80"),
        ({"SALON_COLOR": "teal"}, "SALON_COLOR", "#rrggbb"),
        ({"SALON_COLOR": "#0b5e6"}, "SALON_COLOR", "#rrggbb"),
        ({"SALON_LOGO": "logo.gif"}, "SALON_LOGO", ".png, .jpg or .svg"),
        ({"SALON_LOGO": "nowhere.png"}, "SALON_LOGO", "can't be read (No such file or directory)"),
        ({"LOYALTY_PERCENT": "100.5"}, "LOYALTY_PERCENT", "0 to 100"),
        ({"LOYALTY_PERCENT": "-5"}, "LOYALTY_PERCENT", "0 to 100"),
        ({"LOYALTY_PERCENT": "NaN"}, "LOYALTY_PERCENT", "0 to 100"),
        ({"LOYALTY_PERCENT": "1e1"}, "LOYALTY_PERCENT", "0 to 100"),
        ({"LOYALTY_START_DATE": "31.01.2025"}, "LOYALTY_START_DATE", "YYYY-MM-DD"),
        ({"LOYALTY_START_DATE": "20250131"}, "LOYALTY_START_DATE", "YYYY-MM-DD"),
        ({"LOYALTY_START_DATE": "2025-02-30"}, "LOYALTY_START_DATE", "YYYY-MM-DD"),
        ({"LOYALTY_TIERS": "20000=7"}, "LOYALTY_TIERS", "pairs"),
        ({"LOYALTY_TIERS": "20000:101"}, "LOYALTY_TIERS", "0 to 100"),
        ({"LOYALTY_TIERS": "20000:7,20000:8"}, "LOYALTY_TIERS", "ascending"),
        ({"LOYALTY_EXPIRE_DAYS": "0"}, "LOYALTY_EXPIRE_DAYS", "whole number"),
        ({"INBOX_DAYS": "0"}, "INBOX_DAYS", "whole number"),
        (
            {"DATABASE_URL": "postgresql+asyncpg://u:pw-of-db@h/d", "SECRET_KEY": "k" * 32},
            "DATABASE_URL",
            "postgresql://",
        ),
        ({"DATABASE_URL": "postgresql://h/d"}, "SECRET_KEY", "is missing"),
        ({"SECRET_KEY": "pw-of-15-chars."}, "SECRET_KEY", "at least 16"),
        ({"ADMIN_EMAIL": "admin", "ADMIN_PASSWORD": "p" * 8}, "ADMIN_EMAIL", "an e-mail address"),
        ({"ADMIN_EMAIL": "a@salon.ru"}, "ADMIN_PASSWORD", "is missing"),
        ({"ADMIN_PASSWORD": "pw-of-admin"}, "ADMIN_EMAIL", "is missing"),
        ({"ADMIN_EMAIL": "a@salon.ru", "ADMIN_PASSWORD": "pw-of-7"}, "ADMIN_PASSWORD", "at least 8"),
        ({"SMTP_URL": "smtp://u:pw-of-mail@mail.example:465"}, "SMTP_URL", "must begin with smtps://"),
        ({"SMTP_URL": "mail.example:25"}, "SMTP_URL", "smtp://"),
        ({"SMTP_URL": "smtp://mail.example:pw-of-mail"}, "SMTP_URL", "smtp://"),
        ({"SMS_URL": "https://g.example/?to={phone}"}, "SMS_URL", "{text}"),
        ({"SMS_URL": "ftp://g.example/{phone}{text}"}, "SMS_URL", "http://"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT", "'text' or 'json'"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL", "'DEBUG'"),
        ({"PUBLIC_URL": "salon.ru"}, "PUBLIC_URL", "http://"),
        ({"PUBLIC_URL": "http://salon ru"}, "PUBLIC_URL", "http://"),
        ({"PUBLIC_URL": "https://salon.ru/?a=b"}, "PUBLIC_URL", "without ?, # and @"),
        ({"YCLIENTS_API_URL": "https://u:pw-of-web@h/api"}, "YCLIENTS_API_URL", "without ?, # and @"),
        ({"YCLIENTS_WIDGET_URL": "ftp://u:pw-of-web@h"}, "YCLIENTS_WIDGET_URL", "http://"),
        ({"DATA_DIR": "~nobody-of-that-name/data"}, "DATA_DIR", "the home of nobody"),
        ({"FORWARDED_ALLOW_IPS": "*"}, "FORWARDED_ALLOW_IPS", "addresses or networks"),
        ({"FORWARDED_ALLOW_IPS": "proxy.salon.ru"}, "FORWARDED_ALLOW_IPS", "addresses or networks"),
    ],
)
def test_wrong_setting_stops_the_start_with_one_line(
    tmp_path: Path, environ: dict[str, str], named: str, told: str
):
    with pytest.raises(SettingsError) as stop:
        load_settings(environ, tmp_path)

    line = str(stop.value)
    assert line.startswith(f"{named}: ")
    assert told in line
    assert f"for example {named}=" in line
    assert "\n" not in line
    assert "pw-of" not in line  # no secret is repeated


def test_the_line_counts_what_else_is_wrong(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"^INBOX_DAYS: .*\(2 more wrong\)$"):
        load_settings({"INBOX_DAYS": "x", "LOG_LEVEL": "x", "PUBLIC_URL": "x"}, tmp_path)


def test_every_example_in_an_error_is_itself_accepted(tmp_path: Path):
    examples = {
        name: str((Settings.model_fields[field].examples or [""])[0]) for name, field in SETTING_NAMES.items()
    }
    for name in ("YCLIENTS_CA_FILE", "SALON_LOGO"):  # files that have to be there
        del examples[name]
    load_settings(examples, tmp_path)


def test_secrets_never_show():
    secret = Settings(
        database_url="postgresql://u:pw-1@h/d",
        yclients_partner_token="pw-2",
        yclients_user_token="pw-3",
        yclients_webhook_secret="pw-4",
        secret_key="pw-5-and-long-enough",
        admin_email="pw6@salon.ru",
        admin_password="pw-7-long",
        smtp_url="smtp://u:pw-8@h",
        sms_url="https://h/?key=pw-9&{phone}{text}",
        sentry_dsn="https://pw-10@h/1",
        telegram_bot_token="pw-11",
    )

    assert "pw" not in repr(secret) + str(secret)
    assert repr(secret).count("='***'") == len(SECRET_FIELDS) == 11


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Settings().inbox_days = 5


@pytest.mark.parametrize(
    ("text", "secrets"), [("", ()), ("one", ("one",)), ("new, old", ("new", "old")), ("one,one", ("one",))]
)
def test_a_secret_can_be_replaced_while_both_are_taken(tmp_path: Path, text: str, secrets: tuple[str, ...]):
    assert load_settings({"YCLIENTS_WEBHOOK_SECRET": text}, tmp_path).yclients_webhook_secrets == secrets


def test_certificates_of_a_proxy_count_from_the_folder_of_the_file(tmp_path: Path):
    (tmp_path / "proxy.pem").write_text(CERTIFICATE)
    (tmp_path / ".env").write_text("YCLIENTS_CA_FILE=proxy.pem\n")
    (tmp_path / "below").mkdir()

    assert load_settings({}, tmp_path / "below").yclients_ca_file == tmp_path / "proxy.pem"

    (tmp_path / "proxy.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="holds no certificates in PEM"):
        load_settings({}, tmp_path)


def test_data_of_root_leave_a_folder_that_only_root_can_enter():
    with open_folder() as parent:
        home = parent / "home"
        (home / "clone").mkdir(parents=True)
        home.chmod(0o700)

        moved = load_settings({}, home / "clone", is_root=True)
        mine = load_settings({}, home / "clone", is_root=False)
        chosen = load_settings({"DATA_DIR": "data"}, home / "clone", is_root=True)
        elsewhere = load_settings(OWN_SERVER, home / "clone", is_root=True)
        home.chmod(0o711)
        opened = load_settings({}, home / "clone", is_root=True)

    (line,) = moved.warnings
    assert moved.data_dir == Path(f"/var/lib/zerkalo{home}/clone/data")
    assert line.startswith(f"DATA_DIR: {home} is closed to other users")
    assert line.endswith(f"the data are in {moved.data_dir}")
    for stays in (mine, chosen, elsewhere, opened):
        assert (stays.data_dir, stays.warnings) == (home / "clone" / "data", ())


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("logo.png", b"<svg/>", "holds no picture"),
        ("logo.svg", b"\x89PNG\r\n", "holds no picture"),
        ("logo.jpg", b"\xff\xd8\xff" + bytes(40 * 1024), "more than 40960"),
    ],
)
def test_a_logo_is_a_light_picture_of_the_kind_its_name_says(
    tmp_path: Path, name: str, body: bytes, told: str
):
    (tmp_path / name).write_bytes(body)

    with pytest.raises(SettingsError, match=rf"^SALON_LOGO: .*{told}"):
        load_settings({"SALON_LOGO": name}, tmp_path)


def test_the_salons_look_is_read_from_the_file_as_an_owner_writes_it(tmp_path: Path):
    (tmp_path / "logo.PNG").write_bytes(b"\x89PNG\r\n")
    (tmp_path / ".env").write_text("SALON_NAME=Салон «Ромашка»\nSALON_COLOR=#AABB01\nSALON_LOGO=logo.PNG\n")

    settings = load_settings({}, tmp_path)

    assert (settings.salon_name, settings.salon_color) == ("Салон «Ромашка»", "#aabb01")
    assert settings.salon_logo == tmp_path / "logo.PNG"
    assert load_settings({"SALON_COLOR": "0B5E63"}, tmp_path).salon_color == "#0b5e63"
