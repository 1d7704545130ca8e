"""The documentation agrees with the code: generated pages, links, examples, names."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import click
import pytest
from click.testing import CliRunner
from tests.support.cloud import WORK, make_cloud
from tests.support.world import DAY, World, document, fail_on, make_world, trail_key

from log_aggregator import limits, wiring
from log_aggregator.adapters.s3.errors import ACTIONS
from log_aggregator.cli import commands
from log_aggregator.core.adopted import Said
from log_aggregator.core.costs import PRICES
from log_aggregator.core.costs.overrides import override_prices
from log_aggregator.errors import AccessDenied
from log_aggregator.handlers.prepare import read_input
from log_aggregator.handlers.split_history import check_input
from log_aggregator.ports.store import WriteOptions
from log_aggregator.settings import SETTINGS, read_settings
from log_aggregator.steps.fanout.tasks import FOLDERS_MAX
from log_aggregator.steps.fanout.workitems import ItemLimits
from log_aggregator.steps.upkeep.adopt import adopt, describe_aggregate, list_aggregates
from log_aggregator.telemetry.metrics import METRICS
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
WITH_LINKS = sorted({*PAGES, *ROOT.glob("*.md")})
EXAMPLE = ROOT / "aggregator.toml.example"
SVG = "{http://www.w3.org/2000/svg}"
WRITTEN_BY_HAND = {"compatibility.md"}
"""In docs/reference, where all other pages are generated."""
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
"""Names of requests that are no IAM actions:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html.
"""


sys.path.insert(0, str(ROOT / "docs"))
GENERATOR: Any = importlib.import_module("make_reference")
PICTURES: Any = importlib.import_module("make_pictures")
TEXTS: dict[str, Any] = importlib.import_module("reference_pages.table").TEXTS
JSON_FIELDS: Any = importlib.import_module("reference_pages.json_fields")
TEMPLATE_READER: Any = importlib.import_module("reference_pages.template")
TEMPLATE: dict[str, Any] = TEMPLATE_READER.load_template()


@pytest.mark.parametrize(
    ("name", "text"),
    GENERATOR.make_pages().items(),
    ids=lambda value: value if value.endswith(".md") else "",
)
def test_reference_pages_are_up_to_date(name: str, text: str) -> None:
    """A page of docs/reference is what `make docs` makes of the code as it is now."""
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == text, (
        "run `make docs`"
    )


def test_no_outdated_reference_page_is_left() -> None:
    """docs/reference holds generated pages, and those that are written by hand."""
    assert {page.name for page in (ROOT / "docs" / "reference").iterdir()} == {
        *GENERATOR.make_pages(),
        *WRITTEN_BY_HAND,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    PICTURES.make_pictures().items(),
    ids=lambda value: value if value.endswith(".svg") else "",
)
def test_pictures_are_up_to_date(name: str, text: str) -> None:
    """A picture of the stack is what `make docs` makes of the template and the state machines as
    they are now.
    """
    assert (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8") == text, (
        "run `make docs`"
    )


def test_pictures_show_everything() -> None:
    """The pictures have every state of both machines and every function, and all texts are
    inside.
    """
    pictures = {name: ET.fromstring(text) for name, text in PICTURES.make_pictures().items()}
    texts = {
        name: [element.text or "" for element in picture.iter(f"{SVG}text")]
        for name, picture in pictures.items()
    }
    machines = TEMPLATE_READER.state_machines_of(TEMPLATE).values()
    states = [
        state
        for found in machines
        for state in states_of(
            TEMPLATE_READER.load_definition(ROOT / found["Properties"]["DefinitionUri"])
        )
    ]
    assert len(states) > 30
    assert set(states) <= set(texts["state-machine.svg"])
    assert set(TEMPLATE_READER.functions_of(TEMPLATE)) <= set(texts["architecture.svg"])
    for picture in pictures.values():
        width, height = float(picture.attrib["width"]), float(picture.attrib["height"])
        for element in picture.iter(f"{SVG}text"):
            assert 0 <= float(element.attrib["x"]) <= width, element.text
            assert 0 <= float(element.attrib["y"]) <= height, element.text


def test_boxes_in_pictures_do_not_overlap() -> None:
    """Two boxes are nested or disjoint, so nothing covers anything else."""
    for name, text in PICTURES.make_pictures().items():
        boxes = [
            tuple(float(box.attrib[side]) for side in ("x", "y", "width", "height"))
            for box in boxes_of(text)
        ]
        assert len(boxes) > 10
        for one, other in itertools.combinations(boxes, 2):
            assert are_apart(one, other) or holds(one, other) or holds(other, one), (
                name,
                one,
                other,
            )


@pytest.mark.parametrize("page", WITH_LINKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    """Every relative link points to a file or folder that exists, and its anchor to a heading
    there.
    """
    for link in find_links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_can_be_reached(page: Path) -> None:
    """Each page is linked from the list of all pages, or from the list of its folder, which is; and
    the list of all pages from the README.
    """
    contents = ROOT / "docs" / "README.md"
    assert contents.relative_to(ROOT).as_posix() in find_links(ROOT / "README.md")
    linked = find_linked_files(contents)
    folder = page.parent / "README.md"
    if folder in linked:
        linked |= find_linked_files(folder)
    assert page in {*linked, contents, ROOT / "README.md"}


def find_linked_files(page: Path) -> set[Path]:
    return {(page.parent / link.partition("#")[0]).resolve() for link in find_links(page)}


def test_every_command_in_an_example_exists() -> None:
    """Each command that the pages show exists, with the options shown."""
    examples = [
        (page.name, line)
        for page in PAGES
        for kind in ("sh", "cron")
        for block in find_code(page, kind)
        for line in block.splitlines()
    ]
    typed = [(page, words) for page, line in examples for words in find_commands(line)]
    assert {words[0] for _, words in typed} >= {"plan", "run", "verify", "extract", "demo"}
    for page, words in typed:
        try:
            parse_command(words)
        except click.UsageError as error:
            pytest.fail(f"{page}: log-aggregator {shlex.join(words)}: {error.format_message()}")


def test_an_example_with_an_unknown_option_is_caught() -> None:
    """The check above notices a wrong option, a wrong command and a missing argument."""
    for words in (
        ["run", "--no-such-option"],
        ["no-such-command"],
        ["extract", "--date"],
        ["verify", "--level", "no-such-level"],
    ):
        with pytest.raises(click.UsageError):
            parse_command(words)


def test_the_example_settings_can_be_read() -> None:
    """aggregator.toml.example is valid, also with every comment line enabled, and names every
    setting.
    """
    given = read_settings(EXAMPLE, {})
    assert given.keep_originals_days == 14
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = re.findall(r"^(?:# )?([a-z_]+) = ", text, re.MULTILINE)
    assert {row.name for row in SETTINGS} - set(shown) == {"holds", "layouts"}
    assert "[holds]" in text
    declared = text[text.index("# [[layouts]]") :].replace("\n# ", "\n").removeprefix("# ")
    settings = read_settings(None, {"other_buckets": "logs"} | tomllib.loads(declared))
    assert [layout.name for layout in settings.layouts.declared] == ["nginx", "sessions"]


def test_defaults_in_the_example_are_real_defaults() -> None:
    """A commented line of the example shows the default, unless it is a user's own name."""
    own = {
        "kms_key_id",
        "search_kms_key_id",
        "aggregation_regions",
        "organization_id",
        "destination_account",
        "bucket_accounts",
        "sign_with",
        "time_stamp_url",
    }
    lines = re.findall(r"^# ([a-z_]+ = .*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    shown = tomllib.loads("\n".join(lines))
    default = read_settings(None, {"other_buckets": "logs"})
    given = read_settings(
        None,
        {"other_buckets": "logs"}
        | {name: value for name, value in shown.items() if name not in own},
    )
    assert given == default
    assert default.pack_size_max == limits.GIB


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_in_examples_can_be_read(page: Path) -> None:
    """Every TOML example of a page is accepted; one without a bucket gets one. Those for
    samconfig.toml name existing parameters.
    """
    for block in find_code(page, "toml"):
        values = tomllib.loads(block)
        if "default" in values:
            given = values["default"]["deploy"]["parameters"]["parameter_overrides"]
            check_parameters(given)
            continue
        if "storage" in values:
            override_prices(PRICES, values)
            continue
        settings = read_settings(None, {"other_buckets": "logs"} | values)
        assert settings.other_buckets, values


def test_explained_fields_and_limits_exist() -> None:
    """Every explained field and limit exists in the code, and every limit is explained."""
    texts = TEXTS
    explained = set(texts["limits"]["s3"]) | set(texts["limits"]["ours"])
    assert explained == {name for name in vars(limits) if name.isupper()} - {"KIB", "MIB", "GIB"}
    page = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    for command in texts["json"]:
        for field in texts["json"][command]:
            assert f"`{field}`" in page, field


def test_every_documented_permission_exists() -> None:
    """No page names a request where IAM needs an action, the policies are JSON, and every
    permission that an error names is on the page.
    """
    page = ROOT / "docs" / "how-to" / "iam-permissions.md"
    granted: set[str] = set()
    for block in find_code(page, "json"):
        for statement in json.loads(block)["Statement"]:
            actions = statement["Action"]
            granted |= {actions} if isinstance(actions, str) else set(actions)
    needed = {
        action for text in ACTIONS.values() for action in re.findall(r"(?:s3|kms):[A-Za-z]+", text)
    }
    assert needed <= granted, needed - granted
    for text in (page.read_text(encoding="utf-8") for page in PAGES):
        assert not {f"s3:{name}" for name in NO_ACTIONS} & set(re.findall(r"s3:[A-Za-z0-9]+", text))


def test_the_documented_layers_match_the_linter() -> None:
    """The pictures in architecture.md have the layers of pyproject.toml, in their order."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    orders = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    pictures = find_code(ROOT / "docs" / "internals" / "architecture.md", "text")
    assert len(orders) == 2
    for layers, picture in zip(orders, pictures, strict=False):
        names = [re.sub(r"log_aggregator\.", "", layer) for layer in layers]
        assert [re.split(r"  +", line)[0] for line in picture.splitlines()] == names


def test_the_fields_of_verify_are_documented(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`verify --json` has exactly the fields of docs/reference/json.md, for packs that are right,
    wrong, frozen and refused by S3.
    """
    world = make_world()
    for number in range(4):
        world.put("logs", trail_key(number, account=f"{number + 1:012d}"), document(number))
    assert world.run().failures == []
    damage_one_pack(world.store)
    adopt_one_aggregate(world)
    freeze_one_pack(world.store)
    refused = world.store.list_objects("dest", prefix="packs/").objects[1].key
    denied = fail_on(
        lambda call: call.operation == "HeadObject" and call.key == refused, AccessDenied("no")
    )
    monkeypatch.setattr(wiring, "connect", lambda *_: FaultyStore(world.store, denied))
    config = tmp_path / "aggregator.toml"
    config.write_text('other_buckets = ["logs"]\ndestination_bucket = "dest"\n', encoding="utf-8")
    arguments = [
        "verify",
        "--json",
        "--date",
        str(DAY),
        "--sample",
        "100%",
        "--config",
        str(config),
    ]
    result = CliRunner().invoke(commands, arguments, standalone_mode=False)
    assert result.exception is None
    assert set(JSON_FIELDS.flatten(json.loads(result.stdout))) == set(
        JSON_FIELDS.json_fields("verify")
    )


def test_the_fields_of_a_result_are_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """result.json has the fields of `run --json`, those that the page adds, and no others."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    with make_cloud(world, monkeypatch) as cloud:
        cloud.run({"date": str(DAY)}, name="documented")
    key = next(
        entry.key
        for entry in world.store.list_objects(WORK).objects
        if entry.key.endswith("/documented/result.json")
    )
    fields = set(JSON_FIELDS.flatten(json.loads(world.store.get_object(WORK, key).data)))
    known = set(JSON_FIELDS.json_fields("run")) | set(TEXTS["json"]["result"])
    assert set(TEXTS["json"]["result"]) <= fields
    assert {
        field
        for field in fields
        if not field.startswith(("requests.", "seconds_by_step.", "unknown_samples."))
    } <= known


def adopt_one_aggregate(world: World) -> None:
    world.store.put("logs", "older.gz", document(1))
    (found,) = list_aggregates(world.store, world.targets[0], "logs", "older.gz")
    assert adopt(
        world.store, world.targets[0], describe_aggregate(found, Said(date=DAY)), WriteOptions()
    )


def freeze_one_pack(store: MemoryStore) -> None:
    last = store.list_objects("dest", prefix="packs/").objects[-1]
    store.put(
        "dest",
        last.key,
        store.get_object("dest", last.key).data,
        storage_class="GLACIER",
        with_checksum=True,
    )


def damage_one_pack(store: MemoryStore) -> None:
    key = store.list_objects("dest", prefix="packs/").objects[0].key
    store.put("dest", key, b"not what it was")


def test_every_parameter_is_documented() -> None:
    """The page has each of the template's parameters once, with its default; the ./deploy example
    has a line for each.
    """
    page = (
        (ROOT / "docs" / "reference" / "parameters.md")
        .read_text(encoding="utf-8")
        .partition("## Outputs")[0]
    )
    example = (ROOT / "samconfig.toml.example").read_text(encoding="utf-8")
    for name, found in TEMPLATE["Parameters"].items():
        rows = re.findall(rf"^\| `{name}`(?: \\\*)? \|.*$", page, re.MULTILINE)
        assert len(rows) == 1, name
        assert f"`{found.get('Default', '')}`" in rows[0] or found.get("Default", "") == "", name
        assert re.search(rf"^(?:# )?{name} = ", example, re.MULTILINE), name
    assert set(TEXTS["parameters"]["older"]) <= set(TEMPLATE["Parameters"])


def test_every_metric_is_documented() -> None:
    """The page has each metric with its unit; the pages' queries use existing metrics."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    for row in METRICS:
        assert f"| `{row.name}` | {row.unit} |" in page
    names = {row.name for row in METRICS}
    for path in (ROOT / "docs").rglob("*.md"):
        queries = "".join(block for block in find_code(path, "text") if "filter " in block)
        asked = set(re.findall(r'(?<!")\b[A-Z][a-z]+[A-Z]\w+', queries))
        assert asked <= names | {"SourceBucket", "LogType"}, path


def test_numbers_on_pages_match_the_code() -> None:
    """The pages give the code's numbers for cutting a run and for its time limit."""
    cut, items = (
        (ROOT / "docs" / "internals" / "architecture.md").read_text(encoding="utf-8"),
        ItemLimits(),
    )
    assert (
        f"at most {items.objects_max:,} of them, {items.bytes_max // limits.GIB} GiB, and "
        f"{items.groups_max} groups" in cut
    )
    assert f"up to {FOLDERS_MAX} accounts" in cut
    history = (ROOT / "docs" / "how-to" / "backfill-history.md").read_text(encoding="utf-8")
    hours = (
        TEMPLATE_READER.load_definition(ROOT / "statemachines" / "combine_log_files.asl.json")[
            "TimeoutSeconds"
        ]
        // 3600
    )
    assert f"it may take {hours} hours" in history


def test_every_function_is_documented() -> None:
    """The page has a heading for each function, and every statement of its role."""
    page = (ROOT / "docs" / "reference" / "functions.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    machines = TEMPLATE_READER.state_machines_of(TEMPLATE)
    for name, found in {**TEMPLATE_READER.functions_of(TEMPLATE), **machines}.items():
        for _, statement in TEMPLATE_READER.statements_of(found["Properties"]):
            actions = (
                [statement["Action"]]
                if isinstance(statement["Action"], str)
                else statement["Action"]
            )
            assert (
                f"| {statement['Effect']} | {'<br>'.join(f'`{action}`' for action in actions)} |"
                in sections[name]
            ), (name, actions)


def test_each_alarm_links_to_its_runbook() -> None:
    """Each alarm names an existing heading of the page, and the page names each alarm."""
    page = ROOT / "docs" / "how-to" / "respond-to-alarms.md"
    named: set[str] = set()
    for name, found in TEMPLATE_READER.alarms_of(TEMPLATE).items():
        titles = re.findall(r'section "([^"]+)"', found["Properties"]["AlarmDescription"])
        leads = [title.lower().replace(" ", "-") for title in titles]
        assert len(leads) == 1, name
        named |= set(leads)
        assert f"alarms.md#{leads[0]}" in (ROOT / "docs" / "reference" / "metrics.md").read_text(
            encoding="utf-8"
        )
    assert named == {
        "a-run-failed",
        "no-night-in-36-hours",
        "objects-left-behind",
        "objects-retained",
        "calls-refused-by-lambda",
        "something-has-changed",
        "terms-not-merged",
        "a-drill-failed",
        "a-report-failed",
        "the-evidence-is-not-in-order",
    }
    assert named <= anchors(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documented_inputs_are_accepted(page: Path) -> None:
    """Each input that the pages show is accepted by the machine's first function; their ./deploy
    examples name existing parameters.
    """
    for block in find_code(page, "sh"):
        for line in block.splitlines():
            for found in re.finditer(r"--parameter (\w+)=(\S+)", line):
                check_parameters({found[1]: found[2]})
            started = re.search(r"start-execution .*:(?:[\w-]+-)?(\w+SM) --input '([^']*)'", line)
            assert (started is not None) == ("start-execution" in line), line
            if started:
                given = json.loads(started[2])
                if started[1] == "CombineLogFilesSM":
                    read_input(given)
                else:
                    check_input(given, [given["bucket_name"]])


def check_parameters(given: Mapping[str, Any]) -> None:
    """The names are the template's, and it allows the values."""
    for name, value in given.items():
        found = TEMPLATE["Parameters"][name]
        assert re.fullmatch(found.get("AllowedPattern", ".*"), str(value)), (name, value)
        assert value in found.get("AllowedValues", [value]), (name, value)


def states_of(definition: Mapping[str, Any]) -> Iterator[str]:
    for name, state in definition["States"].items():
        yield name
        for part in (
            *state.get("Branches", ()),
            *([state["ItemProcessor"]] if "ItemProcessor" in state else ()),
        ):
            yield from states_of(part)


def boxes_of(text: str) -> list[ET.Element]:
    """All boxes but the background, which has no position."""
    return [box for box in ET.fromstring(text).iter(f"{SVG}rect") if "x" in box.attrib]


def are_apart(one: Sequence[float], other: Sequence[float]) -> bool:
    return (
        one[0] + one[2] <= other[0]
        or other[0] + other[2] <= one[0]
        or one[1] + one[3] <= other[1]
        or other[1] + other[3] <= one[1]
    )


def holds(outer: Sequence[float], inner: Sequence[float]) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and outer[0] + outer[2] >= inner[0] + inner[2]
        and outer[1] + outer[3] >= inner[1] + inner[3]
    )


def find_links(page: Path) -> Iterator[str]:
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if not link.startswith(("https://", "http://")):
            yield link


def anchors(page: Path) -> set[str]:
    """Headings as GitHub links them: lower case, spaces to hyphens, punctuation dropped."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def find_code(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a language, also inside lists."""
    found = re.findall(
        rf"^( *)```{kind}\n(.*?)^\1```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def find_commands(line: str) -> Iterator[list[str]]:
    """The words after `log-aggregator`, up to a redirection, a pipe or a comment."""
    for found in re.finditer(
        r"(?:^|(?<!--stack-name)\s|bin/)log-aggregator ((?:(?! [0-9]?[>|&<#]).)+)", line
    ):
        yield shlex.split(found[1])


def parse_command(words: list[str]) -> None:
    """Raises UsageError if the words are not a valid command line. Nothing is run."""
    name, *arguments = words
    if name == "--help":
        return
    command = commands.get_command(click.Context(commands), name)
    if command is None:
        raise click.UsageError(f"no command {name}")
    if isinstance(command, click.Group):
        if not arguments or arguments[0] not in command.commands:
            raise click.UsageError(f"no command {name} {' '.join(arguments[:1])}")
        command, arguments = command.commands[arguments[0]], arguments[1:]
    context = click.Context(command)
    values, _, order = command.make_parser(context).parse_args(arguments)
    for parameter in click.core.iter_params_for_processing(order, command.params):
        if parameter.name != "help":
            parameter.handle_parse_result(context, values, [])
