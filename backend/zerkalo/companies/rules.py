"""Decide by which time zone rules a company's visits are read. Pure."""

from zerkalo.companies.model import Company
from zerkalo.kit.zones import ZoneRules, is_outdated


def reads_by_other_rules(company: Company, timezone_name: str, ours: ZoneRules) -> bool:
    """Return whether the company's visits must be read again by this machine's rules of the zone.

    True where YCLIENTS names another zone, or where this machine's data differ and are not older than those in use.
    Older data change nothing: see `has_older_rules`.
    """
    if company.timezone_name != timezone_name:
        return True
    return company.zone_rules != ours.fingerprint and not has_older_rules(company, ours)


def has_older_rules(company: Company, ours: ZoneRules) -> bool:
    """Return whether this machine's zone rules differ from those in use and come from older data."""
    return is_outdated(company.zone_rules, company.zone_data_version, ours)
