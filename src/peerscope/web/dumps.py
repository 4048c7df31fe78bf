"""The page of dumps, and their files."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from peerscope.record.dumps import MANIFEST, Dump, dump_named, dumps_in
from peerscope.web.site import site_of

router = APIRouter(include_in_schema=False)

LATEST = "latest"
TYPES = {".json": "application/json", ".gz": "application/gzip"}


@router.get("/dumps", response_class=HTMLResponse)
def listed(request: Request) -> Response:
    """The dumps of the site with what each file holds."""
    site = site_of(request)
    found = dumps_in(site.settings.dumps)
    return site.page(
        request, "dumps.html",
        dumps=found, newest=found[0] if found else None, hours=site.settings.dump_hours, manifest=MANIFEST,
    )  # fmt: skip


@router.get("/dumps/{name}/{file}")
def file(request: Request, name: str, file: str) -> Response:
    """A file of a dump, whole or a range of it; of the newest one by the name ``latest``."""
    folder = site_of(request).settings.dumps
    if name == LATEST:
        newest: Dump | None = next(iter(dumps_in(folder)), None)
        if newest is None or newest.path(file) is None:
            raise HTTPException(404)
        return RedirectResponse(f"/dumps/{newest.name}/{file}", 302)
    found = dump_named(folder, name)
    place = found.path(file) if found else None
    if place is None or not place.is_file():
        raise HTTPException(404)
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=86400"}
    return FileResponse(place, media_type=TYPES[place.suffix], headers=headers)
