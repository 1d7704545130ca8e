"""Key layouts: which log a key names, and where its date is. `parse_key` reads built-in layouts,
`Layouts` also those that the settings declare.
"""

from log_aggregator.core.layouts.grammar import DateGrammar
from log_aggregator.core.layouts.parse import (
    Dated,
    DatePosition,
    NoLog,
    Parsed,
    Unknown,
    parse_key,
)
from log_aggregator.core.layouts.table import LAYOUTS, Layout

__all__ = [
    "LAYOUTS",
    "DateGrammar",
    "DatePosition",
    "Dated",
    "Layout",
    "NoLog",
    "Parsed",
    "Unknown",
    "parse_key",
]
