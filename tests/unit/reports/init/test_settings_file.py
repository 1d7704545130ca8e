"""The settings file that `init` writes: a run can read it, whatever the names in the account
are.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date

import pytest
from tests.support.account import OTHER_ACCOUNT
from tests.support.landing import KEY, MAIN, Landing

from log_aggregator.core.destination import Destination
from log_aggregator.ports.account import BucketEncryption, InventoryConfiguration
from log_aggregator.reports.init.settings_file import Choices, make_settings_text
from log_aggregator.settings import Settings, read_settings

TODAY = date(2026, 3, 15)
HOSTILE = "x\n[holds]\nbuckets = ['all']\x1b[2J\u2028 \x00"


@pytest.fixture
def landing() -> Landing:
    return Landing()


def choose(*others: str, **more: object) -> Choices:
    destination = Destination("packs", "eu-west-1", "111122223333")
    return replace(Choices((MAIN,), others, destination, 30), **more)  # type: ignore[arg-type]


def write(landing: Landing, choices: Choices) -> tuple[Settings, str]:
    text = make_settings_text(landing.look(), choices, TODAY)
    return read_settings(None, tomllib.loads(text)), text


def test_the_file_contains_the_choices(landing: Landing) -> None:
    choices = choose("flow", bucket_accounts=(("flow", OTHER_ACCOUNT),))
    settings, text = write(landing, choices)
    assert settings == read_settings(
        None,
        {
            "control_tower_bucket": [MAIN],
            "other_buckets": ["flow"],
            "destination_bucket": "packs",
            "destination_account": "111122223333",
            "bucket_accounts": {"flow": OTHER_ACCOUNT},
            "keep_originals_days": 30,
        },
    )
    assert "a rule expires logs after 365 days" in text
    assert "CloudTrail writes to it" in text
    assert settings.search == "plain"
    assert '# search = "plain"' in text


def test_a_key_for_packs_is_a_setting(landing: Landing) -> None:
    keyed = Destination("packs", "eu-west-1", kms_key_arn=KEY)
    settings, _ = write(landing, choose(destination=keyed))
    assert settings.kms_key_id == KEY
    assert settings.destination_account is None


def test_skipped_buckets_are_in_comments(landing: Landing) -> None:
    """The comments include the layouts that would need declaring for the chosen buckets."""
    settings, text = write(landing, choose("app"))
    assert "# flow: " in text
    assert settings.layouts.declared == ()
    declared = text[text.index("# [[layouts]]") :].partition("\n\n")[0]
    lines = [line.removeprefix("# ") for line in declared.splitlines()]
    more = read_settings(
        None, {"other_buckets": "app"} | tomllib.loads("\n".join(lines))
    ).layouts.declared
    assert len(more) == 1


def test_a_hostile_name_cannot_become_a_setting(landing: Landing) -> None:
    """A line break cannot end a comment either."""
    landing.change(
        "flow",
        encryption=BucketEncryption("aws:kms", HOSTILE),
        inventories=(InventoryConfiguration(HOSTILE, "website"),),
    )
    landing.store.put("app", f"app/2026/03/14/{HOSTILE}.log", b"x")
    account = landing.account
    account.organization = replace(account.organization, id=HOSTILE)
    settings, text = write(landing, choose("flow", "app"))
    assert settings.holds.buckets == ()
    assert all(line.isprintable() for line in text.splitlines())
