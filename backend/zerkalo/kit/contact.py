"""E-mails as people type them, in the one form that is stored and compared."""

from email_validator import EmailNotValidError, validate_email

EMAIL_CHARS_MAX = 254


def canonical_email(text: str) -> str | None:
    """Return the e-mail in lower case and without outer spaces; None where the text is none.

    Whether mail arrives there is not checked: a code proves that. Domains without a dot (`user@salon`) are accepted,
    as they work inside a company; of the reserved domains only `.test` is.
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
    """Return an e-mail, valid or not, in the form used for comparison.

    A non-ASCII domain has two spellings (`почта.рф`, `xn--80a1acny.xn--p1ai`): the first one is used.
    """
    email = text.strip().lower()
    if email.isascii() and "xn--" not in email:
        return email
    return canonical_email(email) or email


def mailable_email(email: str) -> str:
    """Return the address as mail servers accept it: a non-ASCII domain in Punycode (`почта.рф` as `xn--80a1acny.xn--p1ai`).

    Few servers accept non-ASCII letters; in the part before the @ they stay, as it has no other form.
    """
    try:
        found = validate_email(
            email, check_deliverability=False, globally_deliverable=False, test_environment=True
        )
    except (EmailNotValidError, ValueError):
        return email
    return found.ascii_email or f"{found.local_part}@{found.ascii_domain}"
