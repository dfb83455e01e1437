"""The web application: the webhook before all, the domains' routers under /api/v1, the operators' routes, the pages."""

from typing import Protocol

from fastapi import APIRouter, FastAPI
from starlette.types import Receive, Scope, Send

from zerkalo.auth import routes as auth
from zerkalo.booking_form import routes as form
from zerkalo.bookings import routes as bookings
from zerkalo.bookings.journal import routes as journal
from zerkalo.loyalty import routes as loyalty
from zerkalo.reports import routes as reports
from zerkalo.runs import routes as runs
from zerkalo.users import routes as users
from zerkalo.users.desk import routes as people
from zerkalo.users.entering import routes as entering
from zerkalo.users.passwords import routes as passwords
from zerkalo.users.proving import routes as proving
from zerkalo.web import admin_api, clients_api, ops, pages
from zerkalo.web.bodies import BoundedBodies
from zerkalo.web.cors import ApiCors
from zerkalo.web.errors import install_error_handlers
from zerkalo.web.headers import FOR_MACHINES, HeadAsGet, SecurityHeaders
from zerkalo.web.openapi import describe
from zerkalo.web.pages.errors import error_page
from zerkalo.web.traces import TracedRequests
from zerkalo.webhook.committer import Committer
from zerkalo.webhook.replaying import routes as replay
from zerkalo.webhook.routes import Webhook, is_webhook

PREFIX = "/api/v1"


class WebRuntime(
    pages.PagesRuntime,
    runs.RunRuntime,
    ops.OpsRuntime,
    form.FormRuntime,
    clients_api.ClientsRuntime,
    Protocol,
):
    """What the web application needs of the process's parts."""

    @property
    def committer(self) -> Committer: ...


class App(FastAPI):
    """The web application. The webhook bypasses the framework, which would cost several times the webhook's own work."""

    def __init__(self, webhook: Webhook) -> None:
        # No redirects for an extra slash: they would name whatever host the caller sent.
        super().__init__(
            title="Zerkalo",
            redirect_slashes=False,
            docs_url=None,
            redoc_url=None,
            generate_unique_id_function=lambda route: (
                route.name
            ),  # generated clients name their methods by it
        )
        self.webhook = webhook

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_webhook(scope["path"]):
            await self.webhook(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(runtime: WebRuntime) -> App:
    """Make the web application of a running process's parts. It owns nothing that has to be closed."""
    app = App(_webhook(runtime))
    site = pages.new_site(runtime)
    install_error_handlers(app, error_page(site))
    app.add_middleware(BoundedBodies)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadAsGet)
    if runtime.settings.cors_origins:
        app.add_middleware(ApiCors, origins=runtime.settings.cors_origins, prefix=f"{PREFIX}/")
    if runtime.settings.otel_exporter_otlp_endpoint:
        app.add_middleware(TracedRequests)
    app.include_router(ops.router(runtime))
    app.include_router(_api(runtime), prefix=PREFIX)
    pages.mount(app, site)
    app.openapi = lambda: describe(app, PREFIX)
    return app


def _api(runtime: WebRuntime) -> APIRouter:
    api = APIRouter()
    api.include_router(auth.router(runtime))
    api.include_router(users.router(runtime))
    api.include_router(passwords.router(runtime))
    api.include_router(proving.router(runtime))
    api.include_router(entering.router(runtime))
    api.include_router(runs.router(runtime))
    api.include_router(replay.router(runtime))
    api.include_router(bookings.router(runtime))
    api.include_router(form.router(runtime))
    api.include_router(bookings.booking_router(runtime))
    api.include_router(loyalty.router(runtime))
    api.include_router(admin_api.router(runtime))
    api.include_router(clients_api.router(runtime))
    api.include_router(journal.router(runtime))
    api.include_router(reports.router(runtime))
    api.include_router(people.router(runtime))
    return api


def _webhook(runtime: WebRuntime) -> Webhook:
    settings = runtime.settings
    return Webhook(
        runtime.committer,
        frozenset(settings.yclients_company_ids),
        settings.yclients_webhook_secrets,
        clock=runtime.clock,
        tally=runtime.metrics.webhooks,
        enabled=settings.yclients_enabled,
        headers=FOR_MACHINES,
    )
