"""Forms that change something: from this site's own pages only, answered by a redirect within it.

They work without JavaScript. Browsers say where a form came from (``Sec-Fetch-Site``, or ``Origin`` where
the site is served without encryption); a form of a reader also carries a token bound to their cookie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from fastapi import HTTPException, Request
from fastapi.responses import RedirectResponse

from peerscope.web.reader import Present, present
from peerscope.web.site import site_of

MOST_BYTES = 262_144
"""A review has five parts of 4,000 characters, nine bytes each where they are not Latin: two thirds of it."""
MOST_FIELDS = 300
"""A form may have a field for each work of a page."""

FOREIGN = "This form did not come from a page of this site, so nothing was changed."
STALE = (
    "This form is not one of yours, or of an earlier cookie, so nothing was changed. "
    "Go back, load the page again and repeat it."
)


async def form(request: Request) -> dict[str, str]:
    """The fields of a form of this site.

    Raises:
        HTTPException: 403 for a form of another site, 413 and 415 for one that is too large or of
            another kind.
    """
    refuse_foreign(request)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != (
        "application/x-www-form-urlencoded"
    ):
        raise HTTPException(415, "This address takes plain forms only.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "The form is larger than anything this site asks for.")
    try:
        fields = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        )
    except ValueError as error:
        raise HTTPException(413, "The form has more fields than this site asks for.") from error
    return dict(fields)


def number_of(fields: Mapping[str, str], name: str, letter: str = "") -> int:
    """The number that a field of a form names, as ``12`` or ``T12``.

    Raises:
        HTTPException: 400 where it names none.
    """
    match = re.fullmatch(rf"{letter}(\d{{1,15}})", fields.get(name, ""), re.ASCII)
    if match is None:
        raise HTTPException(400, f"The form does not say which {name} it is about.")
    return int(match[1])


def own_form(request: Request, fields: Mapping[str, str]) -> Present:
    """The reader whose form this is.

    Raises:
        HTTPException: 403 without a reader, or where the token is not theirs.
    """
    who = present(request)
    if who is None or not who.accepts(fields.get("token", "")):
        raise HTTPException(403, STALE)
    return who


def refuse_foreign(request: Request) -> None:
    """Refuse what did not come from a page of this site.

    Raises:
        HTTPException: 403 for such a form.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site not in (None, "same-origin", "none") or (site is None and origin is None):
        raise HTTPException(403, FOREIGN)
    if origin is not None and urlsplit_host(origin) not in _own_hosts(request):
        raise HTTPException(403, FOREIGN)


def _own_hosts(request: Request) -> set[str]:
    stated = site_of(request).settings.base_url
    return {request.headers.get("host", "").lower(), urlsplit_host(stated)} - {""}


def urlsplit_host(address: str) -> str:
    """Host and port of an address; empty where it has none (``null``) or cannot be read."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


def back_to(given: str | None, otherwise: str) -> RedirectResponse:
    """A redirect to an address of this site; to ``otherwise`` where the given one is none."""
    return RedirectResponse(given if given and is_local(given) else otherwise, 303)


def is_local(address: str) -> bool:
    """Whether an address is a path of this site, however a browser may read it."""
    if not re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", address, re.ASCII) or "\\" in address:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and address.startswith("/")
