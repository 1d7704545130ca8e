"""What is changed in the built template so that the local AWS can run it, and what the local AWS
silently leaves out.

    adapt(template, is_enforcing=False)      a new template; the given one stays as it is
    adapt_definition(definition)             the same, of a state machine's definition
    CHANGES, LEFT_OUT                        the two lists; each row names the tests that cover what
                                             is missing

Both lists are in docs/internals/deployment-test.md, and a test compares them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.building import RIC_PYTHON, resources_of

BOOTSTRAP = f"""#!/bin/sh
# Lambda's own runtime client, with nothing on its path but the function's zip, and told of the
# template's LogFormat as in AWS.
export TZ=UTC PYTHONPATH="$LAMBDA_TASK_ROOT" AWS_LAMBDA_LOG_FORMAT=JSON AWS_LAMBDA_LOG_LEVEL=INFO
exec {RIC_PYTHON} "$LAMBDA_TASK_ROOT/e2e_runtime.py" "$_HANDLER"
"""
PROGRAMS = {
    "bootstrap": BOOTSTRAP,
    "e2e_runtime.py": Path(__file__).with_name("runtime.py").read_text(encoding="utf-8"),
}
"""Added to each zip."""

CUSTOM_RUNTIME = "provided.al2023"

_BOUNDS = {
    "list": "ListConcurrency",
    "pack": "PackConcurrency",
    "sort": "ListConcurrency",
    "windows": "HistoryConcurrency",
}

Template = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is changed. `covered_by`: `<file under tests>::<function>`, the tests that
    cover what this test cannot see because of the change.
    """

    what: str
    why: str
    covered_by: tuple[str, ...]
    apply: Callable[[Template], None]
    only_enforcing: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that the local AWS accepts and then does not do, or does differently."""

    what: str
    covered_by: tuple[str, ...]


def adapt(template: Template, *, is_enforcing: bool = False) -> Template:
    """A copy of the template with all changes. Raises AssertionError if a change meets something it
    does not know.
    """
    adapted = copy.deepcopy(template)
    for change in CHANGES:
        if is_enforcing or not change.only_enforcing:
            change.apply(adapted)
    return adapted


def _use_runtime_client(template: Template) -> None:
    functions = [
        *resources_of(template, "AWS::Serverless::Function").values(),
        template.get("Globals", {}).get("Function", {}),
    ]
    for properties in functions:
        if "Runtime" in properties:
            assert str(properties["Runtime"]).startswith("python3."), properties["Runtime"]
            properties["Runtime"] = CUSTOM_RUNTIME


def _make_alarms_plain(template: Template) -> None:
    for properties in resources_of(template, "AWS::CloudWatch::Alarm").values():
        queries = properties.pop("Metrics", [])
        for statistic in [query["MetricStat"] for query in queries if "MetricStat" in query][:1]:
            properties.update(
                statistic["Metric"], Period=statistic["Period"], Statistic=statistic["Stat"]
            )


def adapt_definition(definition: str) -> str:
    """The same for a state machine's definition, as text. Maps get numbers as bounds, since the
    local AWS does not read paths there. A call without room is retried under the error name used
    here, and not for longer than a test may take.
    """
    throttled, attempts = '"ErrorEquals": ["Lambda.TooManyRequestsException"]', '"MaxAttempts": 500'
    assert definition.count(throttled) == definition.count(attempts) > 0
    definition = definition.replace(throttled, throttled[:-1] + ', "Lambda.Unknown"]')
    definition = definition.replace(attempts, '"MaxAttempts": 50')
    for path, parameter in _BOUNDS.items():
        definition = definition.replace(
            f'"MaxConcurrencyPath": "$.at_once.{path}"', f'"MaxConcurrency": ${{{parameter}}}'
        )
    assert "MaxConcurrencyPath" not in definition
    return definition


def _drop_misjudged_denials(template: Template) -> None:
    documents = [
        properties["PolicyDocument"]
        for properties in resources_of(template, "AWS::S3::BucketPolicy").values()
    ]
    for properties in resources_of(template, "AWS::Serverless::Function").values():
        documents += [policy for policy in properties.get("Policies", []) if "Statement" in policy]
    for document in documents:
        document["Statement"] = [
            statement for statement in document["Statement"] if not is_misjudged(statement)
        ]


def is_misjudged(statement: Template) -> bool:
    """A denial without TLS (loopback has none), or without If-None-Match (which the local AWS never
    sees).
    """
    if statement.get("Effect") != "Deny":
        return False
    keys = {
        key.lower() for condition in statement.get("Condition", {}).values() for key in condition
    }
    return bool(keys & {"aws:securetransport", "s3:if-none-match"})


CHANGES = (
    Change(
        "`Runtime` becomes `provided.al2023`, and each zip gets a `bootstrap` that starts "
        "Lambda's own runtime client and copies its output to a file",
        "the local AWS's runner for Python calls every error `Runtime.HandlerError`, so no Retry "
        "or Catch by name would match; and it drops output that comes more than 5 ms late",
        ("infra/running.py::check_functions", "infra/running.py::check_handlers_exist"),
        _use_runtime_client,
    ),
    Change(
        "an alarm on an expression becomes one on the expression's first metric",
        "the local AWS refuses expressions in alarms",
        (
            "infra/monitoring.py::check_alarms",
            "infra/monitoring.py::check_everything_that_must_alarm",
        ),
        _make_alarms_plain,
    ),
    Change(
        "policies lose their denials without TLS and without `If-None-Match`",
        "there is no TLS on loopback; and the local AWS lets `Null` of `s3:if-none-match` deny "
        "even if the header is sent",
        (
            "infra/permissions.py::check_packs_are_written_once",
            "infra/storage.py::check_buckets_are_private",
        ),
        _drop_misjudged_denials,
        only_enforcing=True,
    ),
)

LEFT_OUT = (
    LeftOut(
        "a bucket's lifecycle and Object Lock, made by a template, are dropped",
        ("infra/storage.py::check_lifecycle", "infra/storage.py::check_destination"),
    ),
    LeftOut(
        "a state machine's logs and traces are dropped",
        ("infra/running.py::check_machines", "infra/running.py::check_logs_are_kept"),
    ),
    LeftOut(
        "there is no X-Ray: the local runner gives each invocation its trace, and the tests "
        "listen where X-Ray's daemon would",
        ("e2e/test_day.py::test_x_ray_receives_a_trace_of_each_function",),
    ),
    LeftOut(
        "state machines can do everything, whatever their roles say",
        ("infra/permissions.py::check_machines_invoke_their_own_functions",),
    ),
    LeftOut(
        "definitions are not validated, and a path that leads nowhere is null instead of an error",
        (
            "infra/test_definition_schema.py::test_the_definition_fits_the_schema",
            "simulation/test_statemachine.py::test_the_stack_packs_the_same_as_a_single_process",
        ),
    ),
    LeftOut(
        "states and results may be larger than 256 KiB",
        (
            "infra/test_statemachines.py::test_every_map_is_distributed_and_reads_a_manifest",
            "infra/test_statemachines.py::test_outputs_of_map_items_stay_small",
        ),
    ),
    LeftOut(
        "retries wait without jitter and without an upper bound",
        ("infra/test_statemachines.py::test_only_temporary_errors_are_retried",),
    ),
    LeftOut(
        "a stopped execution continues in the background (these tests take its functions' "
        "concurrency away)",
        ("simulation/test_statemachine.py::test_a_killed_function_loses_nothing",),
    ),
    LeftOut(
        "S3 answers 404 for a missing object even to a caller that cannot list the bucket (AWS: "
        "403)",
        (
            "infra/permissions.py::check_missing_objects_are_seen_as_missing",
            "simulation/test_roles.py::test_missing_objects_are_not_taken_for_refusals",
        ),
    ),
    LeftOut(
        "`aws:PrincipalArn` is the session's and not the role's: a bucket policy's denials by "
        "role have no effect",
        ("infra/permissions.py::check_bucket_policy_keeps_packs_from_every_role",),
    ),
    LeftOut(
        "a multipart upload has no checksum of the whole object, so every pack is verified by "
        "reading it back",
        ("conformance/test_object_store.py::test_the_checksum_of_the_whole_is_known",),
    ),
    LeftOut(
        "parts may be smaller than 5 MiB",
        ("conformance/test_object_store.py::test_small_parts_are_refused",),
    ),
    LeftOut("KMS keys encrypt nothing", ("infra/permissions.py::check_keys_are_the_given_ones",)),
    LeftOut(
        "log lines in the Embedded Metric Format do not become metrics: no alarm fires, no "
        "dashboard shows anything",
        (
            "infra/monitoring.py::check_metrics_exist",
            (
                "unit/telemetry/test_metrics.py::test_a_metric_of_the_run_counts_for_all_and_for_"
                "its_stack"
            ),
        ),
    ),
    LeftOut(
        "schedules are switched off, because they would start extra runs",
        ("infra/running.py::check_schedules",),
    ),
    LeftOut(
        "a function's memory is not limited, its zip can be changed, it has the machine's "
        "processors",
        ("unit/handlers/test_entry.py::test_a_function_stops_before_its_time_is_over",),
    ),
    LeftOut(
        "layers do not reach functions of a custom runtime: no Lambda Insights",
        ("infra/running.py::check_functions",),
    ),
    LeftOut(
        "Lambda does not filter log lines by their level",
        ("infra/running.py::check_logs_are_kept",),
    ),
)
