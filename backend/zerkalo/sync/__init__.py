"""The one place that joins YCLIENTS to our domains: webhooks, reconciliation, refetches.

Both ways in end in `service.Applier`. Imported by the roots and by `web`; imports the domains and `yclients`.
"""
