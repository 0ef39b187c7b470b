"""The tree of a program as it was typed.

Abstract grammar (`?` optional, `*` any number):

    Tree        = Statement*
    Statement   = Batch(index, extent?)            batch b < B
                | Indices(groups)                  index r, c < 8, j < 64
                | Let(name, value)                 let J = 256
                | Input(name, axes, member?, literal?, source?)
                | Param(name, axes, draw | value)  param W[j,i] ~ normal(0, s)
                | State(name, axes, value)         state v[j,i] = 0
                | Dtype(name)                      dtype float64
                | Def(name, indices, names, body)  def swish(x) = x*sigmoid(x)
                | For(indices, body)               for b,i: …
                | Scan(index, down, body)          scan t: …
                | Assign(target, operator, value)  h[b,j] += …
                | Sample(target, draw)             mask[b,j] ~ bernoulli(0.9)
                | Minimize(sense, target, over)    minimize loss over W, C
                | Report(name, value)              report accuracy = …
                | Train(optimizer?, options)       train sgd(lr=0.1), batch=32
    Expression  = Number | Name | ExtentOf | Access | Sum | Product | Negate | Power
                | Call | Reduction | If | Compare | Logic | Not | Iverson | Otherwise

Sums and products are flat: `a - b + c` is one `Sum` of three terms, and
`1/B*g*x` one `Product` read from left to right. A parenthesised sum inside a
sum stays a node of its own. Two trees are equal if they say the same thing:
places and the spelling of names do not count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from einbatch.diagnostics import NOWHERE, Span

Sign = Literal["+", "-"]
ProductSign = Literal["*", "/"]
Assignment = Literal["=", "+=", "-=", "*=", "max=", "min="]
Comparison = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name: `key` is its NFKC form (`W0`), `spelling` what was typed (`W⁰`)."""

    key: str
    spelling: str = field(default="", compare=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number literal, as typed with ASCII digits: `3000`, `0.20`, `1e-7`."""

    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A name that stands alone: a constant, extent or scalar, an index as a number, `inf`, `pi`."""

    identifier: Identifier
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ExtentOf:
    """`|i|`."""

    index: Identifier
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """`T[b,label[b]]`, with at least one subscript."""

    tensor: Identifier
    subscripts: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sum:
    """`a - b + c`: two terms or more, the first with sign `+`."""

    terms: tuple[tuple[Sign, Expression], ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Product:
    """`a*b/c`, juxtaposition included: two factors or more, the first with sign `*`."""

    factors: tuple[tuple[ProductSign, Expression], ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """`-e`: at the start of a sum it takes the whole product that follows."""

    operand: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Power:
    """`base^exponent`, or `(…)²`; right-associative."""

    base: Expression
    exponent: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function by its ASCII name: `sigmoid(x)`, `max(a, b)`, `affine[j,k](U, C, x[b,k])`.

    Only a function of the program's own (`def`) takes indices.
    """

    function: str
    arguments: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    indices: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Reduction:
    """`sum[i,j](e)`, or `Σ_i e`, by its ASCII name."""

    operator: str
    indices: tuple[Identifier, ...]
    body: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class If:
    """`if condition then consequent else alternative`."""

    condition: Expression
    consequent: Expression
    alternative: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """`a < b`. A chain `a < b < c` is read as `a < b and b < c`."""

    operator: Comparison
    left: Expression
    right: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """`a and b and c`, flat."""

    operator: Literal["and", "or"]
    operands: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """`not c`."""

    operand: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Iverson:
    """`[c]`: 1 where the condition holds, else 0."""

    condition: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Otherwise:
    """`(x[b,t-1] else 0)`: a read, and what is taken where a subscript is outside."""

    read: Access
    alternative: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Expression = (
    Number
    | Name
    | ExtentOf
    | Access
    | Sum
    | Product
    | Negate
    | Power
    | Call
    | Reduction
    | If
    | Compare
    | Logic
    | Not
    | Iverson
    | Otherwise
)


@dataclass(frozen=True, slots=True)
class Elements:
    """`[[1, 2], [3, 4]]`: elements given in the file; each is an expression or a list."""

    items: tuple[Expression | Elements, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """`batch b < B`, or `batch b`."""

    index: Identifier
    extent: Expression | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IndexGroup:
    """`r, c < 8`: every name has the extent."""

    names: tuple[Identifier, ...]
    extent: Expression


@dataclass(frozen=True, slots=True)
class Indices:
    """`index r, c < 8, j < 64`."""

    groups: tuple[IndexGroup, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Let:
    """`let J = 256`."""

    name: Identifier
    value: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Input:
    """`input label[b] in ŷ from "data/digits.npz"`, or `input x[i] = [1, 2]`."""

    name: Identifier
    axes: tuple[Identifier, ...]
    member: Identifier | None = None
    literal: Expression | Elements | None = None
    source: str | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Draw:
    """`~ normal(0, s)`: a distribution and its arguments."""

    distribution: str
    arguments: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Param:
    """`param W[j,i] ~ normal(0, s)`, or `param C[j] = 0`."""

    name: Identifier
    axes: tuple[Identifier, ...]
    initial: Draw | Expression | Elements
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """`state v[j,i] = 0`."""

    name: Identifier
    axes: tuple[Identifier, ...]
    initial: Expression | Elements
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Dtype:
    """`dtype float64`."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Assign:
    """`h[b,j] += e`; the target is an `Access`, or a `Name` for a scalar.

    Where `partial`, `(g[b,t-1] else 0) += e`: an element outside takes nothing.
    """

    target: Access | Name
    operator: Assignment
    value: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """`mask[b,j] ~ bernoulli(0.9)`, drawn anew at every step."""

    target: Access | Name
    draw: Draw
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class For:
    """`for b,i: …`: statements under a loop list; a nested `for` adds its indices."""

    indices: tuple[Identifier, ...]
    body: tuple[For | Assign | Sample, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Scan:
    """`scan t:`, or `scan t down:`: the block once for each value of the index, in order."""

    index: Identifier
    down: bool
    body: tuple[Scan | For | Assign | Sample, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Def:
    """`def affine[j,i](W, T, x) = e`: a function or, with indices, a layer."""

    name: Identifier
    indices: tuple[Identifier, ...]
    parameters: tuple[Identifier, ...]
    body: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Minimize:
    """`minimize loss`, `maximize R over W, C`; the target may be subscripted (`loss[b]`).

    `over` are the params that it is minimized over; all of them where it is empty.
    """

    sense: Literal["minimize", "maximize"]
    target: Access | Name
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    over: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """`report accuracy = e`."""

    name: Identifier
    value: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Option:
    """`lr=0.1` in an optimizer's list, `batch=32` in a `train` line."""

    name: str
    value: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Train:
    """`train sgd(lr=0.1), batch=32`: an optimizer, or none where the file has its own updates."""

    optimizer: str | None
    settings: tuple[Option, ...]
    options: tuple[Option, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Declaration = Batch | Indices | Let | Input | Param | State | Dtype | Def
Statement = Declaration | Scan | For | Assign | Sample | Minimize | Report | Train


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: its text from `#` on, and the number of its line in the source, from 1."""

    text: str
    line: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole program; comments and blank lines are kept for the printer and do not count."""

    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False, repr=False)
    blank_lines: tuple[int, ...] = field(default=(), compare=False, repr=False)
