"""The webhook in OpenAPI, by hand: it is no route of the web framework's."""

from typing import Any

from zerkalo.mirror.model import OutcomeStatus
from zerkalo.webhook.routes import PATH

PATHS = {PATH: "receive_webhook", f"{PATH}/{{token}}": "receive_webhook_by_path"}
"""Path -> the operation's name."""


def _described(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


OPENAPI: dict[str, Any] = {
    "post": {
        "tags": ["yclients"],
        "summary": "Take in an event of YCLIENTS",
        "description": "Answers 200 only after what it says is committed. The token may stand in the query or the path.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["company_id", "resource", "status"],
                        "properties": {
                            "company_id": {"type": "integer"},
                            "resource": {"type": "string", "example": "record"},
                            "resource_id": {"type": "integer"},
                            "status": {"type": "string", "example": "create"},
                            "data": {
                                "description": "The record, client or visit as YCLIENTS writes it: any JSON."
                            },
                        },
                    }
                }
            },
        },
        "responses": {
            "200": {
                "description": "Committed.",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["status", "booking_id"],
                            "properties": {
                                "status": {
                                    "type": "string",
                                    "enum": [status.value for status in OutcomeStatus],
                                },
                                "booking_id": {"type": ["integer", "null"]},
                            },
                        }
                    }
                },
            },
            "400": _described("The body is not JSON."),
            "401": _described("The token is missing or wrong."),
            "403": _described("A company that is not ours."),
            "408": _described("The body did not arrive in time."),
            "413": _described("The body is over 1 MiB; over 64 KiB where no secret is set."),
            "422": _described("The body is not YCLIENTS's envelope."),
            "405": _described("Another method than POST."),
            "503": _described("YCLIENTS_ENABLED is off, or the database does not answer; see Retry-After."),
        },
    }
}
