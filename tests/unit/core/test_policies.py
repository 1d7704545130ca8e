"""IAM policies: the form of a statement, and documents that are short enough for IAM."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from log_aggregator.core.policies import (
    MANAGED_POLICY_CHARACTERS_MAX,
    Statement,
    count_characters,
    make_documents,
)

ARNS = tuple(f"arn:aws:s3:::example-bucket-with-a-long-name-{number:03}/*" for number in range(300))


def test_a_statement_has_iams_form() -> None:
    """A single value is not a list; access depends on the bucket's owner."""
    assert Statement("Read", ("s3:GetObject",), ("arn:aws:s3:::a/*",), "1" * 12).as_json() == {
        "Sid": "Read",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::a/*",
        "Condition": {"StringEquals": {"aws:ResourceAccount": "1" * 12}},
    }
    denial = Statement("Keep", ("s3:DeleteObject", "s3:B"), ("a", "b"), is_denial=True).as_json()
    assert denial == {
        "Sid": "Keep",
        "Effect": "Deny",
        "Action": ["s3:DeleteObject", "s3:B"],
        "Resource": ["a", "b"],
    }


def test_short_statements_fit_one_document() -> None:
    (document,) = make_documents(
        [Statement("A", ("s3:A",), ("a",)), Statement("B", ("b",), ("b",))]
    )
    assert [found["Sid"] for found in document["Statement"]] == ["A", "B"]
    assert document["Version"] == "2012-10-17"


def test_no_document_exceeds_iams_limit() -> None:
    """A long statement is cut between its resources: each is in one document, none is lost, and no
    document has a name twice.
    """
    long = [Statement(sid, ("s3:GetObject",), ARNS) for sid in ("First", "Second")]
    documents = make_documents([Statement("Short", ("s3:A",), ("a",)), *long])
    assert len(documents) > 2
    granted: Counter[tuple[str, str]] = Counter()
    for document in documents:
        assert count_characters(document) <= MANAGED_POLICY_CHARACTERS_MAX
        names = [statement["Sid"] for statement in document["Statement"]]
        assert len(set(names)) == len(names)
        granted.update(
            (statement["Sid"].rstrip("0123456789"), arn)
            for statement in document["Statement"]
            for arn in listed(statement["Resource"])
        )
    wanted = [("Short", "a"), *((sid, arn) for sid in ("First", "Second") for arn in ARNS)]
    assert granted == Counter(wanted)


def test_white_space_is_not_counted() -> None:
    document: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
    assert count_characters(document) == len(json.dumps(document).replace(" ", ""))


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
