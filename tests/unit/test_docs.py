"""The documentation says what is true of the code: generated pages, links, examples, names."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner
from tests.support.world import DAY, document, make_world, trail_key

from log_aggregator import limits
from log_aggregator.adapters.memory import MemoryStore
from log_aggregator.adapters.s3.errors import ACTIONS
from log_aggregator.cli import commands
from log_aggregator.settings import SETTINGS, read_settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLE = ROOT / "aggregator.toml.example"
NO_ACTIONS = frozenset(
    {
        "HeadObject",
        "HeadBucket",
        "UploadPart",
        "UploadPartCopy",
        "CreateMultipartUpload",
        "CompleteMultipartUpload",
        "ListParts",
        "ListObjects",
        "ListObjectsV2",
        "ListObjectVersions",
        "ListMultipartUploads",
        "CopyObject",
        "DeleteObjects",
        "GetBucketEncryption",
        "PutBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
        "PutObjectLockConfiguration",
    }
)
"""Names of requests that are no IAM actions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html."""


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = load_generator()


@pytest.mark.parametrize(("name", "text"), GENERATOR.make_pages().items(), ids=lambda value: value if value.endswith(".md") else "")
def test_reference_pages_are_up_to_date(name: str, text: str) -> None:
    """A page of docs/reference is what `make docs` makes of the code as it is now."""
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == text, "run `make docs`"


def test_no_reference_page_is_left_over() -> None:
    """docs/reference holds generated pages and nothing else."""
    assert {page.name for page in (ROOT / "docs" / "reference").iterdir()} == set(GENERATOR.make_pages())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link points to a file or folder that exists, and its anchor to a heading there."""
    for link in find_links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_can_be_reached(page: Path) -> None:
    """Each page is linked from the README."""
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in find_links(ROOT / "README.md")}
    assert page == ROOT / "README.md" or page in linked


def test_every_command_in_an_example_exists() -> None:
    """What the pages tell to type is a command of this program, with options that it has."""
    examples = [
        (page.name, line) for page in PAGES for kind in ("sh", "cron") for block in find_code(page, kind) for line in block.splitlines()
    ]
    typed = [(page, words) for page, line in examples for words in find_commands(line)]
    assert {words[0] for _, words in typed} >= {"plan", "run", "verify", "extract", "demo"}
    for page, words in typed:
        try:
            parse_command(words)
        except click.UsageError as error:
            pytest.fail(f"{page}: log-aggregator {shlex.join(words)}: {error.format_message()}")


def test_an_example_with_an_unknown_option_is_caught() -> None:
    """The check above sees an option, a command and a missing argument that are wrong."""
    for words in (["run", "--no-such-option"], ["no-such-command"], ["extract"], ["verify", "--level", "no-such-level"]):
        with pytest.raises(click.UsageError):
            parse_command(words)


def test_the_example_settings_can_be_read() -> None:
    """aggregator.toml.example is a valid file, also with every line that is commented out, and names every setting."""
    given = read_settings(EXAMPLE, {})
    assert given.keep_originals_days == 14
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = re.findall(r"^(?:# )?([a-z_]+) = ", text, re.MULTILINE)
    assert {row.name for row in SETTINGS} - set(shown) == {"holds"}
    assert "[holds]" in text


