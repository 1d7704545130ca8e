"""Text that acts on a terminal, or is invisible: anyone can put it into a key."""

from __future__ import annotations

from log_aggregator.escapes import is_harmless

HARM = (
    *map(chr, range(0x20)),  # C0
    *map(chr, range(0x7F, 0xA0)),  # DEL and C1
    *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",  # bidi
    *"\xad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u3164\ufe0f\ufeff",  # invisible
    *"\u2028\u2029\xa0\u3000\ue000\u0378\U000e0001\U000e0041\U000e0100",
)
NO_UTF8 = "\udc9b"
"""An argument may contain these bytes; a key of S3's cannot."""

HOSTILE = "".join(f"q{char}z" for char in HARM) + "q\x1b[2Jz" + "q\x9b31mz" + "q\x1b]0;owned\x07z"
TYPED = HOSTILE.replace("\x00", "") + f"q{NO_UTF8}z"
"""As an argument, which cannot contain NUL."""

BITE = "q\x1bzq\nzq\x9bzq\u202ez"
"""A short one."""


def find_harm(text: str, *, tabs: bool = False) -> list[str]:
    """Everything that came out unescaped: line breaks, and tabs unless `tabs` allows our own, count
    only if they are not ours.
    """
    shown = text.replace("\n", "").replace("\t", "" if tabs else "\t")
    theirs = [f"q{char}z" for char in "\n\t" if f"q{char}z" in text]
    return [*sorted({char for char in shown if not is_harmless(char)}), *theirs]
