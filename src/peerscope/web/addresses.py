"""Numbers in addresses: one with more digits than the tables hold is a number that nobody has."""

from __future__ import annotations

from starlette.convertors import IntegerConvertor, register_url_convertor

MOST_DIGITS = 15
NOBODY = 10**MOST_DIGITS - 1


class Number(IntegerConvertor):
    """``{number:int}`` of a route, at most `NOBODY`."""

    def convert(self, value: str) -> int:
        """The number; `NOBODY` for one of more than `MOST_DIGITS` digits."""
        return int(value) if len(value) <= MOST_DIGITS else NOBODY


register_url_convertor("int", Number())
