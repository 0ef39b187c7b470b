"""Sums of products: every product a contraction, every coefficient on its smallest factor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import prod

from einbatch.ir.constants import Value as Exact
from einbatch.ir.constants import as_float
from einbatch.ir.program import Apply, Expression, Reduce
from einbatch.ir.traverse import free_indices, reads
from einbatch.plan.blocks import find_block
from einbatch.plan.contract import contract, multiply_all
from einbatch.plan.graph import Value
from einbatch.plan.lowering import Lowering, Term
from einbatch.plan.one_hot import add_one_hot, find_one_hot
from einbatch.plan.sliding import find_sliding, reduce_in_loops

Lower = Callable[[Lowering, Expression], Term]


@dataclass(frozen=True, slots=True)
class Product:
    """coefficient · factors / divisors, summed over `bound`."""

    coefficient: Exact
    factors: tuple[Expression, ...]
    divisors: tuple[Expression, ...] = ()
    bound: tuple[str, ...] = ()


def products_of(low: Lowering, expression: Expression, bound: Sequence[str]) -> list[Product]:
    """An expression as a sum of products, all summed over `bound`."""
    exact = low.exact(expression)
    if exact is not None:
        return [Product(exact, (), (), tuple(bound))]
    match expression:
        case Apply(primitive="add", arguments=terms):
            return [item for term in terms for item in products_of(low, term, bound)]
        case Apply(primitive="neg", arguments=(inner,)):
            items = products_of(low, inner, bound)
            return [replace(item, coefficient=-item.coefficient) for item in items]
        case Reduce(reduction="sum", indices=indices, body=body) if not (
            set(indices) & {*bound, *low.fixed}
        ):
            return products_of(low, body, (*bound, *indices))
        case _:
            return [replace(_product_of(low, expression), bound=tuple(bound))]


def _product_of(low: Lowering, expression: Expression) -> Product:
    """An expression as one product."""
    exact = low.exact(expression)
    if exact is not None:
        return Product(exact, ())
    match expression:
        case Apply(primitive="mul", arguments=arguments):
            parts = [_product_of(low, argument) for argument in arguments]
            coefficient: Exact = 1
            for part in parts:
                coefficient = _times(coefficient, part.coefficient)
            factors = tuple(factor for part in parts for factor in part.factors)
            return Product(coefficient, factors, tuple(d for part in parts for d in part.divisors))
        case Apply(primitive="neg", arguments=(inner,)):
            part = _product_of(low, inner)
            return replace(part, coefficient=-part.coefficient)
        case Apply(primitive="div", arguments=(above, below)):
            part = _product_of(low, above)
            divisor = low.exact(below)
            if divisor is None or divisor == 0:
                return replace(part, divisors=(*part.divisors, below))
            return replace(part, coefficient=_times(part.coefficient, _inverse(divisor)))
        case _:
            return Product(1, (expression,))


def lower_sum(
    low: Lowering,
    products: Sequence[Product],
    lower: Lower,
    start: Term | None = None,
) -> Term:
    """The sum of the products, on top of `start`."""
    total = start
    for product in products if start is not None else _positive_first(products):
        total = (
            _lower_product(low, product, lower)
            if total is None
            else (_added(low, total, product, lower))
        )
    return low.number(0) if total is None else total


def _added(low: Lowering, total: Term, product: Product, lower: Lower) -> Term:
    """The total with one product more."""
    negative = product.coefficient < 0
    if negative:
        product = replace(product, coefficient=-product.coefficient)
    may_be = not product.bound and low.uses("put_one_hot")
    one_hot = find_one_hot(product.factors, product.divisors) if may_be else None
    if one_hot is not None:
        place = one_hot.place
        rest = (*product.factors[:place], *product.factors[place + 1 :])
        amount = _lower_product(low, replace(product, factors=rest), lower)
        operator = "-=" if negative else "+="
        found = add_one_hot(low, total, one_hot, operator, amount, lower)
        if found is not None:
            return found
    term = _lower_product(low, product, lower)
    return low.pointwise("subtract" if negative else "add", low.as_float(total), term)


def _positive_first(products: Sequence[Product]) -> list[Product]:
    """The products, one to start from first that need not be negated."""
    place = next((k for k, item in enumerate(products) if item.coefficient > 0), 0)
    return [*products[place : place + 1], *products[:place], *products[place + 1 :]]


def _lower_product(low: Lowering, product: Product, lower: Lower) -> Term:
    expressions = (*product.factors, *product.divisors)
    rounds = _rounds_at_once(low, expressions) if product.bound else ()
    if rounds:
        with low.unfixed(rounds):
            term = _lower_product(low, product, lower)
        for name in rounds:
            term = low.at_round(term, name)
        return term
    looped = find_sliding(low, expressions, product.bound) if product.bound else ()
    if looped:
        block = find_block(low, expressions, product.bound)
        if block is not None:
            return _in_loops(low, product, (block,), _contracted, lower)
        return _in_loops(low, product, looped, _lower_product, lower)
    return _contracted(low, product, lower)


def _contracted(low: Lowering, product: Product, lower: Lower) -> Term:
    """The product as one contraction."""
    coefficient = product.coefficient
    factors: list[Term] = []
    for expression in product.factors:
        term = lower(low, expression)
        constant = low.constant_of(term)
        if constant is None:
            factors.append(low.as_float(term) if low.kind(term) == "int" else term)
        else:
            coefficient = _times(coefficient, constant)
    divisors = [low.as_float(lower(low, expression)) for expression in product.divisors]
    within, outside = _divide_inside(low, divisors, product.bound)
    factors += within
    touched = {name for term in factors for name in term.axes}
    missing = [name for name in product.bound if name not in touched]
    coefficient = _times(coefficient, prod(low.shape(missing)))
    bound = [name for name in product.bound if name in touched]
    result = low.as_float(_scaled_product(low, coefficient, factors, bound))
    for divisor in outside:
        result = low.pointwise("divide", result, divisor)
    return result


def _rounds_at_once(low: Lowering, expressions: Sequence[Expression]) -> tuple[str, ...]:
    """The scans around for all of whose rounds a product can be contracted at once."""
    inside = free_indices(*expressions)
    names = tuple(name for name in low.scanned if name in low.fixed and name in inside)
    if not names or low.guards or not low.uses("lift_products"):
        return ()
    first = min(low.fixed[name] for name in names)
    operands = {read.tensor for expression in expressions for read in reads(expression)}
    known = all(low.graph.scopes[low.current[name]] < first for name in operands)
    return names if known else ()


def _in_loops(
    low: Lowering,
    product: Product,
    looped: tuple[str, ...],
    lower_part: Callable[[Lowering, Product, Lower], Term],
    lower: Lower,
) -> Term:
    """The product, one part of its sum or of its result a round."""
    names = low.free(free_indices(*product.factors, *product.divisors))
    axes = low.ordered(name for name in names if name not in product.bound)
    bound = tuple(name for name in product.bound if name not in looped)
    inner = replace(product, bound=bound)
    return reduce_in_loops(low, looped, axes, "+=", lambda: lower_part(low, inner, lower))


def _divide_inside(
    low: Lowering, divisors: Sequence[Term], bound: Sequence[str]
) -> tuple[list[Term], list[Term]]:
    """Divisors over bound indices become factors; the others divide the sum."""
    inside = [term for term in divisors if set(term.axes) & set(bound)]
    factors = [low.pointwise("divide", low.number(1), term) for term in inside]
    return factors, [term for term in divisors if term not in inside]


def _scaled_product(
    low: Lowering, coefficient: Exact, factors: Sequence[Term], bound: Sequence[str]
) -> Term:
    if not factors:
        return low.number(coefficient)
    scaled, rest = _scale_smallest(low, coefficient, factors, bound)
    result = contract(low, scaled, bound) if bound else multiply_all(low, scaled)
    return scale(low, result, rest)


def _scale_smallest(
    low: Lowering, coefficient: Exact, factors: Sequence[Term], bound: Sequence[str]
) -> tuple[list[Term], Exact]:
    """The coefficient applied to the smallest factor, or left for a smaller result."""
    if coefficient == 1 or not low.uses("scale_smallest"):
        return list(factors), coefficient
    for place, term in enumerate(factors):
        known = _find_scaled(low, term, coefficient)
        if known is not None:
            return [*factors[:place], known, *factors[place + 1 :]], 1
    axes = {name for term in factors for name in term.axes if name not in bound}
    sizes = [low.graph[term.value].size for term in factors]
    place = sizes.index(min(sizes))
    if prod(low.shape(axes)) < sizes[place]:
        return list(factors), coefficient
    scaled = scale(low, factors[place], coefficient)
    return [*factors[:place], scaled, *factors[place + 1 :]], 1


def scale(low: Lowering, term: Term, coefficient: Exact) -> Term:
    """The term times a number."""
    if coefficient == 1:
        return term
    if coefficient == -1:
        return low.pointwise("negative", low.as_float(term))
    return low.pointwise("multiply", low.as_float(term), low.number(coefficient))


def _find_scaled(low: Lowering, term: Term, coefficient: Exact) -> Term | None:
    """The term times a number, where another statement has computed that already."""
    shape = low.graph[term.value].shape
    arguments = (term.value, low.number(coefficient).value)
    if not shape:
        arguments = (min(arguments), max(arguments))
    known = low.graph.find(Value("multiply", arguments, (), shape, "float"))
    return None if known is None else Term(known, term.axes)


def _times(a: Exact, b: Exact) -> Exact:
    if isinstance(a, float) or isinstance(b, float):
        return as_float(a) * as_float(b)
    return a * b


def _inverse(a: Exact) -> Exact:
    return 1 / a if isinstance(a, float) else Fraction(1) / Fraction(a)
