"""The API's description: FastAPI's own, with what FastAPI can't know: the errors that any route may answer."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from zerkalo.kit.problem import PROBLEM_SCHEMA, problem_responses
from zerkalo.webhook.routes import OPENAPI as WEBHOOK
from zerkalo.webhook.routes import PATHS as WEBHOOK_PATHS

OF_A_BODY = (400, 408, 413)
"""Statuses of a body that can't be parsed, is too slow or too large; any route with a body may answer them."""

_DESCRIPTION = """Zerkalo keeps a salon's YCLIENTS appointments in the salon's own PostgreSQL, live, and builds on them.

Errors are `application/problem+json` (RFC 9457) with a stable `code`."""


def describe(app: FastAPI, prefix: str) -> dict[str, Any]:
    """Return the app's description, made at the first call; everything under `prefix` answers errors as problems."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    schema = get_openapi(
        title="Zerkalo", version=version("zerkalo"), description=_DESCRIPTION, routes=app.routes
    )
    for path, operations in schema["paths"].items():
        if path.startswith(prefix):
            for operation in operations.values():
                _add_problems(operation)
    for path in WEBHOOK_PATHS:
        schema["paths"][path] = _webhook(path)
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM_SCHEMA
    # FastAPI's own form of a 422, which we don't use.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    app.openapi_schema = schema
    return schema


def _add_problems(operation: dict[str, Any]) -> None:
    found = problem_responses(*(OF_A_BODY if "requestBody" in operation else ()))
    responses = operation["responses"]
    for status, response in found.items():
        is_default = "HTTPValidationError" in str(responses.get(str(status)))
        if is_default or str(status) not in responses:
            responses[str(status)] = response


def _webhook(path: str) -> dict[str, Any]:
    in_path = path.endswith("{token}")
    token = {
        "name": "token",
        "in": "path" if in_path else "query",
        "required": in_path,
        "schema": {"type": "string"},
        "description": "YCLIENTS_WEBHOOK_SECRET",
    }
    named = {"operationId": WEBHOOK_PATHS[path], "parameters": [token]}
    return {method: {**operation, **named} for method, operation in WEBHOOK.items()}
