"""What writing a module carries along: the name of each value, and lines for its set-up."""

from __future__ import annotations

from einbatch.backends.numpy.names import Names
from einbatch.backends.numpy.rounds import Frame, Moving
from einbatch.backends.numpy.views import view_expression
from einbatch.plan.describe import one_line
from einbatch.plan.graph import Shape, Value, contiguous, view_attributes
from einbatch.plan.operations import POINTWISE
from einbatch.plan.plan import Operand, Plan

UNSEEN = frozenset({"view", "constant", "range", "carry", "exit"})
"""Operations that take no line of a step."""


class Writer:
    """The names given so far, and the lines that run once.

    `buffers` make memory, `setup` fills what is the same at every call, `views`
    look at memory in other ways.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.names = Names()
        self.targets = dict(plan.targets)
        self.owners: dict[str, str] = {}
        self.buffers: list[str] = []
        self.setup: list[str] = []
        self.views: list[str] = []
        self.frames: list[Frame] = []
        self.moved = {} if "put_directly" in plan.without else find_moved(plan)
        """Values that an update puts somewhere, with that update: computed there at once."""
        self._known: dict[int, str] = {}
        self._views: dict[Moving, str] = {}

    def name(self, number: int) -> str:
        """A value's variable."""
        return self._known[number]

    def name_input(self, operand: Operand) -> None:
        """A variable for what is passed in."""
        name = self.names.fresh(operand.name)
        self._known[operand.value] = name
        if self.plan.buffers[operand.value].place == "owned":
            self.owners[operand.name] = name

    def alias(self, number: int, of: int) -> None:
        """Another value's variable."""
        self._known[number] = self._known[of]

    def dtype(self, value: Value) -> str:
        names = {"int": "np.int64", "bool": "np.bool_", "float": f"np.{self.plan.dtype}"}
        return names[value.kind]

    def define(self, number: int) -> str:
        """A variable for a value with memory, and the line that gives it this memory."""
        value, buffer = self.plan.values[number], self.plan.buffers[number]
        if self.plan.roots[number] != number:
            self.alias(number, value.arguments[0])
            return self._known[number]
        target = self.targets.get(number)
        if buffer.onto is not None and (target is None or buffer.place == "owned"):
            self._known[number] = self._known[buffer.onto]
            return self._known[number]
        if buffer.place == "owned":
            self._known[number] = self.owners[buffer.owner]
            return self._known[number]
        name = self.names.fresh(target or "t")
        self._known[number] = name
        if buffer.onto is not None:
            self.views.append(f"{name} = {self._known[buffer.onto]}")
        elif buffer.place == "output":
            self.buffers.append(f"{name} = np.empty({value.shape}, {self.dtype(value)})")
        elif buffer.place == "constant":
            self.setup.append(f"{name} = np.empty({value.shape}, {self.dtype(value)})")
        else:
            start, stop = buffer.offset, buffer.offset + buffer.size
            shape = ", ".join(map(str, value.shape)) or "()"
            self.views.append(
                f"{name} = arena[{start}:{stop}].view({self.dtype(value)}).reshape({shape})"
            )
        return name

    def define_output(self, number: int) -> tuple[str, list[str]]:
        """A variable for a value that an operation writes; lines to take it, if need be."""
        if number not in self.moved:
            return self.define(number), []
        update = self.moved[number]
        self.alias(update, self.plan.values[update].arguments[0])
        value = self.plan.values[update]
        return self.view_of(update, self.plan.values[number].shape, *view_attributes(value, 2))

    def constant(self, number: int, expression: str) -> None:
        """A variable for a value that an expression gives, once."""
        name = self.names.fresh("k" if self.plan.values[number].shape == () else "n")
        self._known[number] = name
        self.setup.append(f"{name} = {expression}")

    def view(self, number: int) -> list[str]:
        """A variable for a view; its line, where it must be taken anew at each call."""
        value = self.plan.values[number]
        place = view_attributes(value)
        self._known[number], lines = self.view_of(value.arguments[0], value.shape, *place)
        return lines

    def view_of(
        self,
        number: int,
        shape: Shape,
        strides: Shape,
        offset: int,
        steps: Shape = (),
        guards: tuple[Shape, ...] = (),
    ) -> tuple[str, list[str]]:
        """The variable of a view of a value's memory, and its line if it is taken in the step."""
        root, of = self._known[number], self.plan.values[number].shape
        view = Moving(root, of, shape, strides, offset, steps, guards)
        known = self._views.get(view)
        if known is not None:
            return known, []
        if steps or guards:
            return self._moving(number, view), []
        expression = view_expression(root, of, shape, strides, offset)
        if expression == root:
            return root, []
        name = self.names.fresh(f"{root}_T" if expression.endswith(".T") else f"{root}_v")
        self._views[view] = name
        line = f"{name} = {expression}"
        if self._enters(number):
            return name, [line]
        self._outside(number).append(line)
        return name, []

    def _moving(self, number: int, view: Moving) -> str:
        """The variable that a view has in a round."""
        loops = view.loops()
        frames = [frame for frame in self.frames if frame.loop in loops]
        name = self.names.fresh(f"{view.root}_all")
        line = f"{name} = {view.lists(frames)}"
        (self.frames[0].before if self._enters(number) else self._outside(number)).append(line)
        for frame in frames:
            own = self.names.fresh(f"{view.root}_{'v' if frame is frames[-1] else 'some'}")
            frame.lists.append((own, name))
            name = own
        self._views[view] = name
        return name

    def _enters(self, number: int) -> bool:
        """True where a value's memory is another one at each call."""
        return self.plan.buffers[self.plan.roots[number]].place == "input"

    def _outside(self, number: int) -> list[str]:
        return self.setup if self.plan.constant[self.plan.roots[number]] else self.views

    def flat(self, number: int, piece: int = 1) -> str:
        """The variable of a value's memory as one axis, or as rows of some length."""
        size = self.plan.values[number].size
        shape = (size,) if piece == 1 else (size // piece, piece)
        return self.view_of(number, shape, contiguous(shape), 0)[0]


def find_moved(plan: Plan) -> dict[int, int]:
    """The values that are computed only to be put, or products to be added, to carried memory."""
    uses = [0] * len(plan.values)
    for value in plan.values:
        for argument in value.arguments:
            uses[plan.roots[argument]] += 1
    for operand in (*plan.outputs, *plan.written):
        uses[plan.roots[operand.value]] += 1
    moved: dict[int, int] = {}
    computed = -1
    for number, value in enumerate(plan.values):
        if value.operation in UNSEEN:
            continue
        if value.operation == "update" and value.attributes[0] in ("=", "+=", "-="):
            new = value.arguments[1]
            inside = plan.roots[number] != number and not view_attributes(value, 2)[3]
            if inside and new == computed and uses[new] == 1 and _may_move(plan, new, number):
                moved[new] = number
        computed = number
    return moved


def _may_move(plan: Plan, number: int, update: int) -> bool:
    """True where an operation can write to the memory that an update would."""
    value, into = plan.values[number], plan.values[update]
    if value.shape != into.attributes[1] or plan.roots[number] != number:
        return False
    if value.operation == "matmul":
        return view_attributes(into, 2)[0] == contiguous(value.shape)
    if into.attributes[0] != "=":
        return False
    return value.operation in POINTWISE and value.operation != "where"


def shown(text: str) -> str:
    """A user's text, fit to stand in a comment."""
    return one_line(text)
