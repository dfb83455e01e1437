"""Static files under addresses with a digest of their content, so that a browser never needs to ask for one twice."""

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
    """`body` compressed once at the start; None where that saves nothing. Pages are never compressed: they hold typed text
    beside the CSRF token, and the compressed size would reveal the token (BREACH)."""
    media_type: str
    digest: str
    """A short digest of its bytes."""


class Assets:
    """The files of `web/static`, read once. `make setup` puts third-party scripts there."""

    def __init__(self, files: dict[str, Asset]) -> None:
        self._files = files

    def url(self, name: str) -> str:
        """Return the address of a file (`app.css`); it changes with the file. Raises `KeyError` for an unknown name."""
        return f"{PREFIX}/{self._files[name].digest}/{name}"

    def and_own(self, files: dict[str, "Asset"]) -> "Assets":
        """Return these files with the salon's own, which come from its settings."""
        return Assets(self._files | files)

    def route(self) -> Route:
        """Return the route that serves them. An old digest works, for pages opened before an update, but isn't cached."""
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
    """Read the files of a folder and its subfolders, by their names relative to it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return Assets({path.relative_to(folder).as_posix(): _read(path) for path in files})


def _read(path: Path) -> Asset:
    return asset_of(path.name, path.read_bytes())


def asset_of(name: str, body: bytes) -> Asset:
    """Make an asset of a file's bytes, compressed where that saves enough; its media type follows from the name."""
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    packed = gzip.compress(body, mtime=0)
    gzipped = packed if len(packed) < len(body) * WORTH_PACKING else None
    return Asset(body, gzipped, media_type, hashlib.sha256(body).hexdigest()[:12])
