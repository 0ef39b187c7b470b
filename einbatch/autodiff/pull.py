"""The cotangent of a value, pulled through its expression to every read.

One rule for each kind of node: a primitive by the table of partials, a reduction
by the table below. There is no default: what has no rule is an error at its span.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from einbatch.autodiff.activity import differentiable_reads, find_bypassed
from einbatch.autodiff.contribution import Contribution, Flow
from einbatch.autodiff.hoist import is_whole
from einbatch.autodiff.outside import is_outside
from einbatch.autodiff.partials import PARTIALS
from einbatch.diagnostics import fail
from einbatch.ir.build import (
    ONE,
    bracket,
    call,
    choose,
    fresh_index,
    multiply,
    subtract,
)
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
    Tensor,
)
from einbatch.ir.traverse import free_indices, substitute
from einbatch.optimize.definitions import Fresh, find_statement, rename_apart
from einbatch.optimize.recognize import match_log, match_softmax

MOST_FACTORS = 200
"""The most factors of a product that is differentiated: each partial has all the others."""


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor of integers, and the statement that sets it to where an extremum is."""

    tensor: Tensor
    statement: Statement


@dataclass(slots=True)
class Pull:
    """Pulls cotangents through the statements of one program.

    `kept` are tensors whose own cotangent is asked for, so that nothing may bypass
    them; with `textbook`, logarithms of softmax, sigmoid and sums of exponentials
    are differentiated as a whole, as textbooks do. `writes` counts the statements
    of each tensor. New indices go to `indices`, places of extrema to `places`.
    """

    program: Program
    active: Collection[str]
    kept: Collection[str]
    taken: set[str]
    textbook: bool
    writes: Mapping[str, int]
    scope: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    target: str = ""
    indices: list[Index] = field(default_factory=list[Index])
    places: list[Place] = field(default_factory=list[Place])

    def statement(
        self, statement: Statement, cotangent: Expression, scans: tuple[str, ...] = ()
    ) -> Iterator[Contribution]:
        """The contributions of a statement within `scans`, in the order of its reads."""
        self.scope, self.scans, self.target = statement.indices, scans, statement.target
        flow = Flow((("*", cotangent),), negative=statement.operator == "-=")
        output = None
        if is_whole(statement, self.writes):
            output = Read(statement.target, statement.subscripts)
        yield from self.expression(statement.value, flow, output)

    def expression(
        self, node: Expression, flow: Flow, output: Expression | None = None
    ) -> Iterator[Contribution]:
        """The contributions of one expression; `output` is a read of its value, if there is one."""
        if not any(read.tensor in self.active for read in differentiable_reads(node)):
            return
        match node:
            case Read(otherwise=otherwise):
                yield Contribution(node, flow)
                outside = None if otherwise is None else is_outside(self.program, node)
                if otherwise is not None and outside is not None:
                    yield from self.expression(otherwise, flow.where(outside, True))
            case Reduce(reduction=reduction):
                rule = REDUCTION_RULES.get(reduction)
                if rule is None:
                    raise _no_derivative(reduction, node)
                yield from rule(self, node, flow, output)
            case Apply(primitive="select", arguments=(condition, consequent, alternative)):
                yield from self.expression(consequent, flow.where(condition, True), output)
                yield from self.expression(alternative, flow.where(condition, False), output)
            case Apply(primitive="log", arguments=(argument,)) if self.textbook:
                yield from self.logarithm(node, argument, flow)
            case Apply(primitive="div") if self.textbook:
                yield from self.quotient(node, flow, output)
            case Apply():
                yield from self.apply(node, flow, output)
            case _:
                raise _no_derivative("this read", node)

    def apply(self, node: Apply, flow: Flow, output: Expression | None) -> Iterator[Contribution]:
        rule = PARTIALS.get(node.primitive)
        if rule is None:
            raise _no_derivative(node.primitive, node)
        if node.primitive == "mul" and len(node.arguments) > MOST_FACTORS:
            raise _too_long(node)
        partials = rule(node.arguments, node if output is None else output)
        for argument, partial in zip(node.arguments, partials, strict=True):
            if partial is not None:
                yield from self.expression(argument, flow.times(partial))

    def quotient(
        self, node: Apply, flow: Flow, output: Expression | None
    ) -> Iterator[Contribution]:
        """`exp(e)/sum[k](exp(e))` is a softmax, also where its parts have names."""
        softmax = match_softmax(self.program, node)
        if softmax is None or self.bypasses(node, softmax):
            yield from self.apply(node, flow, output)
        else:
            yield from self.expression(softmax, flow, output)

    def logarithm(self, node: Apply, argument: Expression, flow: Flow) -> Iterator[Contribution]:
        """`log` of a softmax, a sigmoid or a sum of exponentials, as a whole."""
        if isinstance(argument, Read):
            found = self.log_of_softmax(argument, flow)
            if found is not None:
                yield from found
                return
        stable = match_log(self.program, argument)
        if stable is not None and self.bypasses(argument, stable):
            stable = None
        if stable is None or (isinstance(stable, Reduce) and stable.reduction == "log_softmax"):
            yield from self.apply(node, flow, None)
        else:
            yield from self.expression(self.apart(stable, (*self.scope, *flow.indices)), flow)

    def apart(self, node: Expression, taken: Collection[str]) -> Expression:
        """The expression, binding none of the indices `taken`: in `log(Z)`, Z may sum over them."""
        fresh: Fresh = {}
        known = replace(self.program, indices=(*self.program.indices, *self.indices))
        renamed = rename_apart(known, node, taken, fresh)
        assert renamed is not None
        for new, old in fresh.items():
            self.taken.add(new)
            self.indices.append(Index(new, Extent(old), self.program.index(old).extent))
        return renamed

    def bypasses(self, expression: Expression, form: Expression) -> bool:
        """True where another form goes past a tensor whose own cotangent is asked for."""
        return any(name in self.kept for name in find_bypassed(self.program, expression, form))

    def log_of_softmax(self, read: Read, flow: Flow) -> Iterator[Contribution] | None:
        """`log(P[b,l])` of `P[b,k] = softmax[k](e)` gives e the flow times `[k = l] - P[b,k]`."""
        statement = find_statement(self.program, read.tensor)
        if statement is None:
            return None
        softmax = match_softmax(self.program, Read(read.tensor, statement.subscripts))
        if softmax is None or len(softmax.indices) != 1 or self.bypasses(read, softmax):
            return None
        (k,) = softmax.indices
        position = statement.subscripts.index(IndexValue(k))
        chosen = read.subscripts[position]
        others = read.subscripts[:position] + read.subscripts[position + 1 :]
        dense = isinstance(chosen, IndexValue) and chosen.index not in free_indices(*others)
        in_scope = k in (*self.scope, *flow.indices) or k in free_indices(*read.subscripts)
        if dense and not flow.conditions:
            place = chosen
        else:
            place = IndexValue(self.renamed(k) if in_scope else k)
        names = (item.index for item in statement.subscripts if isinstance(item, IndexValue))
        subscripts = (*read.subscripts[:position], place, *read.subscripts[position + 1 :])
        body = substitute(softmax.body, dict(zip(names, subscripts, strict=True)))
        own = Read(read.tensor, subscripts)
        if place is chosen:
            (index,) = free_indices(place)
            outer, incoming = flow.taken_apart(index)
            whole = incoming == ONE
            total = self.extent(index) if whole else Reduce("sum", (index,), incoming)
            rest = subtract(incoming, multiply(own, total))
            return self.expression(body, replace(flow, factors=(*outer, ("*", rest))))
        difference = subtract(bracket("eq", place, chosen), own)
        return self.expression(body, flow.within(free_indices(place)).times(difference))

    def place(self, index: str, search: Reduce) -> Read:
        """A read of a new tensor that holds where along `index` an extremum is: `y_u[b,r]`."""
        order = (*self.scans, *self.scope)
        needed = dict.fromkeys((*free_indices(search), *self.scans))
        axes = (*(i for i in order if i in needed), *(i for i in needed if i not in order))
        base = self.target.partition(".grad")[0]
        number, name = 1, f"{base}_{index}"
        while name in self.taken:
            number += 1
            name = f"{base}_{index}{number}"
        self.taken.add(name)
        subscripts = tuple(map(IndexValue, axes))
        extents = tuple(self.known(axis).extent for axis in axes)
        tensor = Tensor(name, "value", extents, integer=True, span=search.span)
        indices = tuple(i for i in axes if i not in self.scans)
        self.places.append(Place(tensor, Statement(name, subscripts, "=", search, indices)))
        return Read(name, subscripts)

    def known(self, index: str) -> Index:
        """An index of the program, or a new one."""
        declared = self.program.find_index(index)
        return declared or next(item for item in self.indices if item.name == index)

    def renamed(self, index: str) -> str:
        """A new index of the same extent."""
        name = fresh_index(index, self.taken)
        self.indices.append(Index(name, Extent(index), self.program.index(index).extent))
        return name

    def extent(self, index: str) -> Extent:
        """An index' extent, by its own name where it has one."""
        own = self.known(index).extent
        for name, extent in self.program.extents:
            if extent == own and isinstance(extent, Extent):
                return Extent(name)
        return Extent(index)


