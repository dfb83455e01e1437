"""Static files under addresses that name their content, so that a browser never asks for one twice."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.kit.problem import ProblemError

FOLDER = Path(__file__).parents[1] / "static"
PREFIX = "/static"
WORTH_PACKING = 0.9
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file as it is served."""

    body: bytes
    gzipped: bytes | None
    """The same, packed once at the start; None where that saves nothing. Pages themselves are never packed: they hold
    what was typed beside the forms' token, and the size of what is packed would tell of it."""
    media_type: str
    digest: str
    """Of its bytes, short."""


class Assets:
    """The files of `web/static`, read once. The vendor's scripts come there by `make setup`."""

    def __init__(self, files: dict[str, Asset]) -> None:
        self._files = files

    def url(self, name: str) -> str:
        """The address of a file, for example `app.css`; it changes when the file does. Raises `KeyError` without one."""
        return f"{PREFIX}/{self._files[name].digest}/{name}"

    def and_own(self, files: dict[str, "Asset"]) -> "Assets":
        """These and the salon's own, which come from its settings."""
        return Assets(self._files | files)

    def route(self) -> Route:
        """Serve them. An address with an old digest still works, for a page opened before an update, but is not kept."""
        return Route(PREFIX + "/{digest}/{name:path}", self._serve)

    async def _serve(self, request: Request) -> Response:
        asset = self._files.get(request.path_params["name"])
        if asset is None:
            raise ProblemError(404, "not_found", "There is no such file.")
        is_current = request.path_params["digest"] == asset.digest
        headers = {"Cache-Control": _FOR_EVER if is_current else "no-cache", "Vary": "Accept-Encoding"}
        body = asset.body
        if asset.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = asset.gzipped
        return Response(body, media_type=asset.media_type, headers=headers)


@cache
def read_assets(folder: Path = FOLDER) -> Assets:
    """The files of a folder and those below it, by their names relative to it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Assets({path.relative_to(folder).as_posix(): _read(path) for path in files})


def _read(path: Path) -> Asset:
    return asset_of(path.name, path.read_bytes())


def asset_of(name: str, body: bytes) -> Asset:
    """A file from its bytes, packed where that is worth it; its type is that of its name."""
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    packed = gzip.compress(body, mtime=0)
    gzipped = packed if len(packed) < len(body) * WORTH_PACKING else None
    return Asset(body, gzipped, media_type, hashlib.sha256(body).hexdigest()[:12])
