"""Works as bibliographies: BibTeX, RIS, CSL-JSON, JSON-LD and OpenAlex-shaped JSON.

Every exporter takes `ParsedWork`s and yields pieces of text, so that any number of works can be
streamed into a file or a response.
"""

from __future__ import annotations
