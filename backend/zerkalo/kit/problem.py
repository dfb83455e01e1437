"""An error for the API's caller, as a value, and its description in OpenAPI.

Any layer may raise it; `web.errors` turns it into an answer.
"""

from collections.abc import Mapping
from typing import Any

OWN_FAULT = "our own fault: "
"""The prefix of a reason where the failure is a bug in Zerkalo, not bad input."""


class ProblemError(Exception):
    """A request that can't be granted. It is answered as `application/problem+json` (RFC 9457).

    `status` is the HTTP status; `code` is stable and for programs, `detail` one sentence for people, without personal
    data; `headers` are added to the answer.
    """

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people."},
        "code": {"type": "string", "description": "Stable, for programs."},
        "errors": {
            "type": "array",
            "description": "Which fields are wrong, for `invalid_request`.",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {
                    "field": {
                        "type": "string",
                        "description": "Where it stands: `body.phone`, `query.limit`.",
                    },
                    "problem": {"type": "string", "description": "What is wrong with it, for developers."},
                },
            },
        },
    },
}

_DESCRIPTIONS = {
    400: "Not to be understood",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not there, or another's",
    408: "Too slow",
    409: "Not possible as things stand",
    413: "Too large",
    422: "Not the expected form",
    429: "Too many requests; `Retry-After` says when to come again",
    503: "Not available; `Retry-After` says when to come again",
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that may answer with these problems; 503 (no database) and 422 are always included."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*statuses, 422, 503})
    }
