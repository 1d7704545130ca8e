"""What must hold of the readers of terms, and of the terms of a pack, for any bytes."""

from __future__ import annotations

import contextlib
import json
import lzma

from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
from log_aggregator.core.terms.normalise import VALUE_CHARS_MAX, normalise
from log_aggregator.core.terms.packterms import decode_terms, encode_terms
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.table import ROWS
from log_aggregator.core.terms.tally import Tally, TooMany
from log_aggregator.errors import BadTerms


def check_readers(data: bytes) -> None:
    """Every reader counts terms, or says that it cannot read everything. What it has counted until
    then is kept.
    """
    for row in ROWS.values():
        tally = Tally()
        tally.begin_member(7)
        with contextlib.suppress(Unparsable, TooMany):
            row.read(data, tally)
        for field, value, count, first, last, members in tally.finish(lambda _: 0):
            assert 0 < len(value) <= VALUE_CHARS_MAX
            assert normalise(field, value) == value
            assert count > 0
            assert first is None or 0 <= first <= (last or 0)
            assert tuple(members) == (0,)
            value.encode()


def check_pack_terms(data: bytes) -> None:
    """Terms are read, or it is BadTerms; what was read can be written and read again."""
    try:
        head, taken = decode_terms(data)
        sightings = list(taken)
    except BadTerms:
        return
    assert 0 <= head.searched <= head.members
    again, taken = decode_terms(encode_terms(head, sightings))
    assert (again, list(taken)) == (head, sightings)


def check_inside_terms(data: bytes) -> None:
    """The same for what is inside xz, which a fuzzer hardly reaches from outside."""
    check_pack_terms(lzma.compress(data, preset=0))


def make_pack_terms() -> bytes:
    head = TermsHead("packs/a.json.gz", 9, {Unsearched.UNPARSABLE: 1})
    key, address = Term(Field.ACCESS_KEY, "AKIA1"), Term(Field.ADDRESS, "192.0.2.1")
    return encode_terms(
        head, [Sighting(key, 3, 5, 9, (1, 2, 3, 8)), Sighting(address, 1, None, None, (4,))]
    )


EVENT = {
    "eventTime": "2026-04-01T12:00:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "PutObject",
    "sourceIPAddress": "2001:db8::1",
    "errorCode": "AccessDenied",
    "userIdentity": {
        "arn": "arn:aws:sts::111111111111:assumed-role/r/s",
        "accessKeyId": "ASIA1",
        "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111111111111:role/r"}},
    },
    "requestParameters": {"bucketName": "b", "items": [{"instanceIds": ["i-1"]}]},
    "resources": [{"ARN": "arn:aws:s3:::b"}],
}
INSIGHT = {
    "eventTime": "2026-04-01T12:00:00Z",
    "insightDetails": {
        "eventSource": "ssm.amazonaws.com",
        "eventName": "UpdateInstanceInformation",
        "insightContext": {
            "attributions": [{"attribute": "userIdentityArn", "insight": [{"value": "arn:a"}]}]
        },
    },
}
ITEM = {
    "configurationItemCaptureTime": "2026-04-01T12:00:00.5Z",
    "resourceId": "i-1",
    "ARN": "arn:aws:ec2:eu-west-1:1:instance/i-1",
    "relationships": [{"resourceId": "vpc-1", "resourceName": "n"}],
}
REQUEST = {
    "timestamp": 1_775_044_800_000,
    "terminatingRuleId": "Default_Action",
    "ruleGroupList": [{"terminatingRule": {"ruleId": "R"}, "excludedRules": None}],
    "httpRequest": {"clientIp": "192.0.2.1", "headers": [{"name": "Host", "value": "a.example"}]},
}
QUERY = {
    "query_timestamp": "2026-04-01T12:00:00Z",
    "query_name": "a.example.com.",
    "srcaddr": "10.0.0.1",
    "srcids": {"instance": "i-1"},
}
FINDING = {
    "type": "Recon:EC2/PortProbeUnprotectedPort",
    "createdAt": "2026-04-01T12:00:00Z",
    "resource": {"accessKeyDetails": {"accessKeyId": "AKIA1", "userName": "u"}},
    "service": {"action": {"remoteIpDetails": {"ipAddressV4": "192.0.2.1"}}},
}
LOGS = (
    json.dumps({"Records": [EVENT, EVENT]}).encode(),
    json.dumps({"Records": [INSIGHT]}).encode(),
    json.dumps({"configurationItems": [ITEM]}).encode(),
    json.dumps({"configurationItem": ITEM}).encode(),
    *(json.dumps(line).encode() + b"\n" for line in (REQUEST, QUERY, FINDING)),
    b"version interface-id srcaddr dstaddr start\n2 eni-1 10.0.0.1 10.0.0.2 1775044800\n",
    (
        b"https 2026-04-01T12:00:00.0Z app/w/1 192.0.2.1:80 10.0.0.1:80 0 0 0 200 200 1 1 "
        b'"GET https://a.example:443/ HTTP/2.0" "agent" - TLSv1.3 arn:a "Root=1" "a.example" "c" 0'
    ),
    b"tls 2.0 2026-04-01T12:00:00 net/n/1 l 192.0.2.1:80 10.0.0.1:80 5 2 1 1 - arn:a - c p - h -\n",
    b'2026-04-01T12:00:00.0Z lb 192.0.2.1:80 - -1 -1 -1 400 0 0 0 "GET http://a:80/ H" "a" - -\n',
    b"#Version: 1.0\n#Fields: date time c-ip cs(Host)\n2026-04-01\t12:00:00\t192.0.2.1\ta.b.net\n",
    (
        b'o b [01/Apr/2026:12:00:00 +0000] 192.0.2.1 r ID OP k "GET /k H" 403 AccessDenied 1 - 1 1 '
        b'"-" "agent" - h SigV4 c AuthHeader b.s3.amazonaws.com TLSv1.3 - -\n'
    ),
    b"[" * 100_000,
    b'{"Records":' + b"[" * 100_000,
    b'{"Records":[{"eventTime":' + b"9" * 5_000 + b"}]}",
)
