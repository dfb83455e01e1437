"""The pages for people: server-rendered, working without JavaScript. They read and write through the services the API uses.

`mount` puts them all on the app. A folder a journey: `book/`, `account/`, `me/`, `admin/`.
A page's module has `routes(site) -> list[Route]`; `site.py` is what they share.
"""

from fastapi import FastAPI

from zerkalo.web.pages import api_docs, home
from zerkalo.web.pages.account import routes as account
from zerkalo.web.pages.admin import overview as desk
from zerkalo.web.pages.book import routes as book
from zerkalo.web.pages.book import widget
from zerkalo.web.pages.me import overview as me
from zerkalo.web.pages.me import profile, visits
from zerkalo.web.pages.site import PagesRuntime, Site, new_site

__all__ = ["PagesRuntime", "Site", "mount", "new_site"]

_PAGES = (
    api_docs.routes,
    home.routes,
    book.routes,
    widget.routes,
    account.routes,
    me.routes,
    visits.routes,
    profile.routes,
    desk.routes,
)


def mount(app: FastAPI, site: Site) -> None:
    """Adds the pages and their static files to the app, at its root."""
    app.router.routes.append(site.assets.route())
    for routes in _PAGES:
        app.router.routes.extend(routes(site))
