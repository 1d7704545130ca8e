"""Logs: one JSON object per line, with bound fields, and never the contents of a log."""

from __future__ import annotations

import contextvars
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from log_aggregator.errors import AccessDenied, GroupFailed, SettingsError
from log_aggregator.escapes import is_harmless
from log_aggregator.ports.store import Body
from log_aggregator.telemetry import logs
from log_aggregator.telemetry.logs import bind, configure_logs, log_error, log_info

SECRET = "AKIAEXAMPLE-in-a-log-line"


@pytest.fixture(autouse=True)
def logger() -> Iterator[logging.Logger]:
    """The package's logger, restored afterwards."""
    logger = logging.getLogger(logs.LOGGER_NAME)
    handlers, level, propagate = logger.handlers[:], logger.level, logger.propagate
    yield logger
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)


def read_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    output = capsys.readouterr()
    assert output.err == ""
    return [json.loads(line) for line in output.out.splitlines()]


def test_a_line_contains_nothing_harmful(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines cannot harm a terminal; programs read the same values."""
    configure_logs()
    key = "a\x00\x1b[2J\x7f\x9b\u202e\u2028\U000e0041ü"
    log_info(key, key=key)
    written = capsys.readouterr().out
    assert is_harmless(written.removesuffix("\n"))
    assert (json.loads(written)["message"], json.loads(written)["key"]) == (key, key)


def test_a_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Time in UTC with milliseconds, level, message, fields; one line, whatever the message."""
    configure_logs()
    before = datetime.now(UTC)
    log_info(
        'pack\nwritten "well" ✓',
        members=3,
        key="a/ü\udcff",
        date=date(2025, 4, 3),
        share=0.5,
        account=None,
    )
    (line,) = read_lines(capsys)
    assert list(line) == [
        "timestamp",
        "level",
        "message",
        "members",
        "key",
        "date",
        "share",
        "account",
    ]
    assert line | {"timestamp": ""} == {
        "timestamp": "",
        "level": "INFO",
        "message": 'pack\nwritten "well" ✓',
        "members": 3,
        "key": "a/ü\udcff",
        "date": "2025-04-03",
        "share": 0.5,
        "account": None,
    }
    assert line["timestamp"].endswith("Z")
    assert len(line["timestamp"]) == len("2025-04-03T10:11:12.123Z")
    assert abs(datetime.fromisoformat(line["timestamp"]) - before) < timedelta(seconds=5)


def test_levels_have_lambdas_names(
    capsys: pytest.CaptureFixture[str], logger: logging.Logger
) -> None:
    """Lambda filters by these names, which do not include Python's WARNING and CRITICAL."""
    configure_logs("DEBUG")
    logger.debug("a")
    log_info("b")
    logger.warning("c")
    log_error("d")
    logger.critical("e")
    assert [line["level"] for line in read_lines(capsys)] == [
        "DEBUG",
        "INFO",
        "WARN",
        "ERROR",
        "FATAL",
    ]


@pytest.mark.parametrize(
    ("level", "written"),
    [("", "bcd"), ("info", "bcd"), ("WARN", "cd"), ("WARNING", "cd"), ("ERROR", "d")],
)
def test_the_level_is_a_setting(
    capsys: pytest.CaptureFixture[str], logger: logging.Logger, level: str, written: str
) -> None:
    """Only lines of at least this level are written."""
    configure_logs(level)
    logger.debug("a")
    log_info("b")
    logger.warning("c")
    log_error("d")
    assert "".join(line["message"] for line in read_lines(capsys)) == written


def test_an_unknown_level_is_refused() -> None:
    """An unknown level is named, with the allowed ones."""
    with pytest.raises(SettingsError, match=r"log_level = 'LOUD': expected DEBUG, INFO"):
        configure_logs("LOUD")


def test_configuring_twice_prints_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A container that serves many invocations writes each line once, although Lambda's own handler
    is on the root logger.
    """
    root = logging.getLogger()
    lambdas = logging.StreamHandler(sys.stdout)
    root.addHandler(lambdas)
    try:
        for _ in range(3):
            configure_logs()
        log_info("once")
    finally:
        root.removeHandler(lambdas)
    assert [line["message"] for line in read_lines(capsys)] == ["once"]


def test_bound_fields_are_in_every_line_inside(
    capsys: pytest.CaptureFixture[str], logger: logging.Logger
) -> None:
    """Bindings nest, inner ones win, the call's own fields win over both, and all end with their
    block, even by an error.
    """
    configure_logs()

    def fail() -> None:
        with bind(step="combine"):
            logger.info("by a function that knows nothing of it")
            log_info("own", step="mine")
            raise KeyError

    with bind(run="r", step="list"):
        with pytest.raises(KeyError):
            fail()
        log_info("outer")
    log_info("outside")
    found = [(line.get("run"), line.get("step")) for line in read_lines(capsys)]
    assert found == [("r", "combine"), ("r", "mine"), ("r", "list"), (None, None)]


def test_a_thread_starts_with_nothing_bound(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bindings belong to a thread, so that two simultaneous groups do not share them; a copied
    context takes them along.
    """
    configure_logs()
    with bind(run="r"):
        copied = contextvars.copy_context()
        for target in (lambda: log_info("bare"), lambda: copied.run(log_info, "given")):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert [(line["message"], line.get("run")) for line in read_lines(capsys)] == [
        ("bare", None),
        ("given", "r"),
    ]


def test_a_lines_own_fields_win(capsys: pytest.CaptureFixture[str]) -> None:
    """No binding or field can disguise an error or change its time."""
    configure_logs()
    with bind(message="other", error="none"):
        log_error("real", AccessDenied("no"), level="INFO", timestamp="1970")
    (line,) = read_lines(capsys)
    assert (line["message"], line["level"], line["error"]) == ("real", "ERROR", "AccessDenied")
    assert line["timestamp"] > "2025"


def test_our_errors_are_logged_with_advice(capsys: pytest.CaptureFixture[str]) -> None:
    """Name, text and advice are fields; the traceback is one text, with its causes."""
    configure_logs()

    def read() -> None:
        raise AccessDenied("GetObject s3://logs/key: AccessDenied", code="AccessDenied")

    try:
        try:
            read()
        except AccessDenied as error:
            raise GroupFailed("the group failed") from error
    except GroupFailed as error:
        log_error("group failed", error, group="g")
    (line,) = read_lines(capsys)
    assert (line["error"], line["error_message"], line["advice"]) == (
        "GroupFailed",
        "the group failed",
        GroupFailed.advice,
    )
    assert line["group"] == "g"
    assert line["traceback"].count("in test_our_errors_are_logged_with_advice") == 2
    assert line["traceback"].count("in read") == 1
    assert "GroupFailed: the group failed\ncaused by\n" in line["traceback"]
    assert line["traceback"].endswith("AccessDenied: GetObject s3://logs/key: AccessDenied")


def test_the_text_of_other_errors_is_not_logged(
    capsys: pytest.CaptureFixture[str], logger: logging.Logger
) -> None:
    """The text of a foreign error can quote a log; its name and place are enough. The same goes for
    its causes.
    """
    configure_logs()
    try:
        try:
            int(SECRET)
        except ValueError as error:
            raise KeyError(SECRET) from error
    except KeyError as error:
        log_error("unexpected", error)
        logger.exception("unexpected")
    for line in read_lines(capsys):
        assert SECRET not in json.dumps(line)
        assert line["error"] == "KeyError"
        assert "error_message" not in line
        assert line["traceback"].endswith("ValueError")


class Lost:
    """Fails where nothing can catch it: when it is freed."""

    def __del__(self) -> None:
        raise ValueError(SECRET)


def end_a_thread() -> None:
    def fail() -> None:
        raise ValueError(SECRET)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def fail_in_a_callback() -> None:
    """libcurl's binding hands what a callback raises to `sys.excepthook`, and continues."""
    sys.excepthook(ValueError, ValueError(SECRET), None)


@pytest.mark.parametrize("lose", [Lost, end_a_thread, fail_in_a_callback])
def test_an_uncaught_error_is_logged_without_its_text(
    lose: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    """Python itself would print it to stderr."""
    configure_logs()
    lose()
    (line,) = read_lines(capsys)
    assert SECRET not in json.dumps(line)
    assert (line["level"], line["error"]) == ("ERROR", "ValueError")


def test_library_warnings_that_quote_headers_are_not_logged() -> None:
    """urllib3 warns of headers that it cannot parse, and quotes them."""
    configure_logs()
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.WARNING)


def test_contents_are_counted_instead_of_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes, and objects that may hold them, do not get into a line, however deep they are."""
    configure_logs()
    data = SECRET.encode()
    log_info("read", data=data, more={"deep": [bytearray(data)]}, body=Body(data), keys={"b", "a"})
    (line,) = read_lines(capsys)
    assert SECRET not in json.dumps(line)
    assert (line["data"], line["body"], line["keys"]) == (
        f"<{len(data)} bytes>",
        "<Body>",
        ["a", "b"],
    )


def test_an_endless_error_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """A recursion, a chain of causes or a long text: the line stays far below CloudWatch's
    limit.
    """
    configure_logs()

    def recurse(depth: int) -> None:
        try:
            recurse(depth - 1) if depth else int("x")
        except Exception as error:
            raise GroupFailed("y" * 1_000_000) from error

    try:
        recurse(100)
    except GroupFailed as error:
        log_error("deep", error)

    # Two by turns: Python prints a frame that calls itself only three times.
    def plunge(depth: int) -> int:
        return rise(depth - 1) if depth else int("x")

    def rise(depth: int) -> int:
        return plunge(depth)

    try:
        plunge(100)
    except ValueError as error:
        log_error("deep", error)
    chained, recursive = read_lines(capsys)
    assert 0 < len(json.dumps(chained)) < 150_000
    assert chained["traceback"].count("caused by") == 4
    assert recursive["traceback"].count(", in ") == 20


def test_logging_imports_only_the_standard_library() -> None:
    """Telemetry imports only the standard library, and only such modules of this package as import
    nothing else.
    """
    program = (
        "import sys; import log_aggregator.telemetry.logs, log_aggregator.telemetry.metrics, "
        "log_aggregator.telemetry.tracing;"
        "print(*sorted(name for name in sys.modules"
        " if name.partition('.')[0] not in sys.stdlib_module_names and not "
        "name.startswith(('_', 'sitecustomize'))))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    wanted = [
        "",
        ".errors",
        ".escapes",
        ".telemetry",
        ".telemetry.logs",
        ".telemetry.metrics",
        ".telemetry.tracing",
    ]
    assert [name for name in output if name.startswith("log_aggregator")] == [
        f"log_aggregator{name}" for name in wanted
    ]
    assert {name.partition(".")[0] for name in output} <= {"log_aggregator"}
