"""What is held about a person, read for the person."""

from typing import Any, LiteralString

from psycopg.rows import dict_row

from zerkalo.bookings.reading.store import COMMENT_IS_TYPED, PHONE_IS_ANOTHERS, phone_is_anothers
from zerkalo.db.pool import Connection

# A number that changes hands leaves its past behind: the card on which another user's visits are is that user's too, whatever
# contact is proved now, unless the salon has given it. The limit keeps it an index lookup, as in `COMMENT_IS_TYPED`.
_IS_NOT_ANOTHERS = """
    (c.user_id = u.id or (c.user_id is null and (select true from bookings b
        where b.company_id = c.company_id and b.client_id = c.client_id and b.user_id <> u.id limit 1) is null))
"""

_EXPORTS: dict[str, LiteralString] = {
    "codes_of_merged_accounts": "select code, retired_at from retired_codes where user_id = %(id)s order by code",
    "bookings": f"""
        select b.id, b.company_id, b.yclients_record_id, b.matched_by, b.service_name, b.service_price,
            b.service_duration, b.appointment_datetime, b.appointment_local, b.status, b.cancel_reason, b.cancelled_at,
            b.staff_name, case when p.is_theirs then b.phone end as phone,
            case when p.is_theirs or {COMMENT_IS_TYPED} then b.comment end as comment, b.created_at, b.updated_at
        from bookings b join users u on u.id = b.user_id
        left join clients c on c.company_id = b.company_id and c.client_id = b.client_id,
            -- The card's phone, or an e-mail that no stranger can have written on it: what is proved the user's.
            lateral (select coalesce(u.phone_verified_at is not null and u.phone = coalesce(c.phone, b.phone), false)
                or coalesce(%(email_alone)s and u.email_verified_at is not null
                    and lower(u.email) = coalesce(c.email, b.match_email)
                    and not coalesce(c.email_came_late, false) and not {PHONE_IS_ANOTHERS}, false)) as p (is_theirs)
        where b.user_id = %(id)s order by b.appointment_datetime, b.id
    """,
    "possible_bookings": """
        select booking_id, step, created_at from match_candidates where user_id = %(id)s order by booking_id
    """,
    "form_bookings": """
        select company_id, record_id, status, answer, created_at from form_bookings where user_id = %(id)s
        order by created_at
    """,
    "bonus_entries": """
        select id, booking_id, amount, kind, reason, percent, created_at from bonus_entries where user_id = %(id)s
        order by id
    """,
    "deliveries": """
        select d.received_at, d.company_id, d.resource_id, d.event, d.outcome from deliveries d
        join bookings b on b.company_id = d.company_id and b.yclients_record_id = d.resource_id
        where b.user_id = %(id)s and d.resource = 'record' order by d.id
    """,
    "client_cards": f"""
        select c.company_id, c.client_id, c.name, c.phone, c.email, c.note, c.updated_at
        from users u join clients c on c.email = lower(u.email)
        where u.id = %(id)s and %(email_alone)s and u.email_verified_at is not null
            and not coalesce(c.email_came_late, false) and {_IS_NOT_ANOTHERS}
            and not {phone_is_anothers("u.id", "c.phone")}
        union
        select c.company_id, c.client_id, c.name, c.phone, c.email, c.note, c.updated_at
        from users u join clients c on c.phone10 = u.phone10 and c.phone = u.phone
        where u.id = %(id)s and u.phone_verified_at is not null and {_IS_NOT_ANOTHERS}
            and not {phone_is_anothers("u.id", "u.phone")}
            and (coalesce(c.email_came_late, false) or not exists (select from users o
                where o.id <> u.id and o.email_verified_at is not null and lower(o.email) = c.email))
        order by 1, 2
    """,
    "sessions": """
        select min(issued_at) as signed_in_at, max(issued_at) as last_used_at, bool_or(revoked_at is not null) as ended
        from refresh_tokens where user_id = %(id)s group by family order by 1
    """,
    "codes_sent": """
        select purpose, channel, contact, created_at, used_at from verification_codes where user_id = %(id)s order by id
    """,
    "messages": """
        select channel, recipient, subject, created_at, finished_at, error, kind, booking_id from outbox
        where user_id = %(id)s order by id
    """,
    "calendar_subscription": "select created_at from calendar_tokens where user_id = %(id)s",
    "notices": """
        select u.language, n.by_email, n.by_phone, n.by_telegram, n.chat_id as telegram_chat, p.burning_at,
            (select count(*) from told_visits t where t.user_id = u.id) as visits_told,
            exists (select from telegram_codes c where c.user_id = u.id) as is_connecting
        from users u left join notice_choices n on n.user_id = u.id left join told_points p on p.user_id = u.id
        where u.id = %(id)s
    """,
    "invitations": """
        select role, created_at, expires_at, used_at from invitations where %(id)s in (user_id, used_by) order by id
    """,
    "what_admins_did": """
        select at, action, details from audit_entries where subject = 'user ' || %(id)s::bigint order by id
    """,
    "what_admins_did_to_bookings": """
        select a.at, a.action, a.subject from audit_entries a
        where a.subject in (select 'booking ' || id from bookings where user_id = %(id)s) order by a.id
    """,
    "done_as_an_admin": "select at, action, subject from audit_entries where admin_id = %(id)s order by id",
    "merged_accounts": "select id, erased_at as merged_at from users where merged_into = %(id)s order by id",
    "unmatched_bookings_with_own_contact": """
        select b.id, b.company_id, b.yclients_record_id
        from users u join bookings b on b.user_id is null and b.erased_at is null
            and (b.match_email = case when u.email_verified_at is not null then lower(u.email) end
                or b.match_phone10 = case when u.phone_verified_at is not null then u.phone10 end)
        where u.id = %(id)s and not exists (
            select from users o where o.id <> u.id and o.phone_verified_at is not null and o.phone10 = b.match_phone10)
        order by b.id
    """,
}


async def export_rows(
    conn: Connection, user_id: int, *, email_counts_alone: bool
) -> dict[str, list[dict[str, Any]]]:
    """Everything held about a user outside the account's own row, by subject. Hashes, tokens and bodies are left out.

    A record or a card may have been another client's, so only what is proved to be the user's is included.
    """
    values = {"id": user_id, "email_alone": email_counts_alone}
    exported: dict[str, list[dict[str, Any]]] = {}
    async with conn.cursor(row_factory=dict_row) as cursor:
        for subject, sql in _EXPORTS.items():
            await cursor.execute(sql, values)
            exported[subject] = await cursor.fetchall()
    return exported
