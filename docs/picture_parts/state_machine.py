"""A state machine, drawn from its definition: states from top to bottom, branches side by side,
what a map runs inside of it.

The spine of a machine is its longest way from the start to an end; states that are not on it stand
on its right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from picture_parts.drawing import (
    BAD,
    CHOICE,
    GOOD,
    INNER,
    MUTED,
    PLAIN,
    STATE,
    Drawing,
    Look,
    text_width,
    wrap,
)

GAP_Y, GAP_X, PADDING, TITLE = 26.0, 34.0, 16.0, 44.0
BOX_WIDTH, BOX_HEIGHT = 196.0, 46.0
MARGIN, HEAD = 28.0, 64.0
BUS = 16.0
"""Distance from the states of the lines that skip some."""


@dataclass(slots=True)
class Shape:
    """A state, with its size; `x` and `y` are set when it is placed."""

    name: str
    state: Mapping[str, Any]
    inner: list[Machine] = field(default_factory=list)
    width: float = BOX_WIDTH
    height: float = BOX_HEIGHT
    x: float = 0.0
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def center_y(self) -> float:
        """Where lines from and to its sides end: of a container, the middle of its title."""
        return self.y + (TITLE if self.inner else self.height) / 2


@dataclass(slots=True)
class Machine:
    """A machine or a part of one: a branch, what a map runs."""

    states: Mapping[str, Mapping[str, Any]]
    spine: list[Shape]
    side: list[Shape]
    width: float = 0.0
    height: float = 0.0

    def find(self, name: str) -> Shape:
        return next(shape for shape in (*self.spine, *self.side) if shape.name == name)


def draw_state_machines(definitions: Mapping[str, Mapping[str, Any]]) -> str:
    """All of them side by side, each under its name."""
    drawing = Drawing(
        "The state machines",
        "Every state of "
        + " and of ".join(definitions)
        + ": for each work item, verification follows combining, and deletion follows "
        "verification.",
    )
    x, bottom = MARGIN, 0.0
    for name, definition in definitions.items():
        machine = measure(definition)
        width = max(machine.width, 330.0)
        drawing.text(x, MARGIN + 10, name, size=17, bold=True)
        drawing.texts(
            x,
            MARGIN + 30,
            wrap(definition["Comment"].partition(" Input:")[0].partition(": {")[0], width, 12),
        )
        place(machine, x, MARGIN + HEAD)
        paint(drawing, machine)
        x += width + 2 * MARGIN
        bottom = max(bottom, MARGIN + HEAD + machine.height)
    legend = "Dashed: what happens after an error. Every task is retried after temporary errors."
    drawing.text(MARGIN, bottom + 30, legend, color=MUTED)
    return drawing.render(x - MARGIN, bottom + 30 + MARGIN)


def measure(definition: Mapping[str, Any]) -> Machine:
    """The machine with all sizes; nothing is placed yet."""
    states = definition["States"]
    names = longest_way(states, definition["StartAt"])
    machine = Machine(
        states,
        [_shape(name, states[name]) for name in names],
        [_shape(name, states[name]) for name in states if name not in names],
    )
    spine_width = max(shape.width for shape in machine.spine)
    machine.width = spine_width
    if _skips(machine):
        machine.width += BUS
    if machine.side:
        machine.width += GAP_X + max(shape.width for shape in machine.side)
    machine.height = sum(shape.height for shape in machine.spine) + GAP_Y * (len(machine.spine) - 1)
    return machine


def longest_way(
    states: Mapping[str, Mapping[str, Any]], start: str, before: tuple[str, ...] = ()
) -> list[str]:
    """States from the start to an end, errors and ways back left out; of equally long ways the one
    that is named first. A way that ends with an error is no better than any other.
    """
    path = (*before, start)
    following = [name for name in successors(states[start]) if name not in path]
    ways = [longest_way(states, name, path) for name in following]
    return [start, *max(ways, key=lambda way: _length(states, way), default=[])]


def _length(states: Mapping[str, Mapping[str, Any]], way: Sequence[str]) -> tuple[int, bool]:
    return len(way), states[way[-1]]["Type"] != "Fail"


def successors(state: Mapping[str, Any]) -> Iterator[str]:
    """Where a state leads when all goes well."""
    yield from (rule["Next"] for rule in state.get("Choices", ()))
    yield from (state[name] for name in ("Default", "Next") if name in state)


def place(machine: Machine, x: float, y: float) -> None:
    """Gives all shapes their places, `x` and `y` being the top left of the machine."""
    left = x + (BUS if _skips(machine) else 0)
    spine_width = max(shape.width for shape in machine.spine)
    top = y
    for shape in machine.spine:
        shape.x, shape.y = left + (spine_width - shape.width) / 2, top
        top += shape.height + GAP_Y
        inner_width = sum(part.width for part in shape.inner) + GAP_X * (len(shape.inner) - 1)
        inner_x = shape.x + (shape.width - inner_width) / 2
        for part in shape.inner:
            place(part, inner_x, shape.y + TITLE)
            inner_x += part.width + GAP_X
    for shape in machine.side:
        beside = _beside(machine, shape)
        shape.x, shape.y = left + spine_width + GAP_X, beside.center_y - shape.height / 2


def paint(drawing: Drawing, machine: Machine) -> None:
    for shape in (*machine.spine, *machine.side):
        _paint_shape(drawing, shape)
        for part in shape.inner:
            paint(drawing, part)
    for shape in machine.spine:
        for name in successors(shape.state):
            _paint_arrow(drawing, machine, shape, machine.find(name))
        # An error that goes the same way as success needs no line of its own.
        for name in caught(shape.state):
            if name not in successors(shape.state):
                _paint_catch(drawing, shape, machine.find(name))
    for shape in machine.side:
        for name in caught(shape.state):
            _paint_return(drawing, shape, machine.find(name))


def _shape(name: str, state: Mapping[str, Any]) -> Shape:
    shape = Shape(name, state)
    parts = list(state.get("Branches", ()))
    if "ItemProcessor" in state:
        parts = [state["ItemProcessor"]]
    if parts:
        shape.inner = [measure(part) for part in parts]
        title_width = max(text_width(shape.name, 13), text_width(_subtitle(shape), 11))
        inner_width = sum(part.width for part in shape.inner) + GAP_X * (len(shape.inner) - 1)
        shape.width = 2 * PADDING + max(inner_width, title_width)
        shape.height = TITLE + max(part.height for part in shape.inner) + PADDING
    elif state["Type"] in ("Succeed", "Pass", "Fail"):
        shape.width, shape.height = max(108.0, text_width(name, 12) + 20), 38.0
    else:
        shape.width = max(
            BOX_WIDTH, text_width(_subtitle(shape), 11) + 20, text_width(name, 13) + 20
        )
    return shape


def _skips(machine: Machine) -> list[tuple[Shape, Shape]]:
    """Ways along the spine that leave out states of it, or lead back."""
    places = {shape.name: number for number, shape in enumerate(machine.spine)}
    return [
        (shape, machine.spine[places[name]])
        for shape in machine.spine
        for name in successors(shape.state)
        if name in places and places[name] != places[shape.name] + 1
    ]


def _beside(machine: Machine, side: Shape) -> Shape:
    """The state next to which a side state is drawn: the choice that leads to it, or the state
    before the one that it leads to, else the end.
    """
    for before, shape in zip([machine.spine[0], *machine.spine], machine.spine, strict=False):
        if side.name in successors(shape.state):
            return shape
        if shape.name in caught(side.state):
            return before
    return machine.spine[-1]


def caught(state: Mapping[str, Any]) -> list[str]:
    """Where a state leads after an error."""
    return [catcher["Next"] for catcher in state.get("Catch", ())]


def _paint_shape(drawing: Drawing, shape: Shape) -> None:
    look = _look(shape)
    drawing.box(shape.x, shape.y, shape.width, shape.height, look)
    if shape.inner:
        drawing.text(shape.x + PADDING, shape.y + 19, shape.name, size=13, bold=True)
        drawing.text(shape.x + PADDING, shape.y + 35, _subtitle(shape), size=11, color=MUTED)
        return
    subtitle = _subtitle(shape)
    drawing.text(
        shape.middle,
        shape.y + shape.height / 2 + (-3 if subtitle else 4),
        shape.name,
        size=13,
        bold=True,
        color=look.title,
        anchor="middle",
    )
    if subtitle:
        drawing.text(
            shape.middle,
            shape.y + shape.height / 2 + 13,
            subtitle,
            size=11,
            color=MUTED,
            anchor="middle",
        )


def _subtitle(shape: Shape) -> str:
    state = shape.state
    if state["Type"] == "Parallel":
        return str(state["Comment"]).partition(". ")[0].rstrip(".")
    if state["Type"] == "Map":
        bound = str(state["MaxConcurrencyPath"]).removeprefix("$.")
        return f"for each, {bound} at a time"
    if state["Type"] == "Choice":
        return _condition(state["Choices"][0])
    if "startExecution" in str(state.get("Resource", "")):
        return "runs " + _names(str(state["Parameters"]["StateMachineArn"]))
    return _names(str(state.get("Parameters", {}).get("FunctionName", "")))


def _condition(rule: Mapping[str, Any]) -> str:
    rule = rule.get("And", [rule])[-1]
    variable = str(rule["Variable"]).removeprefix("$.")
    if "IsPresent" in rule:
        return variable
    if "BooleanEquals" in rule:
        return variable if rule["BooleanEquals"] else f"not {variable}"
    return f"{variable} > {rule['NumericGreaterThan']}"


def _answer(choice: Mapping[str, Any], name: str) -> str:
    """What is said to the first condition, or another condition."""
    first, *others = choice["Choices"]
    if name == first["Next"]:
        return "yes"
    return next((_condition(rule) for rule in others if rule["Next"] == name), "no")


def _names(text: str) -> str:
    return re.sub(r"\$\{(\w+?)(?:Arn)?\}", r"\1", text)


def _look(shape: Shape) -> Look:
    if shape.state["Type"] == "Parallel":
        return PLAIN
    if shape.state["Type"] == "Map":
        return INNER
    if shape.state["Type"] == "Choice":
        return CHOICE
    if "Delete" in shape.name or "Error" in shape.name or "Failed" in shape.name:
        return BAD
    return GOOD if "Verify" in shape.name else STATE


def _paint_arrow(drawing: Drawing, machine: Machine, start: Shape, end: Shape) -> None:
    answer = ""
    if start.state["Type"] == "Choice":
        answer = _answer(start.state, end.name)
    if end in machine.side:
        right = start.x + start.width
        drawing.arrow([(right, start.center_y), (end.x, end.center_y)])
        drawing.text(
            (right + end.x) / 2 - 4,
            start.center_y - 5,
            answer,
            size=11,
            color=MUTED,
            anchor="middle",
        )
    elif (start, end) in _skips(machine):
        x = min(shape.x for shape in machine.spine) - BUS
        drawing.arrow(
            [
                (start.x, start.center_y),
                (x, start.center_y),
                (x, end.center_y),
                (end.x, end.center_y),
            ]
        )
        drawing.text(start.x - 10, start.center_y - 5, answer, size=11, color=MUTED, anchor="end")
    else:
        bottom = start.y + start.height
        drawing.arrow([(start.middle, bottom), (end.middle, end.y)])
        drawing.text(start.middle + 7, bottom + 15, answer, size=11, color=MUTED)


def _paint_return(drawing: Drawing, start: Shape, end: Shape) -> None:
    """From a state at the side back to one that is lower: down, and to the left."""
    drawing.arrow(
        [
            (start.middle, start.y + start.height),
            (start.middle, end.center_y),
            (end.x + end.width, end.center_y),
        ],
        dashed=True,
    )


def _paint_catch(drawing: Drawing, start: Shape, end: Shape) -> None:
    """To a state at the side: out to the right, down to its top. A state that is as high as the
    start is met from the left, one below it from the right.
    """
    y, right = start.center_y, max(start.x + start.width, end.x + end.width) + BUS
    if end.x < start.x + start.width:
        drawing.arrow(
            [
                (start.x + start.width, y),
                (right, y),
                (right, end.center_y),
                (end.x + end.width, end.center_y),
            ],
            dashed=True,
        )
    elif end.y <= y <= end.y + end.height:
        drawing.arrow([(start.x + start.width, y), (end.x, y)], dashed=True)
    else:
        drawing.arrow(
            [(start.x + start.width, y), (end.middle, y), (end.middle, end.y)], dashed=True
        )
