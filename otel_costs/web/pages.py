"""The pages of the report app: one document for every path, which draws what the API answers, and the files it needs.

The document holds no figure: who may read what is decided where the API is asked. Its policy lets nothing run but the
application's own files, and lets it speak to its own origin alone.
"""

import base64
import hashlib
import json
import mimetypes
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from importlib import resources
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from otel_costs.web import page_paths
from otel_costs.web.answer import failed

ASSETS: Final = "/assets/"

_MODULES: Final = {"preact": "vendor/preact.mjs", "preact/hooks": "vendor/preact-hooks.mjs", "htm": "vendor/htm.mjs"}
"""The modules that the published files name, and where they are."""

_TYPES: Final = {".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json"}


class Pages:
    """ASGI middleware: answers browsers with the document, and requests for its files; all else goes to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        answer: ASGIApp = self._app
        if scope["type"] == "http" and scope["method"] == "GET":
            request = Request(scope)
            path = below_root(scope)
            if path.startswith(ASSETS):
                answer = asset(path.removeprefix(ASSETS))
            elif (page := page_paths.find(path)) and page.form is None and is_browser(request):
                answer = document(request)
        await answer(scope, receive, send)


def is_browser(request: Request) -> bool:
    """Return whether a page is asked for, not data."""
    return "text/html" in request.headers.get("accept", "")


def is_missing_page(request: Request, api: str) -> bool:
    """Return whether a request is for a page that does not exist: not for data below `api`, nor for a file."""
    path = below_root(request.scope)
    return request.method == "GET" and is_browser(request) and not path.startswith((f"{api}/", ASSETS))


def below_root(scope: Scope) -> str:
    """Return the path of a request below where the application is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def document(request: Request, status: int = 200) -> Response:
    """Return the document, for what a request may do."""
    root = request.scope.get("root_path", "")
    return Response(_text(root, _settings(request)), status, media_type="text/html", headers=_headers(root))


def asset(name: str) -> Response:
    """Return the file `VERSION/NAME`. Another version is not there: a page that is open is to be loaded again."""
    version, _, file = name.partition("/")
    content = _files().get(file)
    if content is None or version != _version():
        return failed(404, "there is no such file; load the page again")
    ending = file[file.rfind(".") :]
    kind = _TYPES.get(ending) or mimetypes.types_map.get(ending, "text/plain")
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=kind, headers=headers)


def _settings(request: Request) -> Mapping[str, Any]:
    """Return the settings of a page, of the application and of its request."""
    rights = request.scope["otel_costs.rights"]
    shared: Mapping[str, Any] = request.app.state.page_settings.as_json()
    own = {"root": request.scope.get("root_path", ""), "content": rights.content, "write": rights.write}
    return {**shared, **own}


def _text(root: str, settings: Mapping[str, Any]) -> str:
    place = escape(f"{root}{ASSETS}{_version()}", quote=True)
    preloads = "\n".join(f'<link rel="modulepreload" href="{place}/{name}">' for name in _own_modules())
    # In a block of data nothing is markup but the end of the block.
    data = json.dumps(settings).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>otel-costs</title>
<link rel="icon" href="{place}/icon.svg">
<link rel="stylesheet" href="{place}/vendor/uPlot.min.css">
<link rel="stylesheet" href="{place}/style.css">
<script type="importmap">{_import_map(root)}</script>
{preloads}
<script src="{place}/vendor/uPlot.iife.min.js" defer></script>
<script src="{place}/app.js" type="module"></script>
<script type="application/json" id="settings">{data}</script>
</head>
<body>
<noscript>This page needs JavaScript. The same figures: otel-costs, otel-costs sessions, otel-costs report.</noscript>
</body>
</html>
"""


@cache
def _import_map(root: str) -> str:
    place = f"{root}{ASSETS}{_version()}/"
    return json.dumps({"imports": {name: place + file for name, file in _MODULES.items()}}).replace("<", "\\u003c")


@cache
def _headers(root: str) -> Mapping[str, str]:
    digest = base64.b64encode(hashlib.sha256(_import_map(root).encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


@cache
def _files() -> Mapping[str, bytes]:
    """Return the files by their names: read once, for a process that is confined cannot read them later."""
    return dict(_below(resources.files(__package__).joinpath("static"), ""))


def _below(folder: Any, place: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = place + entry.name
        if entry.is_dir():
            yield from _below(entry, f"{name}/")
        else:
            yield name, entry.read_bytes()


@cache
def _version() -> str:
    """Return what changes with each file, so that browsers keep them for good."""
    digest = hashlib.sha256()
    for name, content in sorted(_files().items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


@cache
def _own_modules() -> tuple[str, ...]:
    return tuple(sorted(name for name in _files() if name.endswith((".js", ".mjs")) and "iife" not in name))
