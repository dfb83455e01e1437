"""The three shapes of the vendor's errors. Sources: fact sheet section 1, bodies 40 to 52."""

from typing import Any

from yclients_emulator.model import VendorError

SHAPES = ("meta", "errors", "fields")
CODE_PLACES = ("errors", "meta", "meta_errors", "none")


def error_body(error: VendorError, shape: str, code_place: str) -> dict[str, Any]:
    """The JSON of an error.

    `shape` is one of SHAPES and applies to plain errors; `code_place` is the position of booking codes (431 to 438),
    which is not documented.
    """
    if error.code is not None:
        return _coded(error, code_place)
    if shape == "errors":
        return {
            "errors": {"code": error.status, "message": error.message},
            "meta": {"message": error.message},
        }
    meta: dict[str, Any] = {"message": error.message}
    if error.fields is not None or shape == "fields":
        meta["errors"] = error.fields or {"request": [error.message]}
    return {"success": False, "data": None, "meta": meta}


def _coded(error: VendorError, place: str) -> dict[str, Any]:
    about: dict[str, Any] = {"code": error.code}
    if error.appointment_id is not None:
        about["id"] = error.appointment_id
    about["message"] = error.message
    if place == "errors":
        return {"errors": about, "meta": {"message": error.message}}
    if place == "meta":
        return {"success": False, "data": None, "meta": about}
    if place == "meta_errors":
        return {"success": False, "data": None, "meta": {"message": error.message, "errors": about}}
    return {"success": False, "data": None, "meta": {}}
