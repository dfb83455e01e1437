"""All we know of YCLIENTS: their JSON (payloads), their HTTP (client) and their rate limit (limiter).

Only the mirror, its doors (`runs`, `webhook`), `booking_form` and the roots may import this package. `payloads`, `model` and `fields`
are pure: no HTTP, no SQL, no settings.
"""
