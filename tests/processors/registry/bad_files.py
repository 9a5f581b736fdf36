"""Reads `bad_files.txt`, and adds the faults that no text file can show."""

import re
from pathlib import Path
from typing import Final, NamedTuple


class Bad(NamedTuple):
    """One file with one fault; `told` is the beginning of the problem."""

    name: str
    text: str
    line: int
    told: str


_CASE: Final = re.compile(
    r"^=== (?P<name>.+?)\n(?P<text>.+?)\n--- (?P<line>\d+): (?P<told>.+?)$",
    re.DOTALL | re.MULTILINE,
)


def bad_files() -> list[Bad]:
    """All of them."""
    text = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")
    shown = [
        Bad(case["name"], case["text"], int(case["line"]), case["told"])
        for case in _CASE.finditer(text)
    ]
    return [*shown, *NOT_SHOWN]


EMPTY: Final = "the file is empty; declare something, e.g. merchants: []"
DEEP: Final = "nested too deeply; write it flat"
NOT_SHOWN: Final = [
    Bad("an empty file", "", 1, EMPTY),
    Bad("only a comment", "# nothing", 1, EMPTY),
    Bad("not UTF-8", "merchants: []\n# \udcff", 2, "not UTF-8; save it as UTF-8"),
    Bad("a control character", "a: []\n# \x07", 2, "a character that YAML does not allow; remove"),
    Bad("deep nesting", "merchants: " + "[" * 100_000, 1, DEEP),
    Bad("deep nesting over lines", "merchants:\n" + "- " * 5_000, 2, DEEP),
]
