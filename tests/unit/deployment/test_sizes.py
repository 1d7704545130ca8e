"""An oversized stack is refused before anything is made; one that fits is not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pytest
from tests.infra.stack import KEY, OTHER_KEY, Stack, Template, load_template, resolve, translate

from deployment import sizes
from log_aggregator.errors import SettingsError

BUCKETS = [f"{'application-load-balancer-logs-of-':x<60}{number:03}" for number in range(60)]
KEYS = [f"{KEY[:-3]}{number:03}" for number in range(30)]
LISTED: Mapping[str, Mapping[str, str]] = {
    "nothing": {},
    "thirty long names": {"OtherBuckets": ",".join(BUCKETS[:30])},
    "thirty keys": {"SourceKmsKeyArns": ",".join(KEYS)},
    "a key for packs": {"SourceKmsKeyArns": KEY, "DestinationKmsKeyArn": OTHER_KEY},
    "accounts": {"BucketAccounts": ",".join(f"{name}=444455556666" for name in BUCKETS[:12])},
    "all of it": {
        "OtherBuckets": ",".join(BUCKETS[:20]),
        "SourceKmsKeyArns": ",".join(KEYS[:5]),
        "BucketAccounts": ",".join(f"{name}=444455556666" for name in BUCKETS[:4]),
    },
}


@pytest.fixture(scope="module")
def translated() -> Template:
    return translate(load_template())


def largest_role(stack: Stack) -> int:
    return max(
        sum(
            len(json.dumps(policy["PolicyDocument"], separators=(",", ":")))
            for policy in properties.get("Policies", [])
        )
        for properties in stack.of_type("AWS::IAM::Role").values()
    )


def environment(stack: Stack) -> int:
    return max(
        sum(len(f"{name}{value}".encode()) for name, value in variables.items())
        for properties in stack.of_type("AWS::Lambda::Function").values()
        for variables in [properties["Environment"]["Variables"]]
    )


@pytest.mark.parametrize("place", ["Yes", "No"])
@pytest.mark.parametrize("listed", LISTED.values(), ids=LISTED)
def test_the_estimate_is_slightly_below_awss_count(
    listed: Mapping[str, str], place: str, translated: Template
) -> None:
    """It is never more, and close enough for a warning. Accounts alone make FinishFunction's role
    the largest, at a size that always fits.
    """
    stack = resolve(translated, {**listed, "UseCommonDestinationBucket": place})
    above = largest_role(stack) - sizes.estimate_policies(stack.parameters)
    assert 0 <= above <= (900 if "BucketAccounts" not in listed or len(listed) > 1 else 3_000)
    assert 0 <= environment(stack) - sizes.estimate_environment(stack.parameters) <= 400


def test_the_environment_counts_every_parameter() -> None:
    """A parameter that becomes a variable is counted."""
    template = load_template()
    text = json.dumps(template["Globals"]["Function"]["Environment"])
    named = {name for name in template["Parameters"] if re.search(rf"\b{name}\b", text)}
    assert named == set(sizes.IN_ENVIRONMENT)


@pytest.mark.parametrize("place", ["Yes", "No"])
def test_thirty_names_of_63_characters_fit(place: str, translated: Template) -> None:
    """They fit together with a key for each of eight of them."""
    listed = {"OtherBuckets": ",".join(BUCKETS[:30]), "SourceKmsKeyArns": ",".join(KEYS[:8])}
    stack = resolve(translated, {**listed, "UseCommonDestinationBucket": place})
    sizes.check_sizes(stack.parameters)
    assert largest_role(stack) <= sizes.POLICIES_CHARS_MAX
    assert environment(stack) <= sizes.ENVIRONMENT_BYTES_MAX


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({"OtherBuckets": ",".join(BUCKETS)}, "DeleteFunction's role would have about 1.,... char"),
        (
            {"OtherBuckets": ",".join(BUCKETS[:30]), "Holds": json.dumps({"dates": ["x" * 1480]})},
            "environment would have about 4,... bytes; expected at most 4,096",
        ),
    ],
    ids=["policies", "environment"],
)
def test_an_oversized_configuration_is_refused(
    listed: Mapping[str, str], message: str, translated: Template
) -> None:
    """The message says which list to shorten."""
    stack = resolve(translated, listed)
    with pytest.raises(SettingsError, match=message):
        sizes.check_sizes(stack.parameters)
