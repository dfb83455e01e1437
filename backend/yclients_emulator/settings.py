"""What can be chosen about the vendor's behaviour where the documentation is silent or contradicts itself."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

ListOrder = Literal["id", "id_desc", "date", "changed"]
ErrorShape = Literal["meta", "errors", "fields", "rotate"]
CodePlace = Literal["errors", "meta", "meta_errors", "none", "rotate"]
TimesFormat = Literal["iso", "epoch", "rotate"]
Positive = Annotated[int, Meta(ge=1)]


class EmulatorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every switch of the emulator, with the default the fact sheet makes most likely.

    Changed while running through `PATCH /_control/settings`, which replaces the whole value.
    """

    partner_token: str = "emulator-partner-token"  # noqa: S105 - made up, opens nothing
    user_token: str = "emulator-user-token"  # noqa: S105 - made up, opens nothing
    login: str = "admin@example.com"
    password: str = "emulator-password"  # noqa: S105 - made up, opens nothing
    two_factor: bool = False  # POST /auth asks for a code; the code is told by GET /_control/codes
    require_accept: bool = False  # without the Accept header: the old format, bare `data` without an envelope
    page_size_max: Positive = 200  # a larger `count` is clamped without an error (200 or 300 in the sources)
    page_size_default: Positive = 50
    list_order: ListOrder = "date"  # not documented; `changed` is newest change first, the most unstable
    error_shape: ErrorShape = "rotate"
    booking_code_place: CodePlace = "errors"  # where 431-438 stand in the body is not documented
    times_format: TimesFormat = "iso"
    quirks: bool = True  # rotate the known shapes; off: every body as in the plainest sample
    cost_covers: Literal["unit", "total", "rotate"] = "unit"  # whether `cost` includes `amount` is unsettled
    deleted_get: Literal["record", "404"] = "record"  # GET of one deleted record
    put_needs_all: bool = True  # a partial PUT body is answered 422, as one production bot reports
    put_status: Literal[200, 201] = 201
    client_edit_touches_records: bool = False  # whether a client-card edit moves `last_change_date`
    tells_client_rules: bool = True  # whether a branch shows allow_delete_record and allow_change_record
    tells_url_settings: bool = (
        False  # newer: GET shows the flags of each address apart, POST takes none of that
    )
    self_sending: Literal[0, 1] = 1  # default of a branch that has not set it
    rate_limit: bool = True
    rate_per_second: Positive = 5
    rate_per_minute: Positive = 200
    rate_limit_body: bool = True  # the body of a 429 is not documented and may be empty
    retry_after: bool = False  # whether a 429 carries Retry-After is not documented
