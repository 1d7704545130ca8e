"""samconfig.toml, its example, and the template's parameters."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from deployment.configuration import read_configuration
from deployment.template import choose_values, parse_defaults
from log_aggregator.errors import SettingsError

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / "samconfig.toml.example").read_text(encoding="utf-8")
TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")
SMALL = 'Parameters:\n  Days:\n    Default: "7"\n  Bucket:\n    Type: String\n\nResources:\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "samconfig.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_command_line_wins_over_deploy_and_deploy_over_global(tmp_path: Path) -> None:
    """sam has the same order; options left out are as in the file."""
    text = (
        '[default.global.parameters]\nstack_name = "a"\nregion = "eu-west-1"\nprofile = "p"\n'
        '[default.deploy.parameters]\nstack_name = "b"\n'
        "[default.deploy.parameters.parameter_overrides]\nDays = 1\nBucket = 'x'\n"
    )
    wishes = {"region": "eu-north-1", "profile": None, "parameters": {"Days": "2"}}
    found = read_configuration(write(tmp_path, text), wishes)
    assert (found.stack_name, found.region, found.profile) == ("b", "eu-north-1", "p")
    assert found.parameters == {"Days": "2", "Bucket": "x"}


def test_values_are_written_like_sam_does(tmp_path: Path) -> None:
    """Lists have commas, numbers are text, and quoted text is unchanged."""
    table = "[default.deploy.parameters.parameter_overrides]\n"
    text = f"{table}Buckets = ['a', 'b*']\nDays = 3\nHolds = '{{\"a\": 1}}'\nEmpty = ''\n"
    found = read_configuration(write(tmp_path, text), {})
    assert found.parameters == {
        "Buckets": "a,b*",
        "Days": "3",
        "Holds": '{"a": 1}',
        "Empty": "",
    }


def test_there_is_a_default_name(tmp_path: Path) -> None:
    found = read_configuration(write(tmp_path, "version = 0.1\n"), {})
    assert (found.stack_name, found.region, found.parameters) == ("log-aggregator", None, {})


def test_a_missing_file_comes_with_advice(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cp samconfig\.toml\.example samconfig\.toml"):
        read_configuration(tmp_path / "samconfig.toml", {})


@pytest.mark.parametrize(
    "text",
    [
        "[default",
        "default = 1",
        "[default]\ndeploy = 1",
        "[default.deploy]\nparameters = 1",
        "[default.deploy.parameters]\nparameter_overrides = 'A=1 B=2'",
    ],
)
def test_a_bad_file_is_reported(tmp_path: Path, text: str) -> None:
    """This includes a file with its parameters in one string, which sam would accept."""
    with pytest.raises(SettingsError, match=r"samconfig\.toml: expected TOML with tables"):
        read_configuration(write(tmp_path, text), {})


def test_the_example_lists_every_parameter_with_its_default() -> None:
    """The example is the list of parameters: each has a line, and a line after a # shows the
    default.
    """
    defaults = parse_defaults(TEMPLATE)
    table = EXAMPLE.partition("[default.deploy.parameters.parameter_overrides]")[2]
    everything = tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", table))
    shown = {name: str(everything[name]) for name in re.findall(r"(?m)^# (\w+) = ", table)}
    assert set(everything) == set(defaults)
    assert shown == {name: defaults[name] for name in shown}


def test_the_example_can_be_read(tmp_path: Path) -> None:
    """Its names are parameters of the template."""
    found = read_configuration(write(tmp_path, EXAMPLE), {})
    values = choose_values(TEMPLATE, found.parameters, {})
    assert values["ControlTowerBucket"].startswith("aws-controltower-logs-")


def test_parameters_match_those_cfn_lint_reads() -> None:
    """Reading the template as plain text finds the same as a YAML reader, defaults included."""
    decode = pytest.importorskip("cfnlint.decode")
    document, _ = decode.decode(str(ROOT / "template.yaml"))
    expected = {
        name: str(found.get("Default", "")) for name, found in document["Parameters"].items()
    }
    assert parse_defaults(TEMPLATE) == expected


def test_wheels_match_the_runtime_of_the_template() -> None:
    """Code and function then never differ, unless the user names another Python."""
    runtimes = set(re.findall(r"Runtime: *python(\S+)", TEMPLATE))
    makefile = (ROOT / "src" / "Makefile").read_text(encoding="utf-8")
    assert runtimes == set(re.findall(r"^LAMBDA_PYTHON \?= (\S+)", makefile, re.MULTILINE))


def test_a_value_is_given_or_the_stacks_or_the_default() -> None:
    """A parameter that only the old stack has is left out."""
    assert choose_values(SMALL, {}, {}) == {"Days": "7", "Bucket": ""}
    assert choose_values(SMALL, {}, {"Days": "8", "Gone": "1"}) == {"Days": "8", "Bucket": ""}
    assert choose_values(SMALL, {"Days": "9"}, {"Days": "8"}) == {"Days": "9", "Bucket": ""}


def test_an_unknown_parameter_is_refused() -> None:
    """sam would silently deploy without it."""
    with pytest.raises(SettingsError, match="Day: the template has no such parameter"):
        choose_values(SMALL, {"Day": "1"}, {})
