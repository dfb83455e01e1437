"""The wrongs: mistakes that somebody could make with the best intentions, and the tests that must not let them pass."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """In `file` (from backend/) the text `old`, which stands there exactly once, becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Wrong:
    """One mistake, in one or more places, and the narrowest tests that must notice it."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


RULES = "zerkalo/bookings/rules.py"

WRONGS = (
    Wrong(
        "no version guard",
        (
            Edit(
                RULES,
                "if version is not None and known is not None and version < known:",
                "if version is None and known is None:",
            ),
            Edit(RULES, "(known is None or version > known)", "(known is None or version != known)"),
        ),
        ("tests/unit/bookings/test_decide.py", "tests/property/mirror/test_fold_laws.py"),
    ),
    Wrong(
        ">= for > between versions",
        (Edit(RULES, "(known is None or version > known)", "(known is None or version >= known)"),),
        ("tests/unit/bookings/test_decide.py", "tests/property/mirror/test_fold_laws.py"),
    ),
    Wrong(
        "kopecks by way of float",
        (
            Edit(
                "zerkalo/kit/money.py",
                "return int(roubles.scaleb(2, _EXACT).to_integral_value(ROUND_HALF_UP, _EXACT))",
                "return round(float(roubles) * 100)",
            ),
        ),
        ("tests/unit/kit/test_money.py",),
    ),
    Wrong(
        "match on an unproved phone",
        (
            Edit(
                "zerkalo/users/matching/store.py",
                "where phone10 = any ((select phone10s from named)::text[]) and phone_verified_at is not null",
                "where phone10 = any ((select phone10s from named)::text[])",
            ),
            Edit(
                "zerkalo/users/matching/store.py",
                "case when u.phone_verified_at is not null then u.phone end as phone_proved",
                "u.phone as phone_proved",
            ),
        ),
        ("tests/integration/mirror/test_links_in_tables.py",),
    ),
    Wrong(
        "commit after the answer",
        (
            Edit(
                "zerkalo/webhook/committer.py",
                "from zerkalo.mirror.model import Item, Outcome\n",
                "from zerkalo.mirror.model import Item, Outcome, OutcomeStatus\n",
            ),
            Edit(
                "zerkalo/webhook/committer.py",
                "        began_at = perf_counter()\n        try:\n",
                "        began_at = perf_counter()\n"
                "        for one in batch:\n"
                "            one.answer.set_result(Outcome(OutcomeStatus.APPLIED))\n"
                "        try:\n",
            ),
        ),
        ("tests/unit/webhook/test_committer.py",),
    ),
    Wrong(
        "ledger without its key",
        (
            Edit(
                "zerkalo/loyalty/rules.py",
                'entry_key=f"booking:{state.booking_id}:{ledger.entry_count + len(drafts)}",',
                'entry_key=__import__("uuid").uuid4().hex,',
            ),
        ),
        ("tests/integration/loyalty/test_settle_bookings.py",),
    ),
    Wrong(
        "window without the future",
        (
            Edit(
                "zerkalo/runs/reconciling/service.py",
                "RecordsQuery(start_date=part.first, end_date=part.last),",
                "RecordsQuery(start_date=part.first, end_date=part.last or self._context.clock().date()),",
            ),
        ),
        ("tests/integration/runs/test_run.py",),
    ),
    Wrong(
        "absent = deleted, without asking",
        (
            Edit(
                "zerkalo/runs/reconciling/service.py",
                'await self._ask(absent, reason="absent from a complete read")',
                "async with transaction(self._context.pool) as conn:\n"
                "                await conn.execute(\n"
                "                    \"update bookings set status = 'CANCELLED', cancel_reason = 'deleted', absent = true,\"\n"
                '                    " cancelled_at = now(), revision = revision + 1"\n'
                '                    " where company_id = %s and yclients_record_id = any(%s)",\n'
                "                    [self._company.id, list(absent)],\n"
                "                )",
            ),
        ),
        ("tests/integration/runs/test_run.py",),
    ),
    Wrong(
        "limiter off",
        (
            Edit(
                "zerkalo/yclients/limiter.py",
                "await self._sleep(max(wait, 0))",
                "await self._sleep(0)",
            ),
        ),
        ("tests/integration/yclients/test_limiter.py",),
    ),
    Wrong(
        "unescaped name",
        (Edit("zerkalo/web/pages/templating.py", "autoescape=True,", "autoescape=False,"),),
        ("tests/integration/security/test_injection.py",),
    ),
    # What the simulation once found: some seed of CI's must show it still.
    Wrong(
        "an erased name comes back",
        (Edit("zerkalo/inbox/store.py", "and b.erased_at is not null", "and false"),),
        ("tests/simulation/test_simulation.py",),
    ),
    Wrong(
        "an SMS opens an account with a password",
        (
            Edit(
                "zerkalo/users/proving/rules.py",
                "return not user.has_password and user.email_verified_at is None and user.role is None",
                "return user.email_verified_at is None and user.role is None",
            ),
        ),
        ("tests/unit/users/test_proving_rules.py", "tests/integration/users/test_entering.py"),
    ),
    Wrong(
        "a code opens an account that only claims the contact",
        (
            Edit(
                "zerkalo/users/entering/rules.py",
                "if len(holders) != 1 or not is_opened_by(holders[0], contact.channel):",
                "holders = [*holders, *claimants]\n    if not is_opened_by(holders[0], contact.channel):",
            ),
        ),
        ("tests/integration/users/test_entering.py",),
    ),
    Wrong(
        "the code alone joins two accounts",
        (
            Edit(
                "zerkalo/users/proving/service.py",
                "        await confirm_password(people, other.id, password, address=address, now=now)",
                "        pass",
            ),
        ),
        ("tests/integration/users/test_joining.py",),
    ),
    Wrong(
        "a guest's link outlives a hand-over",
        (
            Edit(
                "zerkalo/bookings/reading/store.py",
                "where f.api_id = %(form_id)s and f.user_id is null and not b.handed_over and b.erased_at is null",
                "where f.api_id = %(form_id)s and f.user_id is null",
            ),
        ),
        ("tests/integration/web/test_guest_link.py",),
    ),
)
