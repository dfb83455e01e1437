"""What goes wrong with YCLIENTS, as answers for people."""

import math

from zerkalo.booking_form.rules import SERVICE_GONE, refusal_of
from zerkalo.form_bookings.model import Refusal
from zerkalo.kit.problem import ProblemError
from zerkalo.yclients.errors import (
    AccessDenied,
    BookingRefused,
    NotFound,
    RequestRefused,
    VendorError,
    VendorUnavailable,
)

RETRY_SECONDS = 10
RETRY_SECONDS_MAX = 900
DENIED_RETRY_SECONDS = 600


def problem_of(refusal: Refusal) -> ProblemError:
    """A refusal as the answer it is."""
    return ProblemError(refusal.status, refusal.code, refusal.detail)


def vendor_problem(error: VendorError) -> ProblemError:
    """What an error of YCLIENTS means to somebody who wanted to know or to book something."""
    if isinstance(error, BookingRefused):
        return problem_of(refusal_of(error.code, error.message))
    if isinstance(error, NotFound | RequestRefused):
        return problem_of(SERVICE_GONE)  # one of the ids in the question is not theirs any more
    if isinstance(error, AccessDenied):
        return _later(
            "yclients_refuses", "The salon's online booking is not available now.", DENIED_RETRY_SECONDS
        )
    wait = error.retry_after_seconds if isinstance(error, VendorUnavailable) else None
    return _later(
        "yclients_unavailable", "YCLIENTS does not answer now. Nothing was booked or changed.", wait
    )


def unclear_problem(wait_seconds: float) -> ProblemError:
    """YCLIENTS was asked and did not answer: whether it did it is not known. The same request later tells."""
    return _later(
        "booking_unclear",
        "YCLIENTS did not answer, so it is not clear yet whether this was done. Send the same request again: it looks"
        " first and never books twice.",
        wait_seconds,
    )


def disabled_problem() -> ProblemError:
    """The form is turned off."""
    return ProblemError(
        503, "yclients_disabled", "Online booking is turned off here.", {"Retry-After": "3600"}
    )


def _later(code: str, detail: str, wait_seconds: float | None) -> ProblemError:
    seconds = (
        RETRY_SECONDS if wait_seconds is None else min(max(math.ceil(wait_seconds), 1), RETRY_SECONDS_MAX)
    )
    return ProblemError(503, code, detail, {"Retry-After": str(seconds)})