def test_what_the_example_shows_as_defaults_are_defaults() -> None:
    """A line of the example that is commented out shows the default, unless it is a name of somebody's own."""
    own = {"kms_key_id", "aggregation_regions", "organization_id"}
    lines = re.findall(r"^# ([a-z_]+ = .*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    shown = tomllib.loads("\n".join(lines))
    default = read_settings(None, {"other_buckets": "logs"})
    given = read_settings(None, {"other_buckets": "logs"} | {name: value for name, value in shown.items() if name not in own})
    assert given == default
    assert default.pack_size_max == limits.GIB


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_in_examples_can_be_read(page: Path) -> None:
    """Every TOML example of a page is accepted; those that name no bucket get one."""
    for block in find_code(page, "toml"):
        values = tomllib.loads(block)
        settings = read_settings(None, {"other_buckets": "logs"} | values)
        assert settings.other_buckets, values


def test_meanings_are_of_things_that_exist() -> None:
    """No field and no limit is explained that the code does not have, and every limit is explained."""
    texts = GENERATOR.TEXTS
    explained = set(texts["limits"]["s3"]) | set(texts["limits"]["ours"])
    assert explained == {name for name in vars(limits) if name.isupper()} - {"KIB", "MIB", "GIB"}
    page = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    for command in texts["json"]:
        for field in texts["json"][command]:
            assert f"`{field}`" in page, field


def test_no_permission_is_invented() -> None:
    """No page names a request where IAM wants an action, the policies are JSON, and every permission that an error names is on the page."""
    page = ROOT / "docs" / "how-to" / "iam-permissions.md"
    granted: set[str] = set()
    for block in find_code(page, "json"):
        for statement in json.loads(block)["Statement"]:
            actions = statement["Action"]
            granted |= {actions} if isinstance(actions, str) else set(actions)
    needed = {action for text in ACTIONS.values() for action in re.findall(r"(?:s3|kms):[A-Za-z]+", text)}
    assert needed <= granted, needed - granted
    for text in (page.read_text(encoding="utf-8") for page in PAGES):
        assert not {f"s3:{name}" for name in NO_ACTIONS} & set(re.findall(r"s3:[A-Za-z0-9]+", text))


def test_the_layers_are_those_that_the_linter_holds() -> None:
    """The picture in architecture.md has the layers of pyproject.toml, in their order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    names = [re.sub(r"log_aggregator\.", "", layer) for layer in layers]
    picture = find_code(ROOT / "docs" / "internals" / "architecture.md", "text")[0]
    assert [re.split(r"  +", line)[0] for line in picture.splitlines()] == names


def test_the_fields_of_verify_are_documented(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`verify --json` has exactly the fields of docs/reference/json.md, for packs that are right and for packs that are not."""
    world = make_world()
    for number in range(2):
        world.put("logs", trail_key(number, account=f"{number + 1:012d}"), document(number))
    assert world.run().failures == []
    damage_one_pack(world.store)
    monkeypatch.setattr(importlib.import_module("log_aggregator.cli.verify"), "connect", lambda *_: world.store)
    config = tmp_path / "aggregator.toml"
    config.write_text('other_buckets = ["logs"]\ndestination_bucket = "dest"\n', encoding="utf-8")
    result = CliRunner().invoke(commands, ["verify", "--json", "--date", str(DAY), "--config", str(config)], standalone_mode=False)
    assert result.exception is None
    assert set(GENERATOR.flatten(json.loads(result.stdout))) == set(GENERATOR.json_fields("verify"))


def damage_one_pack(store: MemoryStore) -> None:
    key = store.list_objects("dest", prefix="packs/").objects[0].key
    store.put("dest", key, b"not what it was")


def find_links(page: Path) -> Iterator[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if not link.startswith(("https://", "http://")):
            yield link


def anchors(page: Path) -> set[str]:
    """As GitHub makes them: lower case, spaces to hyphens, punctuation dropped."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def find_code(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a language, also those inside of lists."""
    found = re.findall(rf"^( *)```{kind}\n(.*?)^\1```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def find_commands(line: str) -> Iterator[list[str]]:
    """The words behind `log-aggregator`, up to a redirection, a pipe or a comment."""
    for found in re.finditer(r"(?:^|\s|bin/)log-aggregator ((?:(?! [0-9]?[>|&<#]).)+)", line):
        yield shlex.split(found[1])


def parse_command(words: list[str]) -> None:
    """Raises UsageError where the words are no command line of this program. Nothing is run."""
    name, *arguments = words
    if name == "--help":
        return
    command = commands.get_command(click.Context(commands), name)
    if command is None:
        raise click.UsageError(f"no command {name}")
    context = click.Context(command)
    values, _, order = command.make_parser(context).parse_args(arguments)
    for parameter in click.core.iter_params_for_processing(order, command.params):
        if parameter.name != "help":
            parameter.handle_parse_result(context, values, [])
