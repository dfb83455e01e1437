"""Everything that answers HTTP, mounted: the domains' routers under /api/v1, the operators' routes, the pages."""

from typing import Protocol

from fastapi import APIRouter, FastAPI

from zerkalo.auth import routes as auth
from zerkalo.booking_form import routes as form
from zerkalo.bookings import routes as bookings
from zerkalo.loyalty import routes as loyalty
from zerkalo.runs import routes as runs
from zerkalo.users import routes as users
from zerkalo.users.desk import routes as people
from zerkalo.web import admin_api, ops, pages
from zerkalo.web.bodies import BoundedBodies
from zerkalo.web.errors import install_error_handlers
from zerkalo.web.headers import SecurityHeaders
from zerkalo.web.openapi import describe
from zerkalo.web.pages.errors import error_page
from zerkalo.webhook import admin_routes as replay
from zerkalo.webhook.committer import Committer
from zerkalo.webhook.routes import PATHS as WEBHOOK_PATHS
from zerkalo.webhook.routes import Webhook

PREFIX = "/api/v1"


class WebRuntime(pages.PagesRuntime, runs.RunRuntime, ops.OpsRuntime, form.FormRuntime, Protocol):
    """What the web process is made of."""

    @property
    def committer(self) -> Committer: ...


def create_app(runtime: WebRuntime) -> FastAPI:
    """The whole web application over a running composition. It owns nothing that would have to be closed."""
    # No redirects for a slash too many: they would name whatever host the caller says that we are.
    app = FastAPI(title="Zerkalo", redirect_slashes=False, docs_url=None, redoc_url=None)
    site = pages.new_site(runtime)
    install_error_handlers(app, error_page(site))
    app.add_middleware(BoundedBodies, open_prefix=f"{PREFIX}{WEBHOOK_PATHS[0]}")
    app.add_middleware(SecurityHeaders)
    app.include_router(ops.router(runtime))
    app.router.routes.extend(_webhook(runtime).routes(PREFIX))
    app.include_router(_api(runtime), prefix=PREFIX)
    pages.mount(app, site)
    app.openapi = lambda: describe(app, PREFIX)
    return app


def _api(runtime: WebRuntime) -> APIRouter:
    api = APIRouter()
    api.include_router(auth.router(runtime))
    api.include_router(users.router(runtime))
    api.include_router(runs.router(runtime))
    api.include_router(replay.router(runtime))
    api.include_router(bookings.router(runtime))
    api.include_router(form.router(runtime))
    api.include_router(bookings.booking_router(runtime))
    api.include_router(loyalty.router(runtime))
    api.include_router(admin_api.router(runtime))
    api.include_router(people.router(runtime))
    return api


def _webhook(runtime: WebRuntime) -> Webhook:
    settings = runtime.settings
    return Webhook(
        committer=runtime.committer,
        company_ids=frozenset(settings.yclients_company_ids),
        secret=settings.yclients_webhook_secret,
        enabled=settings.yclients_enabled,
        clock=runtime.clock,
        on_answer=runtime.metrics.count_webhook,
    )
