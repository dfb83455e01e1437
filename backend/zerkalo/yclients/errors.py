"""The errors of calls to YCLIENTS. No text here holds a token or a phone."""

FORBIDDEN = 403


class VendorError(Exception):
    """A call to YCLIENTS failed; the subclasses say how."""


class VendorUnavailable(VendorError):
    """YCLIENTS gave no usable answer after all retries: nothing may be concluded from it.

    429, 5xx, a time-out, a broken connection, cut-off JSON, HTML, `success: false`, a redirect, an endless
    answer.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after_seconds: float | None = None,
        may_have_acted: bool = False,
        throttled: bool = False,
        lasting: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds
        """How long YCLIENTS or our own limiter asks to wait; None where neither does."""
        self.may_have_acted = may_have_acted
        """One of the attempts was sent, so a booking may have been made: look for its `api_id` first."""
        self.throttled = throttled
        """YCLIENTS answered 429: every process at this IP address has to slow down."""
        self.lasting = lasting
        """Trying again at once will not help."""

    @property
    def asked_to_wait(self) -> bool:
        """Whether YCLIENTS itself said how long to wait, with any status."""
        return self.retry_after_seconds is not None


class VendorBusy(VendorUnavailable):
    """Our own share of YCLIENTS's rate limit is used up for longer than the caller waits. Nothing was sent."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__("the rate limit is used up", retry_after_seconds=wait_seconds, lasting=True)

    @property
    def asked_to_wait(self) -> bool:
        """False: YCLIENTS was not called."""
        return False


class AccessDenied(VendorError):
    """401, 402 or 403: a token is wrong, lacks a right, or the branch's licence has run out.

    `reason` is YCLIENTS's own sentence where it gave one, for `check`, the admin page and the log.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(f"{status}: {reason}")
        self.reason = reason
        self.status = status


class NotFound(VendorError):
    """YCLIENTS's own 404, in its JSON: no such object. Another server's 404 is VendorUnavailable."""


class RequestRefused(VendorError):
    """400, 422 or another 4xx for a request that is not a booking: repeating it unchanged will fail too."""

    def __init__(self, status: int, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.fields = fields or {}
        """What is wrong with which field, where YCLIENTS says so."""


class BookingRefused(VendorError):
    """YCLIENTS declined a booking, a move or a cancellation: a taken slot, a wrong code, a bad phone.

    `code` is one of 431-438 (yclients-api.md, section 5), else None. Its position in the body is not documented,
    so that the refusal of a taken slot may have none: reload the times then.
    """

    def __init__(
        self,
        code: int | None,
        message: str,
        *,
        appointment_id: int | None = None,
        fields: dict[str, str] | None = None,
        status: int = 422,
    ) -> None:
        super().__init__(f"refused with {code or status}")  # the message may name a phone
        self.code = code
        self.message = message
        """YCLIENTS's sentence for the client, not for the log; "" where it gave none."""
        self.appointment_id = appointment_id
        """Which appointment of the request, by the `id` that we gave it (codes 433 and 437)."""
        self.fields = fields or {}
        self.status = status


def is_of_one_record(error: VendorError) -> bool:
    """Return whether the request failed because of its record: 403 or another 4xx, not a token or a licence."""
    return isinstance(error, RequestRefused) or (
        isinstance(error, AccessDenied) and error.status == FORBIDDEN
    )
