"""Whom an assistant asks, and how what it names is found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from peerscope.record.openalex.conditions import outside_id, own_number
from peerscope.record.read import WorkCard, current_people, entity_of_identifier, labels_of
from peerscope.record.read.shapes import Link
from peerscope.web.site import KINDS, PLACES, Site


class CannotAnswerError(Exception):
    """Why a tool cannot answer, as a sentence for the assistant."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The site that is asked, and the address that its links begin with (without a slash at the end)."""

    site: Site
    base: str

    def hidden(self, letter: str, number: int | None) -> bool:
        """Whether it is a person whose page is hidden."""
        return letter == "A" and self.site.is_hidden(number)

    def thing(
        self, letter: str, number: int | None, name: str, note: str | None = None
    ) -> dict[str, Any]:
        """Something of the record; a hidden person stays the name that is printed on works."""
        if number is None or self.hidden(letter, number):
            return {"id": None, "name": name, "url": None, "note": note}
        own = f"{letter}{number}"
        return {"id": own, "name": name, "url": f"{self.base}/{PLACES[letter]}/{own}", "note": note}

    def link(self, link: Link) -> dict[str, Any]:
        """As `thing`, of a link of a read model."""
        return self.thing(link.entity, link.id, link.label, link.note)

    def work(self, card: WorkCard) -> dict[str, Any]:
        """A work of a list."""
        return {
            **self.thing("W", card.id, card.title),
            "title": card.title,
            "authors": [self.link(one) for one in card.authors],
            "authors_count": card.authors_count,
            "year": card.year,
            "type": card.type,
            "venue": self.link(card.venue) if card.venue else None,
            "cited_by_count": card.cited_by_count,
            "is_open_access": card.is_oa,
            "snippet": card.snippet,
        }


def numbers_of(given: Iterable[str], letter: str) -> tuple[int, ...]:
    """Numbers of ids of one kind.

    Raises:
        CannotAnswerError: One of them is no such id.
    """
    found = []
    for one in given:
        number = own_number(letter, one.strip())
        if number is None:
            raise CannotAnswerError(
                f"“{one[:60]}” is no id of this kind; it looks like {letter}12."
            )
        found.append(number)
    return tuple(found)


def number_of(session: Session, letter: str, given: str) -> int | None:
    """The number of what an id of here or elsewhere names; ``None`` where nothing has it."""
    given = given.strip()
    number = own_number(letter, given)
    if number is not None:
        return number if number < 2**53 else None
    found = outside_id(given)
    if found is None or "\x00" in given:
        return None
    return entity_of_identifier(session, letter, *found)


def there(asking: Asking, session: Session, given: str, letters: str) -> tuple[str, int, str]:
    """Letter, number and name of something that is shown.

    Raises:
        CannotAnswerError: There is no such thing.
    """
    for letter in letters:
        number = number_of(session, letter, given)
        if letter == "A" and number is not None:
            number = current_people(session, [number]).get(number)
        if number is not None and not asking.hidden(letter, number):
            name = labels_of(session, [f"{letter}{number}"]).get(f"{letter}{number}")
            if name is not None:
                return letter, number, name
    kinds = ", ".join(KINDS[letter].lower() for letter in letters)
    raise CannotAnswerError(f"“{given[:80]}” is nothing of this record ({kinds}), or is not shown.")
