"""Which rules of its time zone a company's visits are read by. Pure."""

from zerkalo.companies.model import Company
from zerkalo.kit.zones import ZoneRules, is_outdated


def reads_by_other_rules(company: Company, timezone_name: str, ours: ZoneRules) -> bool:
    """Whether the company's visits are to be brought in line with what the zone means on this machine.

    So where YCLIENTS names another zone, and where data that are no older than those in use mean something else by
    the same name. A machine with older data changes nothing: see `has_older_rules`.
    """
    if company.timezone_name != timezone_name:
        return True
    return company.zone_rules != ours.fingerprint and not has_older_rules(company, ours)


def has_older_rules(company: Company, ours: ZoneRules) -> bool:
    """Whether this machine's zone data are older than those that the company's visits are read by, and say otherwise."""
    return is_outdated(company.zone_rules, company.zone_data_version, ours)
