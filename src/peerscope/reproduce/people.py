"""People as an export names them: a name and, where it is known, an ORCID."""

from __future__ import annotations

import re
from dataclasses import dataclass

ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who wrote a work or ran a protocol.

    Attributes:
        name: As they write it.
        orcid: Bare, with a right check digit; empty if it is not known.
    """

    name: str
    orcid: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("A person needs a name.")
        if self.orcid and not valid_orcid(self.orcid):
            raise ValueError(f"{self.orcid} is no ORCID: its form or its check digit is wrong.")

    @property
    def url(self) -> str:
        """Address of the ORCID record, or empty."""
        return f"https://orcid.org/{self.orcid}" if self.orcid else ""


def read_person(text: str) -> Person:
    """A person from ``Name`` or ``Name 0000-0002-1825-0097``, with brackets, comma or address around it.

    Raises:
        ValueError: There is no name, or the ORCID is wrong.
    """
    found = ORCID.search(text.upper())
    if found is None:
        return Person(text.strip())
    name = text[: found.start()].strip()
    name = re.sub(r"[\s,;(<\[]*(https?://orcid\.org/|orcid:?)?[\s,;(<\[]*$", "", name, flags=re.I)
    return Person(name.strip(), found[0])


def valid_orcid(text: str) -> bool:
    """Whether a bare ORCID has the right form and check digit (ISO 7064, mod 11-2)."""
    if not ORCID.fullmatch(text):
        return False
    digits = text.replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2 % 11
    check = (12 - total) % 11
    return digits[-1] == ("X" if check == 10 else str(check))
