"""The key that signs tokens and links: SECRET_KEY, or one that is generated once and stored with the data."""

import os
import secrets
import tempfile
from pathlib import Path

from zerkalo.setting_values import SECRET_KEY_CHARS_MIN
from zerkalo.settings import Settings, SettingsError


def secret_key(settings: Settings) -> str:
    """Return SECRET_KEY, else the key in DATA_DIR/secret_key, which the first call generates (64 hex digits).

    All processes on one DATA_DIR get the same key, even when the first calls come at once. Creates DATA_DIR
    and the file (mode 0600). Raises `SettingsError` where that can't be done or the file holds no key.
    """
    if settings.secret_key is not None:
        return settings.secret_key
    path = settings.data_dir / "secret_key"
    try:
        if not path.exists():
            _make_secret_key(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise SettingsError(
            f"DATA_DIR: can't keep the secret key in {path} ({reason}); for example DATA_DIR=data"
        ) from None
    if len(key) < SECRET_KEY_CHARS_MIN:
        raise SettingsError(
            f"DATA_DIR: {path} holds no key; delete it, or for example SECRET_KEY=64-hex-digits"
        )
    return key


def _make_secret_key(path: Path) -> None:
    """Write a new key beside `path`, then link it there: atomic, and the first of two wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=".secret_key.", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
            if os.geteuid() == 0:  # a key made by root's `check` must be readable for the server's user
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first; its key counts
    finally:
        os.unlink(draft)
