"""Terms written in the past must stay readable, and be written the same way."""

from __future__ import annotations

import lzma

from tests.golden.golden_terms import FILE, HEAD, SIGHTINGS

from log_aggregator.core.terms.packterms import decode_terms, encode_terms

LINES = b"""\
{"format":"log-aggregator-terms","version":1,\
"pack":"packs/logs/CloudTrail/111111111111/2026/04/01/a.json.gz","members":30,\
"unsearched":{"unparsable":2,"copied":1},"search_key":""}
{"field":"access-key","values":["AKIAEXAMPLE1","ASIAEXAMPLE2"],"counts":[7,1],\
"first":[1775044800,60],"last":[900,0],"members":[[5,-3,12],5]}
{"field":"address","values":["192.0.2.1","2001:db8::1"],"counts":[2,3],\
"first":[null,-7260],"last":[null,100],"members":[[0,29],[1,-1]]}
{"field":"name","values":["tab\\t\\"\xe6\x97\xa5\xe6\x9c\xac\\""],"counts":[1],\
"first":[1],"last":[0],"members":[5]}
{"terms":5}
"""


def test_golden_terms_can_be_read() -> None:
    head, sightings = decode_terms(FILE.read_bytes())
    assert (head, list(sightings)) == (HEAD, SIGHTINGS)


def test_golden_terms_are_written_the_same_way() -> None:
    """The compressed bytes depend on liblzma; the lines do not."""
    assert lzma.decompress(FILE.read_bytes()) == LINES
    assert lzma.decompress(encode_terms(HEAD, SIGHTINGS)) == LINES
