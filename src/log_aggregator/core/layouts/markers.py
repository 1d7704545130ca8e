"""Objects that lie among the logs and are none."""

from __future__ import annotations

import re


def marker_reason(key: str) -> str | None:
    """Why the object is never packed and never deleted; None where nothing speaks against it."""
    if key.endswith(("/", "_$folder$")):
        return "a folder marker"
    if key[key.rfind("/") + 1 :] in _PROBES:
        return "written by AWS to test the permission to write"
    for hint, pattern, reason in _MARKERS:
        if hint in key and pattern.search(key):
            return reason
    return None


_PROBES = frozenset(
    {
        "ConfigWritabilityCheckFile",
        "ELBAccessLogTestFile",
        "aws-logs-write-test",
        "amazon-bedrock-logs-permission-check",
    }
)

_BILLING = "Cost and Usage reports are written over in place"
_PACK = "a pack, an index or a list of the aggregator"
_PACK_KEY = re.compile(
    r"(?:\A|/)(?:packs|indexes|discards|adopted)/(?:[A-Za-z0-9._-]+/){3}[0-9]{4}/[0-9]{2}/[0-9]{2}/(?:[^/]*-)?[0-9a-f]{12}(?:[./]|\Z)"
)

# A text that every key of the kind holds (looking for it is fast), its pattern, the reason.
_MARKERS = (
    (
        "/accountid=",
        re.compile(r"(?:\A|/)(?:AWS|Custom):[^/]+/accountid="),
        "SSM inventory is written over in place",
    ),
    ("-20", re.compile(r"(?:\A|/)[0-9]{8}-[0-9]{8}/"), _BILLING),
    ("BILLING_PERIOD=", re.compile(r"(?:\A|/)BILLING_PERIOD=[0-9]{4}-[0-9]{2}/"), _BILLING),
    ("packs/", _PACK_KEY, _PACK),
    ("indexes/", _PACK_KEY, _PACK),
    ("discards/", _PACK_KEY, _PACK),
    ("adopted/", _PACK_KEY, _PACK),
)
