"""Statements for Athena: their locations are those of packs, and they follow their options."""

from __future__ import annotations

import re
from datetime import date

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.support.duck import locate
from tests.support.world import document, flow_key, make_world, trail_key

from log_aggregator.cli import commands
from log_aggregator.core.athena import FLOW_FIELDS, Scope, make_views, render_statements
from log_aggregator.errors import SettingsError
from log_aggregator.model import Group, Target

SCOPE = Scope(Target("dest", "aggregated/"), "log_archive", date(2020, 1, 1))
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)


@given(
    NAMES,
    st.sampled_from(["CloudTrail", "Config", "vpcflowlogs", "WAFLogs"]),
    NAMES,
    st.dates(),
    st.sampled_from(["", "a/b/"]),
)
def test_locations_are_where_packs_and_indexes_go(
    bucket: str, log_type: str, account: str, day: date, root: str
) -> None:
    """A template filled in for any group gives the prefix of that group's packs or indexes, as
    planning makes it.
    """
    target, group = Target("dest", root), Group(bucket, log_type, account, day)
    packs, indexes = make_views(Scope(target, "x", date(2020, 1, 1)), [log_type])
    values = {"source_bucket": bucket, "account": account, "day": f"{day.year:04}/{day:%m/%d}"}
    if day.year >= 1000:  # the year of an earlier one has no four digits in a key
        assert (
            locate(packs.table.location_template, values)
            == f"s3://dest/{target.packs_prefix(group)}"
        )
        assert (
            locate(indexes.table.location_template, values | {"log_type": log_type})
            == f"s3://dest/{target.indexes_prefix(group)}"
        )


def test_locations_lead_to_real_packs() -> None:
    """Every pack is directly under the place that its table's template gives."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.put("logs", flow_key("a.log"), b"version account-id\n2 1\n")
    world.run()
    views = make_views(Scope(Target("dest"), "x", date(2020, 1, 1)), ["CloudTrail", "vpcflowlogs"])
    places = {
        locate(
            view.table.location_template,
            {
                "source_bucket": "logs",
                "log_type": log_type,
                "account": "111111111111",
                "day": "2025/04/03",
            },
        )
        for view, log_type in [
            *zip(views, ("CloudTrail", "vpcflowlogs"), strict=False),
            (views[2], "CloudTrail"),
            (views[2], "vpcflowlogs"),
        ]
    }
    written = [
        f"s3://dest/{entry.key}"
        for entry in world.store.list_objects("dest").objects
        if not entry.key.startswith("terms/")
    ]
    assert {key.rpartition("/")[0] + "/" for key in written} == places


def test_unnamed_partitions_must_be_given_in_queries() -> None:
    """Given buckets and accounts are enumerated; otherwise the query must name them."""
    free = dict(make_views(SCOPE, ["CloudTrail"])[0].table.projection())
    assert free["projection.account.type"] == free["projection.source_bucket.type"] == "injected"
    named = Scope(SCOPE.target, "x", date(2020, 1, 1), ("one", "two"), ("111122223333",))
    given_ones = dict(make_views(named, ["CloudTrail"])[0].table.projection())
    assert given_ones["projection.source_bucket.values"] == "one,two"
    assert given_ones["projection.account.values"] == "111122223333"
    indexes = dict(make_views(SCOPE, ["CloudTrail", "Config"])[2].table.projection())
    assert indexes["projection.log_type.values"] == "CloudTrail,Config"


def test_every_partition_has_a_projection() -> None:
    """Each partition column has a type and is in the template; each statement is complete."""
    views = make_views(SCOPE, ["CloudTrail", "Config", "vpcflowlogs", "GuardDuty"])
    for view in views:
        properties = dict(view.table.projection())
        for name in view.table.partitions:
            assert f"projection.{name}.type" in properties
            assert f"${{{name}}}" in view.table.location_template
        assert view.table.location_template.startswith(view.table.location)
    texts = list(render_statements(SCOPE, views))
    assert len(texts) == 1 + 2 * len(views)
    for text in texts:
        assert text.endswith(";")
        assert text.count("(") == text.count(")")
        assert text.count("'") % 2 == 0
    assert (
        len({view.name for view in views}) == len({view.table.name for view in views}) == len(views)
    )


def test_flow_logs_can_have_other_columns() -> None:
    """Columns follow the given fields in their order; reserved words are renamed."""
    view = make_views(SCOPE, ["vpcflowlogs"], ("interface-id", "start", "bytes"))[0]
    assert [name for name, _ in view.columns] == ["interface_id", "start_time", "bytes"]
    assert "element_at(split(line, ' '), 3) AS BIGINT" in view.query()
    assert "NOT LIKE 'interface-id %'" in view.query()
    assert len(make_views(SCOPE, ["vpcflowlogs"])[0].columns) == len(FLOW_FIELDS) == 14


def run_command(*arguments: str) -> str:
    result = CliRunner().invoke(commands, ["athena-ddl", *arguments], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_statements_are_printed_in_order() -> None:
    """Options go into the text; the statements come in an order in which they can run."""
    text = run_command(
        "--destination-bucket",
        "dest",
        "--folder",
        "aggregated",
        "--log-type",
        "WAFLogs",
        "--flow-fields",
        "${version} ${start}",
    )
    statements = re.findall(r"^CREATE [A-Z ]+ \S+", text, re.MULTILINE)
    assert statements == [
        "CREATE DATABASE IF NOT EXISTS `log_archive`;",
        "CREATE EXTERNAL TABLE IF NOT EXISTS `log_archive`.`waflogs_packs`",
        'CREATE OR REPLACE VIEW "log_archive"."waflogs_lines"',
        "CREATE EXTERNAL TABLE IF NOT EXISTS `log_archive`.`pack_indexes`",
        'CREATE OR REPLACE VIEW "log_archive"."packed_objects"',
        "CREATE EXTERNAL TABLE IF NOT EXISTS `log_archive`.`pack_terms`",
        'CREATE OR REPLACE VIEW "log_archive"."searched_terms"',
    ]
    assert "s3://dest/aggregated/tables/${log_type}/${month}/" in text
    assert "s3://dest/aggregated/packs/${source_bucket}/WAFLogs/${account}/${day}/" in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--destination-bucket", "dest", "--database", "a'b"],
        ["--destination-bucket", "dest", "--log-type", "a'b"],
        ["--destination-bucket", "dest", "--source-bucket", "a,b"],
        ["--destination-bucket", "dest", "--account", "12"],
        ["--destination-bucket", "dest", "--folder", "a'b"],
        ["--destination-bucket", "dest", "--from", "yesterday"],
        ["--destination-bucket", "dest", "--flow-fields", "version 'x'"],
        ["--destination-bucket", "dest", "--flow-fields", " "],
    ],
)
def test_wrong_options_print_no_statement(arguments: list[str]) -> None:
    """A wrong option is a settings error, and no statement is printed."""
    with pytest.raises(SettingsError):
        run_command(*arguments)
