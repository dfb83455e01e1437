"""The pages for people: server-rendered, working without JavaScript. They use the same services as the API.

Each part of the site has a folder: `book/`, `account/`, `me/`, `admin/`. A module declares its pages on its `pages` (see
`routing`); `mount` puts them all on the app.
"""

from fastapi import FastAPI

from zerkalo.web.pages import home
from zerkalo.web.pages.account import entering
from zerkalo.web.pages.account import routes as account
from zerkalo.web.pages.admin import bookings, events, overview, runs, setup, unmatched, users
from zerkalo.web.pages.admin.clients import cards, merging
from zerkalo.web.pages.admin.clients import profile as client_profile
from zerkalo.web.pages.admin.journal import export
from zerkalo.web.pages.admin.journal import routes as journal
from zerkalo.web.pages.admin.reports import routes as reports
from zerkalo.web.pages.book import guest, widget
from zerkalo.web.pages.book import routes as book
from zerkalo.web.pages.me import notices, profile, proof, visits
from zerkalo.web.pages.me import overview as me
from zerkalo.web.pages.site import PagesRuntime, Site, new_site
from zerkalo.web.pages.staff import joining, log, roles
from zerkalo.web.pages.till import routes as till

__all__ = ["PagesRuntime", "Site", "mount", "new_site"]

MODULES = (
    home,
    book,
    guest,
    widget,
    account,
    entering,
    me,
    visits,
    proof,
    profile,
    overview,
    runs,
    journal,
    export,
    reports,
    bookings,
    unmatched,
    events,
    users,
    client_profile,
    merging,
    cards,
    setup,
    roles,
    log,
    joining,
    till,
    notices,
)


def mount(app: FastAPI, site: Site) -> None:
    """Add the pages and their static files to the app, at its root."""
    app.router.routes.append(site.assets.route())
    for module in MODULES:
        app.router.routes.extend(module.pages.routes(site))
