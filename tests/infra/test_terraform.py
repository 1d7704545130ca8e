"""The Terraform module passes the stack what the template requires. The provider is not installed,
so its own checks do not run, as docs/how-to/deploy-with-terraform.md says.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.infra.stack import MAIN_BUCKET, ROOT, load_template

MODULE = ROOT / "terraform"
TERRAFORM = shutil.which("terraform")
ARGUMENTS = {
    *("capabilities", "disable_rollback", "iam_role_arn", "name", "notification_arns"),
    *("on_failure", "parameters", "policy_body", "policy_url", "region", "tags"),
    *("template_body", "template_url", "timeout_in_minutes"),
}
"""Of aws_cloudformation_stack in provider 6.62:
https://registry.terraform.io/providers/hashicorp/aws/6.62.0/docs/resources/cloudformation_stack.
"""
needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="terraform is not installed")

sys.path.insert(0, str(ROOT / "docs"))
MAKER: Any = importlib.import_module("make_terraform")


def test_the_terraform_file_is_up_to_date() -> None:
    """The file is what `make docs` makes of the template as it is now."""
    assert MAKER.PARAMETERS.read_text(encoding="utf-8") == MAKER.make_parameters(
        load_template()["Parameters"]
    ), "run `make docs`"


def test_each_variable_matches_its_parameter() -> None:
    """Read back from the file, every parameter has its own variable with its type and default, or
    with no default where it has none.
    """
    text = MAKER.PARAMETERS.read_text(encoding="utf-8")
    variables = dict(read_variables(text))
    passed = dict(re.findall(r"^    (\w+) += var\.(\w+)$", text, re.MULTILINE))
    parameters = load_template()["Parameters"]
    assert set(passed) == set(parameters)
    assert set(passed.values()) == set(variables)
    for name, variable in passed.items():
        found = variables[variable]
        assert found["type"] == parameters[name]["Type"].lower(), name
        assert ("default" in found) == ("Default" in parameters[name]), name
        assert found.get("default") == parameters[name].get("Default"), name


def test_template_syntax_in_texts_is_escaped() -> None:
    """A description or default may contain text that Terraform would evaluate."""
    made = MAKER.make_parameters(
        {"OneName": {"Type": "String", "Description": "a ${b} %{c}\n", "Default": "${d}"}}
    )
    assert '  description = "a $${b} %%{c}"\n' in made
    assert '  default     = "$${d}"\n' in made


def test_capabilities_match_the_deployment() -> None:
    """They are those in samconfig.toml.example, needed by SAM's transform and the roles."""
    wanted = re.findall(r"^capabilities += (.*)$", _read("samconfig.toml.example"), re.MULTILINE)
    given = re.findall(r"^  capabilities += (.*)$", _read("terraform/main.tf"), re.MULTILINE)
    assert given == wanted != []


def test_the_arguments_of_the_stack_exist() -> None:
    """The provider is not installed here and cannot refuse an unknown name."""
    given = re.findall(r"^  (\w+) += ", _read("terraform/main.tf"), re.MULTILINE)
    assert {"name", "template_url", "parameters"} <= set(given) <= ARGUMENTS


def test_the_example_names_variables_that_exist() -> None:
    """Every argument of the page's example is a variable, and each without a default is present."""
    page = _read("docs/how-to/deploy-with-terraform.md")
    [block] = re.findall(r"```hcl\n(.*?)```", page, re.DOTALL)
    named = set(re.findall(r"^  (\w+) +=", block, re.MULTILINE)) - {"source"}
    variables = dict(
        read_variables(_read("terraform/variables.tf") + _read("terraform/parameters.tf"))
    )
    assert named <= set(variables)
    assert {name for name, found in variables.items() if "default" not in found} <= named


@needs_terraform
def test_the_files_are_formatted() -> None:
    done = run_terraform(ROOT, "fmt", "-check", "-diff", "-recursive", str(MODULE))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_terraform
def test_terraform_computes_the_templates_defaults(tmp_path: Path) -> None:
    """Terraform evaluates everything that needs no provider: the variables, their defaults, and the
    map as text, as CloudFormation takes it. Null means the default.
    """
    for name in ("variables.tf", "parameters.tf"):
        shutil.copy(MODULE / name, tmp_path)
    (tmp_path / "terraform.tfvars").write_text(
        f'control_tower_bucket = "{MAIN_BUCKET}"\n'
        'template_url = "https://example.org/template.yaml"\n'
        "keep_originals_days = 30\n"
        "verify = null\n",
        encoding="utf-8",
    )
    done = run_terraform(
        tmp_path,
        "console",
        stdin="jsonencode({ for name, value in local.parameters : name => tostring(value) })\n",
    )
    assert done.returncode == 0, done.stderr
    defaults = {
        name: str(found.get("Default", "")) for name, found in load_template()["Parameters"].items()
    }
    assert json.loads(json.loads(done.stdout)) == defaults | {
        "ControlTowerBucket": MAIN_BUCKET,
        "KeepOriginalsDays": "30",
    }


@needs_terraform
def test_an_s3_address_is_refused(tmp_path: Path) -> None:
    """CloudFormation would call it a mistake only after everything else was planned."""
    shutil.copy(MODULE / "variables.tf", tmp_path)
    (tmp_path / "terraform.tfvars").write_text(
        'template_url = "s3://example/template.yaml"\n', encoding="utf-8"
    )
    done = run_terraform(tmp_path, "plan", "-input=false", "-no-color")
    assert done.returncode != 0
    assert "must begin with https://" in done.stderr


def read_variables(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each variable's name, type and default. A Terraform literal is JSON here."""
    for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE):
        found = dict(re.findall(r"^  (\w+) += (.*)$", body, re.MULTILINE))
        if "default" in found:
            found["default"] = json.loads(found["default"])
        yield name, found


def run_terraform(folder: Path, *arguments: str, stdin: str = "") -> Any:
    """Run it without this machine's settings, credentials, plugins and reports."""
    return subprocess.run(
        [str(TERRAFORM), *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "CHECKPOINT_DISABLE": "1"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
