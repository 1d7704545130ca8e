"""The golden terms: those of a small pack, as they were when the format was fixed.

python -m tests.golden.golden_terms    writes them anew; only a new version of the format
                                       may change them
"""

from __future__ import annotations

from pathlib import Path

from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
from log_aggregator.core.terms.packterms import encode_terms

FILE = Path(__file__).parent / "formats" / "terms" / "v1" / "pack.terms.jsonl.xz"
HEAD = TermsHead(
    "packs/logs/CloudTrail/111111111111/2026/04/01/a.json.gz",
    30,
    {Unsearched.UNPARSABLE: 2, Unsearched.COPIED: 1},
)
NOON = 1_775_044_800  # 2026-04-01T12:00:00Z
SIGHTINGS = [
    Sighting(Term(Field.ACCESS_KEY, "AKIAEXAMPLE1"), 7, NOON, NOON + 900, (5, 6, 7, 8, 20)),
    Sighting(Term(Field.ACCESS_KEY, "ASIAEXAMPLE2"), 1, NOON + 60, NOON + 60, (5,)),
    Sighting(Term(Field.ADDRESS, "192.0.2.1"), 2, None, None, (0, 29)),
    Sighting(Term(Field.ADDRESS, "2001:db8::1"), 3, NOON - 7_200, NOON - 7_100, (1, 2)),
    Sighting(Term(Field.NAME, 'tab\t"日本"'), 1, NOON + 61, NOON + 61, (5,)),
]

if __name__ == "__main__":
    FILE.write_bytes(encode_terms(HEAD, SIGHTINGS))
