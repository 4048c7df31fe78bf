"""The site for assistants: the Model Context Protocol at ``/mcp`` and over standard input.

`endpoint` speaks the protocol, `tools` answer, `shapes` are what may be asked and what is told, `asking` is
whom and how. Everything reads.
"""

from peerscope.web.mcp.endpoint import router, serve_stdio

__all__ = ["router", "serve_stdio"]
