"""What leaves this process for a service that watches it, only where a setting asks for it: traces and errors.

`tracing` gives spans that cost nothing while it is off, `errors` sends what the log says of an error to Sentry, already
scrubbed. Both need an extra of the package; `start` says which one is missing.
"""
