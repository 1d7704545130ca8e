"""Text from outside, made harmless: whoever may write to a log bucket chooses the keys in it, and
a key may hold a terminal's commands, line breaks, and what nobody sees.

So may names of buckets, S3's messages, custody records, settings and arguments. It is escaped where
it goes out: in the texts of errors (`errors.LogAggregatorError`), in what commands print
(`cli.printing`), in log lines (`telemetry.logs`) and in names of files (`core.paths`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Harmless is what Python calls printable (https://docs.python.org/3/library/stdtypes.html#str.isprintable)
# and what also shows. So escaped is every character of these general categories of Unicode
# (https://www.unicode.org/reports/tr44/#General_Category_Values):
#
#   Cc      C0, DEL and C1: line breaks, a terminal's commands, as ESC and U+009B
#   Cf      bidi controls, zero-width characters, joiners, BOM, soft hyphen, tags
#   Zl, Zp  line and paragraph separator, which are line breaks to some
#   Zs      blanks that are not the blank: they look like it, and are wider, or cannot be broken at
#   Cs      halves of a pair, which cannot be encoded
#   Co, Cn  private use and unassigned, whatever those may come to mean
#
# and these letters, marks and selectors, which show nothing at all: what else is
# Default_Ignorable_Code_Point (https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt).
# Emoji that are joined from several come apart by it. All other letters stay as they are, and so do
# the marks that belong to them.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def is_harmless(text: str) -> bool:
    """Nothing in it has to be escaped."""
    return text.isprintable() and not _INVISIBLE.search(text)


def replace_harmful(text: str, write: Callable[[str], str]) -> str:
    """Every character that is not harmless is replaced by what `write` makes of it."""
    if is_harmless(text):
        return text
    return "".join(char if is_harmless(char) else write(char) for char in text)


def escape(text: str) -> str:
    r"""One line of text, with \n, \x1b, \u202e, \U000e0041 for such characters, as Python writes
    them. A backslash stays as it is, so the same text comes out however often it is escaped.
    """
    return replace_harmful(text, lambda char: char.encode("unicode_escape").decode("ascii"))


def escape_lines(text: str) -> str:
    """The same of text whose line breaks are our own."""
    return "\n".join(map(escape, text.split("\n")))


def escape_json(document: str) -> str:
    r"""The same of a JSON document, with \u001b and the like: it is read as the same values. A line
    break in it is our own, for those in strings are escaped already.
    """
    return "\n".join(replace_harmful(line, _escape_for_json) for line in document.split("\n"))


def _escape_for_json(char: str) -> str:
    """By its UTF-16 units, as JSON does (https://www.rfc-editor.org/rfc/rfc8259#section-7)."""
    data = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[start : start + 2].hex()}" for start in range(0, len(data), 2))
