"""The `.env` file: where it is looked for, how it is read, and what stops the start."""

import os
from pathlib import Path

import pytest

from zerkalo.settings import Settings, SettingsError, load_settings


def test_dotenv_is_looked_for_in_the_folder_then_upward(tmp_path: Path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / ".env").write_text("INBOX_DAYS=7\n")

    assert load_settings({}, deep).inbox_days == 7

    (tmp_path / "a" / ".env").write_text("INBOX_DAYS=8\n")
    assert load_settings({}, deep).inbox_days == 8
    assert load_settings({}, deep).env_file == tmp_path / "a" / ".env"


def test_a_folder_named_dotenv_is_no_file_of_settings(tmp_path: Path):
    (tmp_path / ".env").mkdir()
    assert load_settings({}, tmp_path).env_file is None


def test_environment_wins_over_the_file_also_when_it_is_empty(tmp_path: Path):
    (tmp_path / ".env").write_text("INBOX_DAYS=7\nLOYALTY_PERCENT=9\n")
    settings = load_settings({"INBOX_DAYS": "8", "LOYALTY_PERCENT": ""}, tmp_path)
    assert (settings.inbox_days, settings.loyalty_percent) == (8, 5)


def test_relative_data_dir_counts_from_the_folder_of_the_file(tmp_path: Path):
    below = tmp_path / "below"
    below.mkdir()
    assert load_settings({"DATA_DIR": "d"}, below).data_dir == below / "d"

    (tmp_path / ".env").write_text("LOG_LEVEL=INFO\n")
    assert load_settings({"DATA_DIR": "d"}, below).data_dir == tmp_path / "d"
    assert load_settings({}, below, is_root=False).data_dir == tmp_path / "data"
    assert load_settings({"DATA_DIR": "/var/lib/zerkalo"}, below).data_dir == Path("/var/lib/zerkalo")


def test_values_are_taken_as_they_are_written(tmp_path: Path):
    (tmp_path / ".env").write_text(
        "export ADMIN_EMAIL=a@b.ru # the owner\nADMIN_PASSWORD='p$HOME${X}#%s \\n'\n"
    )
    assert load_settings({}, tmp_path).admin_password == "p$HOME${X}#%s \\n"


def test_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfINBOX_DAYS=7\r\nLOG_LEVEL=ERROR\r\n")
    settings = load_settings({}, tmp_path)
    assert (settings.inbox_days, settings.log_level) == (7, "ERROR")


def test_names_of_others_are_let_be(tmp_path: Path):
    (tmp_path / ".env").write_text(
        "COMPOSE_PROJECT_NAME=x\nTZ=Europe/Moscow\nREDIS_URL=redis://h\nDEBUG=1\nPORT=80\n"
    )
    assert load_settings({}, tmp_path, is_root=False).warnings == ()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("YCLIENTS_API_TOKEN=pw-1", "write YCLIENTS_PARTNER_TOKEN=partner-token"),
        ("YCLIENTS_SALON_ID=5", "write YCLIENTS_COMPANY_ID=12345"),
        (
            "DB_URL=postgresql://u:pw-1@h/d",
            "write DATABASE_URL=postgresql://zerkalo:password@localhost:5432/zerkalo",
        ),
        ("EMAIL_HOST=mail.salon.ru", "write SMTP_URL=smtp://user:password@mail.salon.ru:587"),
        ("MAIL_SERVER=mail.salon.ru", "write SMTP_URL="),
        ("SMTP_HOST=mail.salon.ru", "write SMTP_URL="),
        ("JWT_SECRET_KEY=pw-1", "write SECRET_KEY="),
        ("DJANGO_SUPERUSER_EMAIL=a@b.ru", "write ADMIN_EMAIL=admin@salon.ru"),
        ("WEBHOOK_SECRET=pw-1", "write YCLIENTS_WEBHOOK_SECRET="),
        ("APP_URL=https://salon.ru", "write PUBLIC_URL=https://salon.ru"),
        ("SQLALCHEMY_DATABASE_URI=postgresql://u:pw-1@h/d", "write DATABASE_URL="),
        ("POSTGRES_PASSWORD=pw-1", "write DATABASE_URL="),
        ("LOGLEVEL=debug", "write LOG_LEVEL=INFO"),
        ("SMTP_UR=smtp://u:pw-1@h", "write SMTP_URL="),
        ("INBOX_DAY=7", "write INBOX_DAYS=30"),
        ("YCLIENTS_COMPANY_IDS=5", "write YCLIENTS_COMPANY_ID=12345"),
        ("YCLIENTS_WEBHOOK_SECRETS=pw-1", "write YCLIENTS_WEBHOOK_SECRET=a-long-random-word"),
        ("yclients_company_id=5", "write YCLIENTS_COMPANY_ID=12345"),
        ("ZERKALO_DATA_DIR=d", "write DATA_DIR=data"),
        ("YCLIENTS_QQQQ=1", "`.env.example` lists them all"),
    ],
)
def test_name_that_was_meant_for_a_setting_gets_one_warning_and_is_not_taken(
    tmp_path: Path, line: str, told: str
):
    (tmp_path / ".env").write_text(f"# ours\n{line}\n")

    settings = load_settings({}, tmp_path, is_root=False)

    (warning,) = settings.warnings
    assert warning.startswith(
        f"{line.split('=', maxsplit=1)[0]}: is no setting of Zerkalo ({tmp_path / '.env'}, line 2) and not used; "
    )
    assert told in warning
    assert "pw-1" not in warning
    assert settings == Settings(
        env_file=tmp_path / ".env", data_dir=tmp_path / "data", warnings=settings.warnings
    )