def _sum(pull: Pull, node: Reduce, flow: Flow, output: Expression | None) -> Iterator[Contribution]:
    del output
    return pull.expression(node.body, flow.within(node.indices))


def _mean(
    pull: Pull, node: Reduce, flow: Flow, output: Expression | None
) -> Iterator[Contribution]:
    del output
    for index in node.indices:
        flow = flow.over(pull.extent(index))
    return pull.expression(node.body, flow.within(node.indices))


def _logsumexp(
    pull: Pull, node: Reduce, flow: Flow, output: Expression | None
) -> Iterator[Contribution]:
    del output
    weight = Reduce("softmax", node.indices, node.body)
    return pull.expression(node.body, flow.within(node.indices).times(weight))


def _softmax(
    pull: Pull, node: Reduce, flow: Flow, output: Expression | None
) -> Iterator[Contribution]:
    """P (g - Σ g P), where g is the cotangent that comes in."""
    value = node if output is None else output
    incoming = flow.product()
    total = Reduce("sum", node.indices, multiply(incoming, value))
    new = Flow((("*", value), ("*", subtract(incoming, total))), flow.negative)
    return pull.expression(node.body, new)


def _log_softmax(
    pull: Pull, node: Reduce, flow: Flow, output: Expression | None
) -> Iterator[Contribution]:
    """g - exp(L) Σ g, where g is the cotangent that comes in."""
    value = node if output is None else output
    incoming = flow.product()
    total = Reduce("sum", node.indices, incoming)
    new = Flow((("*", subtract(incoming, multiply(call("exp", value), total))),), flow.negative)
    return pull.expression(node.body, new)


