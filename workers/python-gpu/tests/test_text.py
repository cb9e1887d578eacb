"""A long text is cut where a voice pauses, and no part is longer than the model can speak."""

from __future__ import annotations

import unicodedata

import pytest

from spindle_worker.engine.text import groups_of

TEXTS = {
    "no mark": "one two three four five six seven eight nine ten " * 60,
    "no space": "x" * 3000,
    "Chinese": "\u6211\u4eec\u5728\u5929\u6587\u53f0\uff0c\u770b\u5230\u4e86\u661f\u7cfb\u3002" * 60,
    "Japanese without a mark": "\u661f\u3092\u898b\u308b" * 300,
    "Hindi": "\u092f\u0939 \u090f\u0915 \u0935\u093e\u0915\u094d\u092f \u0939\u0948\u0964 " * 60,
    "Arabic": "\u0647\u0630\u0627 \u0646\u0635\u060c \u0648\u0622\u062e\u0631\u061f " * 60,
    "Thai": "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a" * 100,
    "accents of their own": "e\u0301" * 1000,
    "numbers": "It is 3.14159 and 1,000,000 and example.org. " * 60,
    "lines": "A line without a mark\n" * 100,
}


@pytest.mark.parametrize("kind", sorted(TEXTS))
@pytest.mark.parametrize("most", [10, 57, 300])
def test_no_group_is_longer_than_asked_and_nothing_is_lost(kind: str, most: int) -> None:
    """[M4] Whatever the script, and with or without marks."""
    groups = groups_of(TEXTS[kind], most)
    assert all(0 < len(group.encode()) <= most for group in groups)
    assert "".join("".join(groups).split()) == "".join(TEXTS[kind].split())
    assert not any(unicodedata.category(group[0]).startswith("M") for group in groups if kind.startswith("accents"))


def test_groups_end_where_a_voice_pauses() -> None:
    """[M4] After a sentence, else after a clause, else between words; never within a number."""
    assert groups_of("One here. Two here. Three here.", 22) == ["One here. Two here.", "Three here."]
    assert groups_of("One here, two here, three here", 22) == ["One here, two here,", "three here"]
    assert groups_of("One here two here three here", 22) == ["One here two here", "three here"]
    assert groups_of("It costs about 1,000,000 or 3.14159 each", 20) == ["It costs about", "1,000,000 or 3.14159", "each"]
    assert groups_of("\u4f60\u597d\u3002\u518d\u89c1\u3002\u597d", 18) == ["\u4f60\u597d\u3002\u518d\u89c1\u3002", "\u597d"]
    assert groups_of("Short", 22) == ["Short"]
    assert groups_of("  \n", 22) == []
