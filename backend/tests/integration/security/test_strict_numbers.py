"""No number is taken for a truth value nor the other way round, in whichever body it is asked for (`points: true`)."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tests.support.application import Application

pytestmark = pytest.mark.integration

ODD = {"integer": (True, False, "1", 1.5, [True]), "boolean": (1, 0, "yes", "true")}


def models(base: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for one in base.__subclasses__():
        yield one
        yield from models(one)


def asked_fields(described: dict[str, Any]) -> dict[tuple[str, str], str]:
    """(model, field) -> kind of every number and truth value in a JSON body, lists of them too."""
    fields: dict[tuple[str, str], str] = {}
    for operations in described["paths"].values():
        for operation in operations.values():
            schema = (
                operation.get("requestBody", {})
                .get("content", {})
                .get("application/json", {})
                .get("schema", {})
            )
            for name in _named(schema):
                for field, about in described["components"]["schemas"][name].get("properties", {}).items():
                    kinds = {
                        one.get("type") for one in (about, about.get("items", {}), *about.get("anyOf", ()))
                    }
                    kinds |= {one.get("items", {}).get("type") for one in about.get("anyOf", ())}
                    for kind in kinds & ODD.keys():
                        fields[name, field] = kind
    return fields


def _named(schema: dict[str, Any]) -> list[str]:
    return [
        one["$ref"].rpartition("/")[2]
        for one in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ()))
        if "$ref" in one
    ]


def takes(field: FieldInfo, value: Any) -> bool:
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


async def test_numbers_and_truth_values_are_never_taken_for_each_other(application: Application) -> None:
    async with application.client() as client:
        described = (await client.get("/openapi.json")).json()
    by_name = {one.__name__: one for one in models() if one.__module__.startswith("zerkalo.")}

    asked = asked_fields(described)

    lax = [
        f"{name}.{field} takes {value!r}"
        for (name, field), kind in sorted(asked.items())
        for value in ODD[kind]
        if takes(by_name[name].model_fields[field], value)
    ]
    assert lax == []
    assert {
        ("RedeemRequest", "points"),
        ("BookingRequest", "service_ids"),
        ("BookingRequest", "consent"),
    } <= asked.keys()


async def test_points_true_is_refused_over_http(application: Application) -> None:
    owner = await application.new_user(is_admin=True)
    async with await application.as_user(owner) as admin:
        for path in ("redeem", "adjust"):
            answer = await admin.post(
                f"/api/v1/admin/loyalty/{path}",
                json={"user_id": owner, "points": True, "reason": "проверка"},
                headers={"Idempotency-Key": f"true-{path}"},
            )
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
