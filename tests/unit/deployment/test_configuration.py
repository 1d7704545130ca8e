"""samconfig.toml, its example, and the template's parameters."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deployment.configuration import override, parse_pairs, read_configuration, render_samconfig
from deployment.template import Template, parse_parameters, read_template
from log_aggregator.errors import CannotStart, SettingsError

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / "samconfig.toml.example").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "written",
    [
        {"Buckets": "a,b*", "Days": 3, "Name": "two words", "Empty": ""},
        {"Buckets": ["a", "b*"], "Days": "3", "Name": "two words", "Empty": ""},
        'Buckets="a,b*" Days=3 Name="two words" Empty=""',
        ["Buckets=a,b*", "Days=3", 'Name="two words"', 'Empty=""'],
        (
            "ParameterKey=Buckets,ParameterValue=a,b* ParameterKey=Days,ParameterValue=3 "
            'Name="two words" Empty=""'
        ),
    ],
)
def test_parameters_are_read_in_every_way_that_sam_takes(written: Any) -> None:
    """A table, a string, a list of strings, and the long form give the same."""
    assert parse_pairs("parameter_overrides", written) == {
        "Buckets": "a,b*",
        "Days": "3",
        "Name": "two words",
        "Empty": "",
    }


@pytest.mark.parametrize("written", ["Buckets", 3, {"Buckets": {"a": 1}}, 'Name="open'])
def test_what_is_no_pair_is_refused(written: Any) -> None:
    """The error names the setting."""
    with pytest.raises(SettingsError, match="parameter_overrides"):
        parse_pairs("parameter_overrides", written)


def write(folder: Path, text: str) -> Path:
    path = folder / "samconfig.toml"
    path.write_text(text if "version" in text else f"version = 0.1\n{text}", encoding="utf-8")
    return path


def test_deploy_wins_over_global_and_the_command_line_over_both(tmp_path: Path) -> None:
    """As sam has it."""
    path = write(
        tmp_path,
        '[default.global.parameters]\nstack_name = "a"\nregion = "eu-west-1"\n'
        '[default.deploy.parameters]\nstack_name = "b"\nparameter_overrides = "One=1 '
        'Two=2"\ntags = "team=logs"\n',
    )
    found = override(
        read_configuration(path),
        stack_name=None,
        region="eu-west-2",
        profile=None,
        parameters={"Two": "3"},
    )
    assert (found.stack_name, found.region, found.profile) == ("b", "eu-west-2", None)
    assert found.parameters == {"One": "1", "Two": "3"}
    assert found.tags == {"team": "logs"}


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """Without a terminal there is no guide; the error holds the command."""
    with pytest.raises(SettingsError, match=r"cp samconfig\.toml\.example samconfig\.toml"):
        read_configuration(tmp_path / "samconfig.toml")


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        'version = 0.1\n[default]\nglobal = "x"\n',
        "version = 0.1\n[default.deploy.parameters]\nregion = 3\n",
        "\xff",
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str) -> None:
    """Every error about the file begins with its path."""
    path = tmp_path / "samconfig.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=re.escape(str(path))):
        read_configuration(path)


def test_the_version_that_sam_wants_is_asked_for(tmp_path: Path) -> None:
    """Without it sam ends with a traceback."""
    path = tmp_path / "samconfig.toml"
    path.write_text('[default.global.parameters]\nregion = "eu-west-1"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"version = 0\.1"):
        read_configuration(path)


def test_a_stack_name_that_cloudformation_refuses_is_refused_before(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="stack_name"):
        read_configuration(
            write(tmp_path, '[default.global.parameters]\nstack_name = "log_aggregator"\n')
        )


def test_the_example_has_every_parameter_with_the_template_s_default() -> None:
    """The example is the list of parameters: each has a line, and a line behind a # shows the
    default.
    """
    template = read_template(ROOT / "template.yaml")
    table = EXAMPLE.partition("[default.deploy.parameters.parameter_overrides]")[2]
    everything = tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", table))
    shown = {name: str(everything[name]) for name in re.findall(r"(?m)^# (\w+) = ", table)}
    assert set(everything) == set(template.defaults)
    assert shown == {name: template.defaults[name] for name in shown}


def test_the_example_is_read_as_it_stands(tmp_path: Path) -> None:
    """Its names are parameters of the template, and nothing that has no default is missing."""
    found = read_configuration(write(tmp_path, EXAMPLE))
    template = read_template(ROOT / "template.yaml")
    template.check_names(found.parameters)
    assert template.effective(found.parameters, {})["ControlTowerBucket"].startswith(
        "aws-controltower-logs-"
    )


def test_answers_are_written_where_the_example_has_them(tmp_path: Path) -> None:
    """What is read back is what was answered, quotes and backslashes included; other lines and
    comments stay.
    """
    answers = {
        "OtherBuckets": "a,b*",
        "Holds": '{"accounts": ["111122223333"]}',
        "FinalAggregationPrefix": "back\\slash",
    }
    text = render_samconfig(EXAMPLE, "us-gov-west-1", answers)
    found = read_configuration(write(tmp_path, text))
    assert {name: found.parameters[name] for name in answers} == answers
    assert found.region == "us-gov-west-1"
    assert len(text.splitlines()) == len(EXAMPLE.splitlines())


def test_an_answer_without_a_line_is_an_error() -> None:
    with pytest.raises(SettingsError, match="Nonsense"):
        render_samconfig(EXAMPLE, "eu-west-1", {"Nonsense": "1"})


def test_parameters_are_those_that_cfn_lint_reads() -> None:
    """The plain reading of the template finds what a YAML reader finds, defaults included."""
    decode = pytest.importorskip("cfnlint.decode")
    document, _ = decode.decode(str(ROOT / "template.yaml"))
    expected = {
        name: str(found["Default"]) if "Default" in found else None
        for name, found in document["Parameters"].items()
    }
    assert dict(read_template(ROOT / "template.yaml").defaults) == expected


def test_the_runtime_is_read() -> None:
    """It says which Python the wheels are for."""
    assert read_template(ROOT / "template.yaml").python_version == "3.12"


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"template\.yaml"):
        read_template(tmp_path / "template.yaml")


TEMPLATE = Template(Path("template.yaml"), {"Bucket": None, "Days": "3"}, "3.12")


def test_a_value_is_the_given_one_then_the_stack_s_then_the_default() -> None:
    """A parameter that is left out keeps what the stack has: updating an older stack does not reset
    it.
    """
    assert TEMPLATE.effective({"Bucket": "given"}, {"Bucket": "old", "Days": "7"}) == {
        "Bucket": "given",
        "Days": "7",
    }
    assert TEMPLATE.effective({"Bucket": "given"}, {}) == {"Bucket": "given", "Days": "3"}


def test_a_parameter_without_any_value_is_named() -> None:
    with pytest.raises(SettingsError, match="Bucket: no value"):
        TEMPLATE.effective({}, {})


def test_an_unknown_parameter_is_refused() -> None:
    """CloudFormation would refuse it too, minutes later."""
    with pytest.raises(SettingsError, match="Dayz: the template has no such parameter"):
        TEMPLATE.check_names({"Dayz": "3"})


def test_defaults_are_read_as_yaml_means_them() -> None:
    text = (
        "Parameters:\n  A:\n    Type: String\n    Default: 'it''s'\n  # note\n  B:\n    Default: "
        '""\n\n  C:  # why\n    Default: 3 # days\n  D:\n    Type: String\nResources:\n  E:\n  '
        "  Default: no\n"
    )
    assert parse_parameters(text) == {"A": "it's", "B": "", "C": "3", "D": None}
