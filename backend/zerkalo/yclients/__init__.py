"""The interface to YCLIENTS: its JSON (payloads), its HTTP (client) and its rate limit (limiter).

Only the mirror, its entry points (`runs`, `webhook`), `booking_form` and the roots may import this package.
`payloads`, `model` and `fields` are pure: no HTTP, no SQL, no settings.
"""
