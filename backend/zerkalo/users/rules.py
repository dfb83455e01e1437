"""What an account is told, and how often its password may be tried. Pure."""

from datetime import timedelta

from zerkalo.auth.model import Limit
from zerkalo.kit.language import Language

NOTICE_SPAN = timedelta(days=2)
"""How long a notice without a code is worth sending."""
PASSWORD_TRY_OF_USER = Limit("password try", 10, timedelta(minutes=15))


def email_changed_message(language: Language) -> tuple[str, str]:
    """(subject, text) for the proved e-mail that somebody has just replaced by another one."""
    if language == "en":
        return "Your e-mail was changed", (
            "The e-mail of your account was replaced by another one.\n"
            "If that was not you, ask the salon to help at once.\n"
        )
    return "Ваш e-mail изменён", (
        "В вашем аккаунте указан другой e-mail.\nЕсли это сделали не вы, сразу обратитесь в салон.\n"
    )
