"""How problem answers look in OpenAPI: the schema of RFC 9457 with our `code`, as plain values."""

from typing import Any

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
    """The `responses` of a route that may answer with these problems; 503 (no database) and 422 are always among them."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*statuses, 422, 503})
    }
