"""Pages and API: thin; every rule lives in a room below.

Server-rendered pages that work without JavaScript, their JSON twins under ``/api``, exports of single works,
a strict content security policy. What a page shows comes from `peerscope.record.read` and
`peerscope.discover`; nothing here asks the tables itself.
"""

# First: routes are compiled when their modules are read.
import peerscope.web.addresses  # noqa: F401  # isort: skip
from peerscope.web.app import create_app

__all__ = ["create_app"]
