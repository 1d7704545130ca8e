"""Values are written in one way."""

from __future__ import annotations

import pytest

from log_aggregator.core.terms.model import Field, Term
from log_aggregator.core.terms.normalise import is_address, normalise, term_of


@pytest.mark.parametrize(
    ("field", "value", "normal"),
    [
        (Field.ADDRESS, "192.0.2.1", "192.0.2.1"),
        (Field.ADDRESS, "2001:0DB8:0:0::1", "2001:db8::1"),
        (Field.ADDRESS, "::FFFF:192.0.2.1", "192.0.2.1"),
        (Field.HOST, "WWW.Example.com.", "www.example.com"),
        (Field.HOST, ".", "."),
        (Field.EVENT, "S3.amazonaws.com:PutObject", "s3:putobject"),
        (Field.EVENT, "s3:PutObject", "s3:putobject"),
        (Field.EVENT, ".amazonaws.com:a", ".amazonaws.com:a"),
        (Field.ACCESS_KEY, "akiaexample", "AKIAEXAMPLE"),
        (Field.PRINCIPAL, "arn:aws:iam::1:role/Deploy", "arn:aws:iam::1:role/Deploy"),
        (Field.RESOURCE, "x" * 600, "x" * 512),
    ],
)
def test_values_are_normalised(field: Field, value: str, normal: str) -> None:
    assert normalise(field, value) == normal


def test_a_service_in_an_address_field_is_a_host() -> None:
    assert term_of(Field.ADDRESS, "AWS Internal") == Term(Field.HOST, "aws internal")
    assert term_of(Field.ADDRESS, "192.0.2.1") == Term(Field.ADDRESS, "192.0.2.1")


@pytest.mark.parametrize(
    "text", ["192.0.2.256", "192.0.2", "192.0.2.01", "1:2", "", "a", "1.2.3.4\n"]
)
def test_other_texts_are_not_addresses(text: str) -> None:
    assert not is_address(text)
