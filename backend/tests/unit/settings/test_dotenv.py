"""The `.env` file: where it is looked for, how it is read, and what stops the start."""

import os
from pathlib import Path

import pytest

from zerkalo.settings import SettingsError, load_settings


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
    assert load_settings({}, below).data_dir == tmp_path / "data"
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
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=x\nYCLIENTS_FORM_URL=https://n1.yclients.com\n")
    load_settings({}, tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"INBOX_DAYS=7\n\n\nhello\n", "line 4 is not NAME=value"),
        (b"ADMIN_PASSWORD='pw-open\n", "line 1 is not NAME=value"),
        ("# настройки\n".encode("cp1251"), "save it as UTF-8"),
        (b"\nYCLIENTS_COMPANY_IDS=1\n", "YCLIENTS_COMPANY_IDS: is no setting"),
        (b"YCLIENTS_WEBHOOK_SECRETS=pw-x\n", "for example YCLIENTS_WEBHOOK_SECRET="),
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
    settings = load_settings()
    assert (settings.inbox_days, settings.data_dir) == (12, tmp_path / "data")
