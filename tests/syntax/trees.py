"""Random trees: everything that the parser can produce, from the smallest up."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from einbatch.syntax import nodes as n
from einbatch.syntax.spelling import key_of

NAMES = ("x", "W", "W⁰", "W₁", "h̃", "ŷ", "y'", "z″", "β", "loss", "T.grad", "h̃.grad2", "_t", "Σa")
TENSORS = (*NAMES, "σ", "relu", "exp", "π")
INDICES = ("b", "i", "j", "k", "ŷ", "t'")
FUNCTIONS = ("exp", "log", "sigmoid", "max", "min", "clamp", "mod", "stop")
REDUCTIONS = ("sum", "prod", "mean", "max", "softmax", "log_softmax", "argmax")
NUMERALS = ("0", "1", "3000", "0.20", "1e-7", ".5", "2.", "1.5E+3")


def _identifiers(spellings: tuple[str, ...]) -> st.SearchStrategy[n.Identifier]:
    return st.sampled_from([n.Identifier(key_of(item), item) for item in spellings])


names = _identifiers(NAMES)
indices = _identifiers(INDICES)
index_lists = st.lists(indices, min_size=1, max_size=3).map(tuple)
axes = st.lists(indices, max_size=3).map(tuple)


def _leaves() -> st.SearchStrategy[n.Expression]:
    return st.one_of(
        st.sampled_from(NUMERALS).map(n.Number),
        names.map(n.Name),
        st.sampled_from(["inf", "pi"]).map(lambda key: n.Name(n.Identifier(key))),
        indices.map(n.ExtentOf),
    )


def _several(inner: st.SearchStrategy[n.Expression]) -> st.SearchStrategy[tuple[n.Expression, ...]]:
    return st.lists(inner, min_size=2, max_size=3).map(tuple)


def _signed(inner: st.SearchStrategy[n.Expression], signs: str) -> st.SearchStrategy[tuple]:
    pairs = st.lists(st.tuples(st.sampled_from(signs), inner), min_size=2, max_size=4)
    return pairs.map(lambda items: ((signs[0], items[0][1]), *items[1:]))


def _extend(inner: st.SearchStrategy[n.Expression]) -> st.SearchStrategy[n.Expression]:
    arguments = st.lists(inner, min_size=1, max_size=3).map(tuple)
    guarded = st.builds(n.Otherwise, st.builds(n.Access, names, arguments), inner)
    return st.one_of(
        guarded,
        st.builds(n.Access, _identifiers(TENSORS), arguments),
        _signed(inner, "+-").map(n.Sum),
        _signed(inner, "*/").map(n.Product),
        inner.map(n.Negate),
        st.builds(n.Power, inner, inner),
        st.builds(n.Call, st.sampled_from(FUNCTIONS), arguments),
        st.builds(n.Reduction, st.sampled_from(REDUCTIONS), index_lists, inner),
        st.builds(n.If, inner, inner, inner),
        st.builds(n.Compare, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), inner, inner),
        st.builds(n.Logic, st.sampled_from(["and", "or"]), _several(inner)),
        inner.map(n.Not),
        inner.map(n.Iverson),
    )


expressions = st.recursive(_leaves(), _extend, max_leaves=16)


def _is_list(items: tuple[n.Expression | n.Elements, ...]) -> bool:
    """`[c]` with a condition alone is an Iverson bracket, not a list."""
    return len(items) > 1 or not isinstance(items[0], n.Compare | n.Logic | n.Not)


elements = st.recursive(
    st.lists(expressions, min_size=1, max_size=3).map(tuple).filter(_is_list).map(n.Elements),
    lambda inner: (
        st.lists(inner | expressions, min_size=1, max_size=3)
        .map(tuple)
        .filter(_is_list)
        .map(n.Elements)
    ),
    max_leaves=4,
)
values = expressions | elements
targets = st.builds(n.Access, names, st.lists(expressions, min_size=1, max_size=3).map(tuple))
targets = targets | names.map(n.Name)
operators = st.sampled_from(["=", "+=", "-=", "*=", "max=", "min="])
accesses = st.builds(n.Access, names, st.lists(expressions, min_size=1, max_size=3).map(tuple))
partial_writes = st.builds(n.Assign, accesses, operators, expressions, partial=st.just(True))
samples = st.builds(
    n.Sample,
    targets,
    st.builds(
        n.Draw,
        st.sampled_from(["bernoulli", "normal", "uniform"]),
        st.lists(expressions, max_size=2).map(tuple),
    ),
)
assignments = st.builds(n.Assign, targets, operators, expressions) | partial_writes | samples


def _blocks(inner: st.SearchStrategy[n.Statement]) -> st.SearchStrategy[tuple[n.Statement, ...]]:
    return st.lists(inner, min_size=1, max_size=3).map(tuple)


loops = st.recursive(
    st.builds(n.For, index_lists, _blocks(assignments)),
    lambda inner: st.builds(n.For, index_lists, _blocks(assignments | inner)),
    max_leaves=4,
)
scans = st.recursive(
    st.builds(n.Scan, indices, st.booleans(), _blocks(assignments | loops)),
    lambda inner: st.builds(n.Scan, indices, st.booleans(), _blocks(assignments | loops | inner)),
    max_leaves=3,
)
groups = st.builds(n.IndexGroup, index_lists, expressions)
draws = st.builds(
    n.Draw,
    st.sampled_from(["normal", "uniform", "he"]),
    st.lists(expressions, max_size=2).map(tuple),
)
options = st.lists(
    st.builds(n.Option, st.sampled_from(["lr", "momentum", "batch", "seed"]), expressions),
    max_size=3,
).map(tuple)
sources = st.text(
    st.characters(min_codepoint=32, exclude_characters='"', exclude_categories=["C", "Z"])
)
statements = st.one_of(
    assignments,
    loops,
    scans,
    st.builds(n.Batch, indices, st.none() | expressions),
    st.lists(groups, min_size=1, max_size=3).map(tuple).map(n.Indices),
    st.builds(n.Let, names, expressions),
    st.builds(n.Input, names, axes, st.none() | indices, st.none() | values),
    st.builds(n.Input, names, axes, st.none() | indices, st.none(), sources),
    st.builds(n.Param, names, axes, draws | values),
    st.builds(n.State, names, axes, values),
    st.sampled_from(["float32", "float64"]).map(n.Dtype),
    st.builds(n.Minimize, st.sampled_from(["minimize", "maximize"]), targets),
    st.builds(n.Report, names, expressions),
    st.builds(n.Train, st.sampled_from(["sgd", "adam"]), options, options),
    st.builds(n.Train, st.none(), st.just(()), options),
)
trees = st.lists(statements, max_size=5).map(tuple).map(n.Tree)

FUNCTIONS_OF_ITS_OWN = ("swish", "gelu", "Φ")
LAYERS_OF_ITS_OWN = ("affine", "σ2", "norm'")
arguments = st.lists(expressions, min_size=1, max_size=3).map(tuple)
calls = st.one_of(
    st.builds(n.Call, st.sampled_from([key_of(name) for name in FUNCTIONS_OF_ITS_OWN]), arguments),
    st.builds(
        n.Call,
        st.sampled_from([key_of(name) for name in LAYERS_OF_ITS_OWN]),
        arguments,
        index_lists,
    ),
)


@st.composite
def trees_with_definitions(draw: Callable) -> n.Tree:
    """A tree that defines all of its own functions, and calls some of them."""
    own = [
        n.Def(n.Identifier(key_of(name), name), (), (X.identifier,), draw(expressions))
        for name in FUNCTIONS_OF_ITS_OWN
    ]
    own += [
        n.Def(n.Identifier(key_of(name), name), draw(index_lists), draw(index_lists), X)
        for name in LAYERS_OF_ITS_OWN
    ]
    inner = draw(calls)
    outer = draw(st.sampled_from(CONTEXTS))(inner)
    statements = [*own, n.Assign(Y, "=", outer), n.Let(X.identifier, inner)]
    return n.Tree(tuple(draw(st.permutations(statements))))


X, Y = (n.Name(n.Identifier(key)) for key in "xy")

CONTEXTS: tuple[Callable[[n.Expression], n.Expression], ...] = (
    lambda e: n.Access(X.identifier, (e, Y)),
    lambda e: n.Sum((("+", e), ("-", X))),
    lambda e: n.Sum((("+", X), ("-", e), ("+", Y))),
    lambda e: n.Product((("*", e), ("*", X))),
    lambda e: n.Product((("*", X), ("*", e), ("/", Y))),
    lambda e: n.Product((("*", X), ("/", e))),
    n.Negate,
    lambda e: n.Power(e, X),
    lambda e: n.Power(X, e),
    lambda e: n.Call("max", (e, X)),
    lambda e: n.Reduction("sum", (X.identifier,), e),
    lambda e: n.If(e, X, Y),
    lambda e: n.If(X, e, Y),
    lambda e: n.If(X, Y, e),
    lambda e: n.Compare("<", e, X),
    lambda e: n.Compare("=", X, e),
    lambda e: n.Logic("and", (e, X)),
    lambda e: n.Logic("and", (X, e)),
    lambda e: n.Logic("or", (e, X)),
    lambda e: n.Logic("or", (X, e)),
    n.Not,
    n.Iverson,
    lambda e: n.Otherwise(n.Access(X.identifier, (e,)), Y),
    lambda e: n.Otherwise(n.Access(X.identifier, (Y,)), e),
    lambda e: n.Call("max", (X, e)),
)
"""Every place that an expression can have inside another."""
