"""Long texts for the engines' programs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

SENTENCE_ENDS = frozenset(".!?\u2026\u3002\uff01\uff1f\uff61\u061f\u06d4\u0964\u0965\u1362\u1367\u0589\u0f0d\u104b\u17d4\u17d5\n")
"""Of the Latin, Chinese, Japanese, Arabic, Urdu, Indic, Ethiopic, Armenian, Tibetan, Burmese and Khmer scripts."""
PAUSES = frozenset(",;:\uff0c\u3001\uff1b\uff1a\uff64\u060c\u061b\u1361\u1363\u1364\u1365\u1366\u055d\u104a")


def groups_of(text: str, most: int) -> list[str]:
    """Parts of at most `most` bytes in UTF-8, cut where a voice pauses anyway: after a sentence, else after a clause, else between words.

    A word, or a text of a script without spaces, that is longer is cut between letters.
    """
    groups: list[str] = []
    rest = text.strip()
    while len(rest.encode()) > most:
        cut = _cut(rest, most)
        groups.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [group for group in [*groups, rest] if group]


def _cut(text: str, most: int) -> int:
    """How many of its letters are the first group: one at least."""
    fit = len(text.encode()[:most].decode(errors="ignore"))
    checks: tuple[Callable[[int], bool], ...] = (
        lambda place: _ends(text, place, SENTENCE_ENDS),
        lambda place: _ends(text, place, PAUSES),
        lambda place: text[place].isspace(),
    )
    for check in checks:
        # A first group that is much too short would sound cut off; a cut between words is still better than one within.
        shortest = 1 if check is checks[-1] else fit // 2
        for place in range(fit, max(0, shortest - 1), -1):
            if check(place):
                return place
    while fit > 1 and unicodedata.category(text[fit]).startswith("M"):
        fit -= 1  # an accent stays with its letter
    return max(1, fit)


def _ends(text: str, place: int, marks: frozenset[str]) -> bool:
    """A full stop or comma within a number, or a web address, ends nothing."""
    mark = text[place - 1] if place else ""
    return mark in marks and (not mark.isascii() or mark.isspace() or text[place].isspace())
