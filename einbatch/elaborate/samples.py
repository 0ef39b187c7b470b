"""Random draws: `mask[b,j] ~ bernoulli(0.9)`, resolved to tensors that are drawn at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches

from einbatch.diagnostics import fail
from einbatch.elaborate.expressions import Resolver
from einbatch.elaborate.statements import target_name
from einbatch.elaborate.wording import counted
from einbatch.ir import Draw, Expression, Tensor
from einbatch.syntax import nodes as tree

SAMPLES: dict[str, tuple[int, str]] = {
    "bernoulli": (1, "`bernoulli(probability)` is 1 with that probability, else 0"),
    "normal": (2, "`normal(mean, standard deviation)`"),
    "uniform": (2, "`uniform(low, high)`"),
}
"""The distributions of random draws: how many arguments, and what they are."""
Constant = Callable[[tree.Expression], Expression]
Loops = tuple[tree.Identifier, ...]


def resolve_samples(
    program: tree.Tree, resolver: Resolver, constant: Constant
) -> Iterator[Callable[[], Tensor]]:
    """For each draw of the program, what gives its tensor (extents come later) or its error."""
    for statement in program.statements:
        for sample, loops in _samples(statement, None):
            yield lambda sample=sample, loops=loops: _tensor(sample, loops, resolver, constant)


def _samples(
    statement: tree.Statement, loops: Loops | None
) -> Iterator[tuple[tree.Sample, Loops | None]]:
    match statement:
        case tree.Sample():
            yield statement, loops
        case tree.For(indices=indices, body=body):
            for inner in body:
                yield from _samples(inner, (*(loops or ()), *indices))
        case tree.Scan(index=index, body=body):
            for inner in body:
                for sample, own in _samples(inner, loops):
                    yield sample, None if own is None else (*own, index)
        case _:
            pass


def _tensor(
    sample: tree.Sample, loops: Loops | None, resolver: Resolver, constant: Constant
) -> Tensor:
    name = target_name(sample.target)
    subscripts = sample.target.subscripts if isinstance(sample.target, tree.Access) else ()
    axes: list[str] = []
    for subscript in subscripts:
        if not isinstance(subscript, tree.Name):
            raise _not_bare(subscript)
        index = resolver.index(subscript.identifier)
        if index in axes:
            raise _not_bare(subscript)
        axes.append(index)
    if loops is not None and {index.key for index in loops} != set(axes):
        raise fail(
            "E0402",
            f"a draw loops over the indices of `{name.key}`, no more and no less",
            (loops[0].span.merge(loops[-1].span), "the loop list"),
            (sample.target.span, "drawn here"),
            help="leave the `for` out, or list the subscripts",
        )
    arguments = tuple(constant(argument) for argument in sample.draw.arguments)
    _check_distribution(sample.draw)
    draw = Draw(sample.draw.distribution, arguments, sample.draw.span)
    return Tensor(name.key, "draw", (), tuple(axes), initial=draw, span=name.span)


def _check_distribution(draw: tree.Draw) -> None:
    if draw.distribution not in SAMPLES:
        near = get_close_matches(draw.distribution, SAMPLES, 1)
        raise fail(
            "E0209",
            f"there is no distribution `{draw.distribution}` to draw from at every step",
            (draw.span, "drawn from here"),
            help=f"did you mean `{near[0]}`?" if near else ", ".join(SAMPLES),
        )
    count, form = SAMPLES[draw.distribution]
    if len(draw.arguments) != count:
        raise fail(
            "E0205",
            f"`{draw.distribution}` takes {counted(count, 'argument')}, "
            f"and gets {len(draw.arguments) or 'none'}",
            (draw.span, "drawn from here"),
            help=form,
        )


def _not_bare(subscript: tree.Expression) -> Exception:
    return fail(
        "E0424",
        "a draw's subscripts are different indices",
        (subscript.span, "not an index of its own"),
        help="draw a whole tensor, and read the elements that you need",
    )
