"""Traces and errors for external monitoring services, sent only where a setting enables them.

`tracing` makes spans, which cost almost nothing while it is off; `errors` sends scrubbed log events of errors to
Sentry. Both need an extra of the package; `start` says which one is missing.
"""
