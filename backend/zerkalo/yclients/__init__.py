"""All we know of YCLIENTS: their JSON (payloads), their HTTP (client) and their rate limit (limiter).

Only `sync`, `booking_form` and the composition roots import this package. `payloads`, `model` and `fields`
are pure: no HTTP, no SQL, no settings.
"""
