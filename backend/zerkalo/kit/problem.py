"""The error that a caller gets to see, as a value: any layer may raise it, `web.errors` turns it into an answer."""

from collections.abc import Mapping

OWN_FAULT = "our own fault: "
"""How the reason of something begins that failed by an error in Zerkalo, whatever came from outside."""


class ProblemError(Exception):
    """A request that can't be granted. It ends as `application/problem+json` (RFC 9457).

    `status` is the HTTP status; `code` is stable and for programs, `detail` one sentence for people, without anybody's
    data; `headers` go along with the answer.
    """

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"
