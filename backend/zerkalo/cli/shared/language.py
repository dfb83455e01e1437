"""The language of a command's output."""

import typer

from zerkalo.kit.language import Language


def language_option(lang: str) -> Language:
    """The language that `--lang` names; anything but ru and en is wrong usage."""
    if lang not in ("ru", "en"):
        raise typer.BadParameter("ru or en", param_hint="--lang")
    return "en" if lang == "en" else "ru"