def test_names_that_are_parts_of_one_setting_share_a_warning(tmp_path: Path):
    (tmp_path / ".env").write_text("EMAIL_HOST=h\nEMAIL_PORT=25\nEMAIL_HOST_PASSWORD=pw-1\n")

    (warning,) = load_settings({}, tmp_path, is_root=False).warnings

    assert warning.startswith("EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_PASSWORD: are no settings of Zerkalo")


def test_other_programs_name_beside_our_own_is_let_be(tmp_path: Path):
    (tmp_path / ".env").write_text(
        "POSTGRES_PASSWORD=x\nDATABASE_URL=postgresql://u:x@h/d\nSECRET_KEY=0123456789abcdef\n"
    )
    assert load_settings({}, tmp_path).warnings == ()


@pytest.mark.parametrize("name", ["ADMIN_PASSWORD", "SECRET_KEY"])
def test_secret_that_would_be_cut_at_a_comment_stops_the_start(tmp_path: Path, name: str):
    (tmp_path / ".env").write_text(f"ADMIN_EMAIL=a@b.ru # the owner\n{name}=pw-long-pw-long-1 #1 x\n")

    with pytest.raises(
        SettingsError, match=rf"^{name}: would be cut at ` #` .*line 2.* for example {name}='"
    ) as stop:
        load_settings({}, tmp_path)

    assert "pw-long" not in str(stop.value)


def test_secret_in_quotes_keeps_its_sign_and_may_have_a_comment(tmp_path: Path):
    (tmp_path / ".env").write_text("ADMIN_EMAIL=a@b.ru\nADMIN_PASSWORD='long #1 x' # changed in May\n")
    assert load_settings({}, tmp_path).admin_password == "long #1 x"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"INBOX_DAYS=7\n\n\nhello\n", "line 4 is not NAME=value"),
        (b"ADMIN_PASSWORD='pw-open\n", "line 1 is not NAME=value"),
        ("# настройки\n".encode("cp1251"), "save it as UTF-8"),
    ],
)
def test_what_would_be_passed_over_in_silence_stops_the_start(tmp_path: Path, content: bytes, told: str):
    (tmp_path / ".env").write_bytes(content)

    with pytest.raises(SettingsError) as stop:
        load_settings({}, tmp_path)

    assert told in str(stop.value)
    assert str(tmp_path / ".env") in str(stop.value)
    assert "\n" not in str(stop.value)
    assert "pw-" not in str(stop.value)


def test_the_process_environment_and_folder_are_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "INBOX_DAYS", "12")
    settings = load_settings(is_root=False)
    assert (settings.inbox_days, settings.data_dir) == (12, tmp_path / "data")
