"""Makes text from outside harmless. Anyone who can write to a log bucket chooses the keys in it,
and a key can hold terminal commands, line breaks, and invisible characters.

So can names of buckets, S3's messages, custody records, settings and arguments. Text is escaped
where it leaves the program: in the texts of errors (`errors.LogAggregatorError`), in what commands
print (`cli.printing`), in log lines (`telemetry.logs`) and in names of files (`core.paths`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

# A character is harmless if Python calls it printable
# (https://docs.python.org/3/library/stdtypes.html#str.isprintable) and it is visible. So these
# general categories of Unicode are escaped
# (https://www.unicode.org/reports/tr44/#General_Category_Values):
#
#   Cc      C0, DEL and C1: line breaks and terminal commands, such as ESC and U+009B
#   Cf      bidi controls, zero-width characters, joiners, BOM, soft hyphen, tags
#   Zl, Zp  line and paragraph separators, which some programs take for line breaks
#   Zs      spaces other than the plain one, which look like it
#   Cs      halves of surrogate pairs, which cannot be encoded
#   Co, Cn  private use and unassigned, whose meaning is not known
#
# and the letters, marks and selectors below, which are invisible: the rest of
# Default_Ignorable_Code_Point (https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt).
# This splits emoji that are joined from several. All other letters stay as they are, and so do the
# marks that belong to them.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def is_harmless(text: str) -> bool:
    """Whether nothing in it has to be escaped."""
    return text.isprintable() and not _INVISIBLE.search(text)


def replace_harmful(text: str, write: Callable[[str], str]) -> str:
    """Replaces every character that is not harmless by what `write` makes of it."""
    if is_harmless(text):
        return text
    return "".join(char if is_harmless(char) else write(char) for char in text)


def escape(text: str) -> str:
    r"""One line of text, with harmful characters as Python writes them: \n, \x1b, \u202e,
    \U000e0041. A backslash stays as it is, so escaping twice gives the same text as once.
    """
    return replace_harmful(text, lambda char: char.encode("unicode_escape").decode("ascii"))


def escape_lines(text: str) -> str:
    """The same for text whose line breaks are our own."""
    return "\n".join(map(escape, text.split("\n")))


def escape_json(document: str) -> str:
    r"""The same for a JSON document, with \u001b and the like, so that it still reads as the same
    values. Its line breaks are our own, because those in strings are escaped already.
    """
    return "\n".join(replace_harmful(line, _escape_for_json) for line in document.split("\n"))


def _escape_for_json(char: str) -> str:
    """Escapes UTF-16 units, as JSON does (https://www.rfc-editor.org/rfc/rfc8259#section-7)."""
    data = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[start : start + 2].hex()}" for start in range(0, len(data), 2))
