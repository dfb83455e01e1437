"""Whether records that YCLIENTS does not know are gone, or hidden from us. Pure."""

from zerkalo.absences.model import AbsenceLimits


def waits_for_a_person(absent: int, *, in_window: int, limits: AbsenceLimits) -> bool:
    """Whether so many absent records (those of the last day that nobody accepted) look like lost rights.

    `in_window`: the company's bookings with a visit in the window, the absent ones included.
    """
    return absent > limits.records and absent > limits.share_of_window * in_window
