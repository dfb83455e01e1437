"""Machines that try to break the application: Schemathesis over its OpenAPI, atheris over the parser of the webhook."""
