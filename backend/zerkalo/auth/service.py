"""Signing in, staying signed in, signing out."""

import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from zerkalo.auth import rules, store
from zerkalo.auth.model import (
    AUTH_LIMITS,
    AccessClaims,
    AuthLimits,
    Credentials,
    Limit,
    Session,
    Tokens,
)
from zerkalo.auth.passwords.rules import is_our_hash
from zerkalo.auth.passwords.service import Passwords
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.problem import ProblemError
from zerkalo.metrics.counts import LOG_INS

_REFUSALS = {401: "wrong", 429: "limited"}
"""Status of a refused log-in -> the label that it is counted by."""


RenewHash = Callable[[Connection, int, str], Awaitable[None]]
"""`users.store.renew_password_hash(conn, user_id, password_hash)`."""


class Auth:
    """Signing in: the pool, the keys and the bounded hashing of a process, which makes one of these.

    `renew_hash`: called with our own hash of a password when a log-in has compared another program's; None keeps theirs.
    """

    def __init__(
        self,
        pool: Pool,
        secret_key: str,
        *,
        renew_hash: RenewHash | None = None,
        limits: AuthLimits = AUTH_LIMITS,
        passwords: Passwords | None = None,
    ) -> None:
        self.pool = pool
        self.limits = limits
        self.passwords = passwords or Passwords()
        self._renew_hash = renew_hash
        self._access_key = rules.derive_key(secret_key, "access token")
        self._attempts_key = rules.derive_key(secret_key, "attempts")
        self._refresh_key = rules.derive_key(secret_key, "refresh token")

    async def log_in(self, email: str | None, password: str, *, address: str, now: datetime) -> Tokens:
        """Open a session by e-mail (lower case) and password.

        `email` None: the text is no e-mail; it takes as long as a wrong one. `address`: of the caller, as
        `rules.address_subject`. Raises a 401 `ProblemError` that does not say which of the two was wrong, 429 with
        Retry-After after too many failures of the account from this address, or of the address.
        """
        try:
            pair = await self._log_in(email, password, address=address, now=now)
        except ProblemError as error:
            LOG_INS.add(_REFUSALS.get(error.status, "busy"))
            raise
        LOG_INS.add("opened")
        return pair

    async def _log_in(self, email: str | None, password: str, *, address: str, now: datetime) -> Tokens:
        tries = await self.count_log_in(email, address=address, now=now)
        try:
            found = await self._whose_password(email, password, address)
        except ProblemError:
            await self.release(tries)  # too many wait for a hash: nothing was compared, so nothing failed
            raise
        if found is None:
            raise ProblemError(401, "wrong_credentials", "The e-mail or the password is wrong.")

        renewed = None
        if self._renew_hash is not None and not is_our_hash(found.password_hash):
            renewed = await self.passwords.hash(password, address=address)

        async def open_session(conn: Connection) -> Tokens | None:
            await store.release_attempts(conn, tries)
            # Read again under the lock: the password may have been changed while it was compared.
            current = await store.credentials_of_user(conn, found.user_id, lock=True)
            if current is None or current.password_hash != found.password_hash:
                return None
            if self._renew_hash is not None and renewed is not None:
                await self._renew_hash(conn, current.user_id, renewed)
            return await self.new_session(
                conn, current.user_id, current.token_epoch, address=address, now=now
            )

        pair = await in_transaction(self.pool, open_session)
        if pair is None:
            raise ProblemError(401, "wrong_credentials", "The e-mail or the password is wrong.")
        return pair

    async def count_log_in(
        self, email: str | None, *, address: str, now: datetime, limit: Limit | None = None
    ) -> list[int]:
        """Count a try to sign in to the account of this e-mail; return the ids to release if it succeeds.

        `limit`: for the account from this address; by default that of a log-in. Beyond the limit from everywhere only
        addresses that have signed in to the account before may try: guessing is bounded, and nobody can lock the owner
        out. Raises 429.
        """
        here = [
            *rules.by_address(limit or self.limits.login_of_account, address, email or ""),
            *rules.by_address(self.limits.login_of_address, address),
        ]
        everywhere = (self.limits.login_from_everywhere, email or "")
        try:
            return await self.count([*here, everywhere], now=now)
        except ProblemError:
            async with self.pool.connection() as conn:
                is_known = email is not None and await store.has_signed_in(
                    conn, email, self.address_digest(address)
                )
            if not is_known:
                raise
        return await self.count(here, now=now)

    def address_digest(self, address: str) -> bytes:
        """The keyed digest of an address that signed in, so that no address is stored."""
        return rules.keyed_digest(self._attempts_key, address)

    async def refresh(self, refresh_token: str, *, now: datetime) -> Tokens:
        """Exchange a refresh token for a new pair; the old one is used up.

        Used again within a minute by the database's clock, while its successor is unused, it returns the same successor:
        the answer may have been lost, or two calls came at once. Used later, or after the successor was used, it ends
        the whole log-in, because somebody has a copy. Raises a 401 `ProblemError`.
        """
        successor = rules.successor_of(self._refresh_key, refresh_token)

        async def rotate(conn: Connection) -> Tokens | None:
            used = await store.use_refresh_token(
                conn,
                rules.token_digest(refresh_token),
                rules.token_digest(successor),
                now=now,
                expires_at=now + rules.REFRESH_TOKEN_SPAN,
                grace=self.limits.refresh_grace,
            )
            if used is None:
                return None
            family, user_id, epoch = used
            return self._pair(user_id, epoch, family, successor, now=now)

        pair = await in_transaction(self.pool, rotate)
        if pair is None:
            raise ProblemError(
                401, "invalid_token", "The refresh token does not hold any more. Sign in again."
            )
        return pair

    async def log_out(self, *, family: UUID | None, refresh_token: str | None, now: datetime) -> None:
        """End the log-in of this session, or the one that the refresh token descends from. Ignores unknown ones."""

        async def end(conn: Connection) -> None:
            ended = family
            if ended is None and refresh_token is not None:
                ended = await store.family_of_token(conn, rules.token_digest(refresh_token))
            if ended is not None:
                await store.end_family(conn, ended, now=now)

        await in_transaction(self.pool, end)

    async def session_of(self, access_token: str, *, now: datetime) -> Session | None:
        """The session of an access token; None where it is not valid (any more)."""
        claims = rules.decode_access_token(self._access_key, access_token, now=now)
        if claims is None:
            return None
        async with self.pool.connection() as conn:
            user = await store.user_of_claims(conn, claims)
        return None if user is None else Session(user, claims.family)

    def claims_of(self, access_token: str, *, now: datetime) -> AccessClaims | None:
        """The claims of a signed token that has not expired, even if its log-in was ended since."""
        return rules.decode_access_token(self._access_key, access_token, now=now)

    async def browser_session(self, token: str, *, now: datetime) -> tuple[Session, bool] | None:
        """The session of a browser whose cookie holds this refresh token, and whether it was just prolonged; None if invalid.

        A browser does not exchange its token, because it sends several requests at once. The token stays in a cookie that
        no script can read, and everything that ends a log-in (signing out, a new password, a reused token) ends it.
        """
        digest = rules.token_digest(token)
        async with self.pool.connection() as conn:
            found = await store.session_of_unused_token(conn, digest, now=now)
            if found is None:
                return None
            session, expires_at = found
            prolonged = expires_at - now < rules.REFRESH_TOKEN_SPAN / 2
            if prolonged:
                await store.extend_refresh_token(conn, digest, expires_at=now + rules.REFRESH_TOKEN_SPAN)
        return session, prolonged

    async def new_session(
        self, conn: Connection, user_id: int, epoch: int, *, now: datetime, address: str = "unknown"
    ) -> Tokens:
        """Create a log-in for a user whom the caller has authenticated and locked. A digest of `address` is stored."""
        family, refresh_token = uuid4(), rules.new_refresh_token()
        await store.insert_refresh_token(
            conn,
            digest=rules.token_digest(refresh_token),
            family=family,
            user_id=user_id,
            address_digest=self.address_digest(address),
            now=now,
            expires_at=now + rules.REFRESH_TOKEN_SPAN,
        )
        return self._pair(user_id, epoch, family, refresh_token, now=now)

    async def count(self, limits: Sequence[tuple[Limit, str]], *, now: datetime) -> list[int]:
        """Count a try of each subject and return the ids to release if it succeeds.

        Raises a 429 `ProblemError` with Retry-After where one of them is exhausted; then nothing is counted.
        """

        async def reserve(conn: Connection) -> list[int]:
            return await self.count_within(conn, limits, now=now)

        return await in_transaction(self.pool, reserve)

    async def count_within(
        self, conn: Connection, limits: Sequence[tuple[Limit, str]], *, now: datetime
    ) -> list[int]:
        """As `count`, in the caller's transaction: a rollback takes the count back."""
        buckets = [(limit, rules.bucket_of(self._attempts_key, limit, subject)) for limit, subject in limits]
        ids, wait = await store.reserve_attempts(conn, buckets, now=now)
        if wait is not None:
            raise too_many_tries(wait)
        return ids

    async def may_try(self, conn: Connection, limits: Sequence[tuple[Limit, str]], *, now: datetime) -> bool:
        """Count a try in the caller's transaction, or return False where one of the limits is exhausted."""
        buckets = [(limit, rules.bucket_of(self._attempts_key, limit, subject)) for limit, subject in limits]
        return (await store.reserve_attempts(conn, buckets, now=now))[1] is None

    async def release(self, ids: Sequence[int]) -> None:
        """Delete counted tries."""
        async with self.pool.connection() as conn:
            await store.release_attempts(conn, ids)

    async def _whose_password(self, email: str | None, password: str, address: str) -> Credentials | None:
        candidates: list[Credentials] = []
        if email is not None:
            async with self.pool.connection() as conn:
                candidates = await store.credentials_of_email(conn, email)
        count = self.limits.verifications_per_login
        return await self.find_password(candidates, password, count, address=address)

    async def find_password(
        self, candidates: Sequence[Credentials], password: str, count: int, *, address: str
    ) -> Credentials | None:
        """The first candidate with this password; compares `count` hashes however many candidates there are."""
        found: Credentials | None = None
        for number in range(count):
            candidate = candidates[number] if number < len(candidates) else None
            password_hash = candidate.password_hash if candidate else None
            if await self.passwords.verify(password, password_hash, address=address) and found is None:
                found = candidate
        return found

    def _pair(self, user_id: int, epoch: int, family: UUID, refresh_token: str, *, now: datetime) -> Tokens:
        claims = AccessClaims(user_id, epoch, family)
        access_token = rules.encode_access_token(self._access_key, claims, now=now)
        return Tokens(access_token, refresh_token, int(rules.ACCESS_TOKEN_SPAN.total_seconds()))


def too_many_tries(wait: timedelta) -> ProblemError:
    """A 429 with Retry-After in whole seconds."""
    seconds = max(1, math.ceil(wait.total_seconds()))
    return ProblemError(
        429, "too_many_requests", "Too many tries. Wait a little.", {"Retry-After": str(seconds)}
    )
