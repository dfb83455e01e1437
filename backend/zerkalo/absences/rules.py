"""Decide whether records unknown to YCLIENTS are deleted or may be hidden from us. Pure."""

from zerkalo.absences.model import AbsenceLimits


def waits_for_a_person(absent: int, *, in_window: int, limits: AbsenceLimits) -> bool:
    """Return whether so many absent records (of the last day, not accepted by a person) suggest lost rights.

    `in_window`: the company's bookings with a visit in the window, the absent ones included.
    """
    return absent > limits.records and absent > limits.share_of_window * in_window
