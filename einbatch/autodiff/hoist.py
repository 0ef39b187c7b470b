"""Parts of nested expressions get names, so that each cotangent is computed once.

Before:

    for b,j: h[b,j] = sigmoid(sum[i](W[j,i]*x[b,i]) - C[j])

After:

    for b,j: h_1[b,j] = sum[i](W[j,i]*x[b,i]) - C[j]
    for b,j: h[b,j]   = sigmoid(h_1[b,j])

Only what carries a derivative is named: an argument of a function that reads two
tensors or computes something itself, a function whose derivative is written with
its output, and a factor that others need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from einbatch.autodiff.activity import differentiable_reads, find_bypassed
from einbatch.autodiff.partials import BY_OUTPUT
from einbatch.ir.build import ZERO, choose, fresh_index, fresh_tensor, names_of
from einbatch.ir.primitives import REDUCTIONS
from einbatch.ir.program import (
    Apply,
    Expression,
    Extent,
    Index,
    IndexValue,
    Program,
    Read,
    Reduce,
    Statement,
    Step,
    Tensor,
)
from einbatch.ir.traverse import free_indices, substitute, walk, written
from einbatch.optimize.recognize import match_log, match_sigmoid, match_softmax

ARITHMETIC = ("add", "mul", "neg", "div", "select", "iverson")
SUMS = ("sum", "mean")


def hoist_nested(program: Program, active: Collection[str], kept: Collection[str] = ()) -> Program:
    """Names the parts of every statement that writes an active tensor.

    The tensors in `kept` need cotangents of their own: no part bypasses them.
    """
    work = _Hoist(program, set(active), kept)
    steps = tuple(new for step in program.statements for new in work.step(step))
    return replace(
        program,
        statements=steps,
        tensors=(*program.tensors, *work.tensors),
        indices=(*program.indices, *work.indices),
    )


class _Hoist:
    def __init__(self, program: Program, active: set[str], kept: Collection[str]) -> None:
        self.program = program
        self.active = active
        self.wanted = kept
        self.taken = names_of(program)
        self.writes = Counter(written(program.statements))
        self.tensors: list[Tensor] = []
        self.before: list[Statement] = []
        self.indices: list[Index] = []
        self.statement: Statement | None = None
        self.conditions: tuple[tuple[Expression, bool], ...] = ()
        self.scope: tuple[str, ...] = ()
        self.scans: tuple[str, ...] = ()
        self.named: dict[Expression, Read] = {}

    def step(self, step: Step) -> list[Step]:
        if not isinstance(step, Statement):
            self.named = {}  # a round's values are not another's
            outer, self.scans = self.scans, (*self.scans, step.index)
            body = tuple(new for inner in step.body for new in self.step(inner))
            self.named, self.scans = {}, outer
            return [replace(step, body=body)]
        if step.target not in self.active:
            return [step]
        self.statement, self.before, self.scope = step, [], (*self.scans, *step.indices)
        at_root = is_whole(step, self.writes)
        value = self.normal(step.value, at_root=at_root)
        return [*self.before, step if value is step.value else replace(step, value=value)]

    def uses(self, expression: Expression) -> int:
        """How many active reads an expression has."""
        return sum(1 for read in differentiable_reads(expression) if read.tensor in self.active)

    def is_complex(self, expression: Expression) -> bool:
        """True where an expression computes more than sums and products of reads."""
        return any(
            isinstance(node, Reduce)
            or (isinstance(node, Apply) and node.primitive not in ARITHMETIC)
            for node in walk(expression)
        )

    def normal(self, node: Expression, *, at_root: bool) -> Expression:
        """The expression with its parts named where they have to be."""
        if self.uses(node) == 0 or isinstance(node, Read):
            return node
        if isinstance(node, Reduce):
            return self.reduction(node, at_root=at_root)
        assert isinstance(node, Apply)
        match node.primitive:
            case "add" | "neg":
                parts = tuple(self.normal(item, at_root=False) for item in node.arguments)
                return replace(node, arguments=parts)
            case "select":
                return self.choice(node, at_root=at_root)
            case "mul":
                return replace(node, arguments=self.factors(node.arguments))
            case "div":
                return self.quotient(node, at_root=at_root)
            case _:
                return self.function(node, at_root=at_root)

    def choice(self, node: Apply, *, at_root: bool) -> Expression:
        """What is named in a branch has a value only where the branch is taken."""
        condition, *branches = node.arguments
        outer = self.conditions
        parts: list[Expression] = []
        for branch, taken in zip(branches, (True, False), strict=True):
            self.conditions = (*outer, (condition, taken))
            parts.append(self.normal(branch, at_root=at_root))
        self.conditions = outer
        return replace(node, arguments=(condition, *parts))

    def factors(self, factors: tuple[Expression, ...]) -> tuple[Expression, ...]:
        """A factor that the others' cotangents need is named where it costs something."""
        plain = [f for f in factors if not any(isinstance(n, Read) for n in walk(f))]
        if len(plain) == len(factors) - 1:
            return tuple(self.normal(factor, at_root=False) for factor in factors)
        active = sum(1 for factor in factors if self.uses(factor))
        return tuple(
            self.factor(factor, others=active > (self.uses(factor) > 0)) for factor in factors
        )

    def factor(self, factor: Expression, *, others: bool) -> Expression:
        needed = self.uses(factor) > 1 and not isinstance(factor, Read)
        if needed or (others and self.is_expensive(factor)):
            return self.hoisted(factor)
        return self.normal(factor, at_root=False)

    def is_expensive(self, factor: Expression) -> bool:
        reduces = any(isinstance(node, Reduce) for node in walk(factor))
        return reduces or (self.uses(factor) > 0 and self.is_complex(factor))

    def quotient(self, node: Apply, *, at_root: bool) -> Expression:
        a, b = node.arguments
        softmax = None if isinstance(a, Read) else match_softmax(self.program, node)
        if softmax is not None and self.may_stand_for(node, softmax):
            return self.reduction(softmax, at_root=at_root)
        logit = None if isinstance(b, Read) else match_sigmoid(self.program, node)
        if logit is not None and self.may_stand_for(node, logit):
            return self.function(Apply("sigmoid", (logit,), node.span), at_root=at_root)
        if self.uses(b) == 0:
            return replace(node, arguments=(self.normal(a, at_root=False), b))
        above = self.hoisted(a) if self.uses(a) > 1 or self.is_expensive(a) else a
        return replace(node, arguments=(above, self.atom(b)))

    def may_stand_for(self, node: Expression, form: Expression) -> bool:
        """True where the other form bypasses no tensor that needs a cotangent of its own."""
        return not any(name in self.wanted for name in find_bypassed(self.program, node, form))

    def function(self, node: Apply, *, at_root: bool) -> Expression:
        if node.primitive == "log" and not isinstance(node.arguments[0], Read):
            stable = match_log(self.program, node.arguments[0])
            if isinstance(stable, Reduce) and self.may_stand_for(node, stable):
                return self.reduction(stable, at_root=at_root)
        once = len(node.arguments) == 1 and node.primitive != "gelu"
        power = node.primitive == "pow" and self.uses(node.arguments[-1]) == 0  # b*a^(b - 1)
        parts = tuple(
            self.argument(item) if once or power else self.atom(item) for item in node.arguments
        )
        new = replace(node, arguments=parts)
        return self.hoisted(new) if node.primitive in BY_OUTPUT and not at_root else new

    def argument(self, argument: Expression) -> Expression:
        if self.uses(argument) > 1 or (self.uses(argument) and self.is_complex(argument)):
            return self.hoisted(argument)
        return argument

    def atom(self, argument: Expression) -> Expression:
        """A read, or something that carries no derivative."""
        if isinstance(argument, Read) or self.uses(argument) == 0:
            return argument
        return self.hoisted(argument)

    def reduction(self, node: Reduce, *, at_root: bool) -> Expression:
        if REDUCTIONS[node.reduction].keeps:
            return self.kept(node, at_root=at_root)
        node = self.renamed(node)
        outer, self.scope = self.scope, (*self.scope, *node.indices)
        if node.reduction in SUMS:
            new = replace(node, body=self.normal(node.body, at_root=False))
        else:
            body = self.atom if node.reduction in ("max", "min") else self.argument
            new = replace(node, body=body(node.body))
        self.scope = outer
        return new

    def kept(self, node: Reduce, *, at_root: bool) -> Expression:
        """A softmax stands alone in its statement; it reads elements that no condition chose."""
        conditions, self.conditions = self.conditions, ()
        new = replace(node, body=self.argument(node.body))
        if conditions or not at_root:
            new = self.hoisted(new)
        self.conditions = conditions
        return new

    def renamed(self, node: Reduce) -> Reduce:
        """The reduction with indices of its own, where it rebinds one of the scope."""
        names = {
            index: fresh_index(index, self.taken) for index in node.indices if index in self.scope
        }
        for old, new in names.items():
            extent = self.program.index(old).extent
            self.indices.append(Index(new, Extent(old), extent, node.span))
        mapping = {old: IndexValue(new) for old, new in names.items()}
        indices = tuple(names.get(index, index) for index in node.indices)
        return replace(node, indices=indices, body=substitute(node.body, mapping))

    def hoisted(self, part: Expression) -> Expression:
        """A read of a new tensor that a statement before this one sets to the part."""
        assert self.statement is not None
        for condition, taken in reversed(self.conditions):
            part = choose(condition, part, ZERO) if taken else choose(condition, ZERO, part)
        if part in self.named:
            return self.named[part]
        conditions, self.conditions = self.conditions, ()
        scope, order = self.scope, self.order(self.statement)
        found = dict.fromkeys((*free_indices(part), *self.scans))
        axes = tuple(sorted(found, key=_position(order)))
        self.scope = axes
        value = self.normal(part, at_root=True)
        name = fresh_tensor(self.statement.target.partition(".grad")[0], self.taken)
        self.active.add(name)
        self.scope, self.conditions = scope, conditions
        subscripts = tuple(map(IndexValue, axes))
        extents = tuple(self.extent(axis) for axis in axes)
        span = self.statement.span
        self.tensors.append(Tensor(name, "value", extents, span=span))
        indices = tuple(axis for axis in axes if axis not in self.scans)
        self.before.append(Statement(name, subscripts, "=", value, indices, span))
        self.named[part] = Read(name, subscripts, None, part.span)
        return self.named[part]

    def order(self, statement: Statement) -> tuple[str, ...]:
        """The order of a part's axes: that of the loop list, in a scan that of the target."""
        if not self.scans:
            return statement.indices
        bare = (s.index for s in statement.subscripts if isinstance(s, IndexValue))
        return tuple(dict.fromkeys((*bare, *statement.indices)))

    def extent(self, index: str) -> Expression:
        own = (item.extent for item in self.indices if item.name == index)
        return next(own, None) or self.program.index(index).extent


def is_whole(statement: Statement, writes: Mapping[str, int]) -> bool:
    """True where a read of the target is the statement's value: it alone writes it, by `=`."""
    bare = all(isinstance(subscript, IndexValue) for subscript in statement.subscripts)
    return statement.operator == "=" and bare and writes[statement.target] == 1


def _position(order: tuple[str, ...]) -> Callable[[str], int]:
    """Sorts the indices of the loop list first, in its order; the others stay behind as found."""
    return lambda index: order.index(index) if index in order else len(order)
