"""The handwritten body of DeleteObjects equals botocore's, whatever is in a key."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from botocore.serialize import create_serializer
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.adapters.s3.deleting import (
    NOT_IN_XML,
    encode_deletions,
    replace_body,
)
from log_aggregator.ports.store import Deletion

ODD = (
    "&",
    "<",
    ">",
    "]]>",
    '"',
    "'",
    "\r",
    "\n",
    "\r\n",
    "\t",
    " ",
    "&#13;",
    "<!--",
    "ü",
    "\U0001f600",
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
KEYS = (
    st.lists(st.one_of(st.sampled_from(ODD), TEXT), min_size=1)
    .map("".join)
    .filter(lambda key: key and not NOT_IN_XML.search(key))
)
HEX = st.text("0123456789abcdef-", min_size=1, max_size=34)
DELETIONS = st.tuples(KEYS, st.none() | HEX | st.just("null"), st.none() | HEX).filter(
    lambda it: it[1] is not None or it[2] is not None
)


@pytest.fixture(scope="module")
def operation() -> Any:
    return Session().get_service_model("s3").operation_model("DeleteObjects")


@given(given_ones=st.lists(DELETIONS, min_size=1, max_size=5))
def test_the_body_matches_botocores(operation: Any, given_ones: list[tuple[Any, ...]]) -> None:
    """The XML is compared element by element."""
    deletions = [Deletion(*each) for each in given_ones]
    entries = [
        {"Key": each.key}
        | ({} if each.version_id is None else {"VersionId": each.version_id})
        | ({} if each.etag is None else {"ETag": f'"{each.etag}"'})
        for each in deletions
    ]
    request = {"Bucket": "b", "Delete": {"Objects": entries, "Quiet": True}}
    serializer = create_serializer("rest-xml", include_validation=True)
    theirs = serializer.serialize_to_request(request, operation)["body"]
    # botocore does this in a handler of its own
    theirs = theirs.replace(b"\r", b"&#xD;")
    assert flatten(encode_deletions(deletions)) == flatten(theirs)


def flatten(document: bytes) -> list[tuple[str, str | None]]:
    return [(each.tag, each.text) for each in ET.fromstring(document).iter()]


def test_a_request_not_written_here_is_not_sent() -> None:
    """botocore gets a placeholder key that no object has."""
    with pytest.raises(RuntimeError):
        replace_body(params={})
