"""E-mails as people type them, in the one form that is stored and compared."""

from email_validator import EmailNotValidError, validate_email

EMAIL_CHARS_MAX = 254


def canonical_email(text: str) -> str | None:
    """The e-mail in lower case and without outer spaces; None where the text is none.

    Whether mail arrives there is not asked: a code proves it. Names without a dot (`user@salon`) are e-mails too,
    inside a company they work; of reserved ones only `.test`.
    """
    text = text.strip()
    if not 3 <= len(text) <= EMAIL_CHARS_MAX:
        return None
    try:
        found = validate_email(
            text, check_deliverability=False, globally_deliverable=False, test_environment=True
        )
    except (EmailNotValidError, ValueError):
        return None
    email = found.normalized.lower()
    return email if len(email) <= EMAIL_CHARS_MAX else None


def comparable_email(text: str) -> str:
    """An e-mail that somebody else typed, in the form in which it is compared, whether it is a valid one or not.

    A domain beyond ASCII has two spellings (`почта.рф`, `xn--80a1acny.xn--p1ai`): the first one counts.
    """
    email = text.strip().lower()
    if email.isascii() and "xn--" not in email:
        return email
    return canonical_email(email) or email


def mailable_email(email: str) -> str:
    """The address as mail servers take it: a domain beyond ASCII in its other form (`почта.рф` as `xn--80a1acny.xn--p1ai`).

    Few servers take letters beyond ASCII as they are; a name before the @ that has some stays, it has no other form.
    """
    try:
        found = validate_email(
            email, check_deliverability=False, globally_deliverable=False, test_environment=True
        )
    except (EmailNotValidError, ValueError):
        return email
    return found.ascii_email or f"{found.local_part}@{found.ascii_domain}"