def _prod(
    pull: Pull, node: Reduce, flow: Flow, output: Expression | None
) -> Iterator[Contribution]:
    """The product of all the others, without dividing: zeros are right."""
    del output
    names = {index: IndexValue(pull.renamed(index)) for index in node.indices}
    tests = tuple(call("eq", new, IndexValue(old)) for old, new in names.items())
    same = tests[0] if len(tests) == 1 else Apply("and", tests)
    others = Reduce(
        "prod",
        tuple(new.index for new in names.values()),
        choose(same, ONE, substitute(node.body, names)),
    )
    return pull.expression(node.body, flow.within(node.indices).times(others))


Rule = Callable[[Pull, Reduce, Flow, Expression | None], Iterator[Contribution]]


def _extremum(search: str) -> Rule:
    def rule(
        pull: Pull, node: Reduce, flow: Flow, output: Expression | None
    ) -> Iterator[Contribution]:
        """All of it to the first extremum, in the order of the loops over its indices."""
        del output
        body, several = node.body, len(node.indices) > 1
        for position, index in enumerate(node.indices):
            inner = node.indices[position + 1 :]
            best = Reduce(node.reduction, inner, body) if inner else body
            found = Reduce(search, (index,), best, node.span)
            body = substitute(body, {index: pull.place(index, found) if several else found})
        return pull.expression(body, flow)

    return rule


REDUCTION_RULES: dict[str, Rule] = {
    "sum": _sum,
    "mean": _mean,
    "prod": _prod,
    "max": _extremum("argmax"),
    "min": _extremum("argmin"),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
}
"""`argmax` and `argmin` are constant between jumps: no derivative flows through them."""


def _too_long(node: Apply) -> Exception:
    return fail(
        "E0504",
        f"the derivative of a product of {len(node.arguments)} factors would be too long",
        (node.span, f"{MOST_FACTORS} factors are the most"),
        help="give a part of it a statement of its own, or write `prod[i](…)`",
    )


def _no_derivative(what: str, node: Expression) -> Exception:
    return fail(
        "E0501",
        f"{what} has no derivative",
        (node.span, "differentiated here"),
        help="use a differentiable expression, or keep it out of the objective",
    )
