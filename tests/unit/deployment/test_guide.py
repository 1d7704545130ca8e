"""The first-time guide: what it proposes, what it makes of the answers."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from deployment.account import Bucket
from deployment.guide import Answers, Findings, ask, choose, is_proposed, propose_region

MAIN = "aws-controltower-logs-111122223333-eu-west-1"
FOUND = Findings(
    "111122223333",
    "us-east-1",
    (Bucket(MAIN, "eu-west-1"),),
    (Bucket("vpc-flow-logs"), Bucket("waf-x")),
    "o-abc123defg",
)


def answers(found: Findings, typed: list[str]) -> tuple[Answers | None, str]:
    """What `ask` returns for these lines on standard input, and what it said; None where the input
    ended first.
    """
    given: list[Answers] = []

    @click.command()
    def command() -> None:
        given.append(ask(found))

    said = CliRunner().invoke(command, input="".join(f"{line}\n" for line in typed))
    return (given[0] if given else None), said.output


def test_enter_takes_what_was_found() -> None:
    """Control Tower's bucket, its region, the organisation; no other bucket, because what is named
    gets its originals deleted.
    """
    got, _ = answers(FOUND, [""] * 7)
    assert got == Answers(
        "eu-west-1",
        MAIN,
        "",
        "o-abc123defg",
        common_bucket=True,
        keep_originals_days=30,
        alarm_email="",
    )
    assert got.parameters()["UseCommonDestinationBucket"] == "Yes"


def test_answers_win() -> None:
    got, _ = answers(
        FOUND, ["one,two", "eu-west-3", "2,elb-*", "o-other12345", "n", "0", "me@example.com"]
    )
    assert got == Answers(
        "eu-west-3",
        "one,two",
        "waf-x,elb-*",
        "o-other12345",
        common_bucket=False,
        keep_originals_days=0,
        alarm_email="me@example.com",
    )


def test_what_does_not_fit_is_asked_again() -> None:
    """Nothing is written that the template would refuse."""
    got, said = answers(
        FOUND,
        [
            "Not A Bucket",
            "",
            "nowhere",
            "",
            "7",
            "",
            "x-1",
            "",
            "",
            "-1",
            "",
            "nobody",
            "a@b.example",
        ],
    )
    assert got is not None
    assert (got.control_tower_bucket, got.region, got.alarm_email) == (
        MAIN,
        "eu-west-1",
        "a@b.example",
    )
    assert said.count("does not look like it") == 4


def test_the_end_of_the_input_answers_nothing() -> None:
    got, _ = answers(FOUND, ["", ""])
    assert got is None


def test_an_account_without_control_tower_s_bucket_is_doubted() -> None:
    """Somebody in the wrong account is told so at the first question, and nothing is proposed."""
    got, said = answers(Findings("999988887777", "us-east-1", (), ()), [""])
    assert got is None
    assert "Is it the Log Archive account?" in said


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("", []),
        ("all", ["vpc-flow-logs", "waf-x"]),
        ("2, 1", ["waf-x", "vpc-flow-logs"]),
        ("1 1 elb-*", ["vpc-flow-logs", "elb-*"]),
        ("3", None),
        ("0", None),
        ("UPPER", None),
    ],
)
def test_others_are_chosen_by_number_or_name(answer: str, names: list[str] | None) -> None:
    assert choose(answer, FOUND.others) == names


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("my-elb-logs", True),
        ("audit", True),
        ("website", False),
        (MAIN, False),
        ("all-aggregated-logs-1-eu-west-1", False),
        ("cdk-logs", False),
    ],
)
def test_buckets_of_our_own_and_of_control_tower_are_not_proposed(
    name: str, *, proposed: bool
) -> None:
    """Packs are never to be packed again, and Control Tower's access logs belong to a parameter of
    their own.
    """
    assert is_proposed(Bucket(name)) is proposed


def test_the_region_is_the_bucket_s() -> None:
    """As S3 says; else as its name says; else as configured."""
    assert propose_region(FOUND, MAIN) == "eu-west-1"
    assert (
        propose_region(FOUND, "aws-controltower-logs-111122223333-us-gov-west-1") == "us-gov-west-1"
    )
    assert propose_region(FOUND, "mine") == "us-east-1"
