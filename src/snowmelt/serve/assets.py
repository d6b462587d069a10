"""What the pages load: built into the package, read once, served compressed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

STATIC = Path(__file__).with_name("static")
NEEDED = ("app.js", "charts.js", "theme.js", "style.css", "icon.svg")
LACKING = (
    "the pages' scripts are not built: this is a checkout. "
    "With Node.js 20 or newer: make setup"
)
KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class Asset:
    """One file, and its content compressed."""

    content: bytes
    compressed: bytes
    kind: str
    digest: str


class Assets:
    """Every file that pages load, by name. What is not among them is not there."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._assets: dict[str, Asset] = {}
        for path in sorted(folder.glob("*")):
            if path.suffix in KINDS:
                content = path.read_bytes()
                beside = path.with_name(f"{path.name}.gz")
                compressed = beside.read_bytes() if beside.is_file() else b""
                digest = hashlib.sha256(content).hexdigest()[:12]
                self._assets[path.name] = Asset(
                    content, compressed, KINDS[path.suffix], digest
                )

    @property
    def are_built(self) -> bool:
        """Is all there that a page needs?"""
        return all(name in self._assets for name in NEEDED)

    def url(self, name: str) -> str:
        """Return where a page finds a file; another content is another address."""
        found = self._assets.get(name)
        return f"/static/{name}?v={found.digest}" if found else f"/static/{name}"

    async def answer(self, request: Request) -> Response:
        """Answer `/static/NAME`."""
        return self._answer(request, request.path_params["name"])

    async def icon(self, request: Request) -> Response:
        """Answer `/favicon.ico`, which browsers ask for where no page names one."""
        return self._answer(request, "icon.svg")

    def _answer(self, request: Request, name: str) -> Response:
        found = self._assets.get(name)
        if found is None:
            return PlainTextResponse("there is no such file", 404)
        takes = "gzip" in request.headers.get("accept-encoding", "")
        is_compressed = takes and bool(found.compressed)
        is_dated = request.query_params.get("v") == found.digest
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable"
            if is_dated
            else "no-cache",
            "Content-Type": found.kind,
            "ETag": f'"{found.digest}"',
            "Vary": "Accept-Encoding",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        if is_compressed:
            headers["Content-Encoding"] = "gzip"
        content = found.compressed if is_compressed else found.content
        return Response(content, headers=headers)
