"""Sums of products: einbatch.function beside opt_einsum, np.einsum and torch.einsum."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import einbatch as eb
from benchmarks.harness import Array, Contender, Running, Suite, main


@dataclass(frozen=True)
class Case:
    """A contraction as np.einsum writes it, and the extent of each of its letters."""

    name: str
    subscripts: str
    extents: str
    """`a=3 b=4`."""

    @cached_property
    def sizes(self) -> dict[str, int]:
        return {item[0]: int(item[2:]) for item in self.extents.split()}

    @property
    def factors(self) -> list[str]:
        return self.subscripts.partition("->")[0].split(",")

    @property
    def arrays(self) -> list[Array]:
        """Float32, so large that sums neither grow nor shrink much."""
        draws = np.random.default_rng(0)
        return [
            draws.standard_normal([self.sizes[letter] for letter in factor], np.float32)
            for factor in self.factors
        ]

    @property
    def text(self) -> str:
        """The contraction in the language.

        >>> Case("product", "ij,jk->ik", "i=2 j=2 k=2").text
        'y[i,k] += T0[i,j]*T1[j,k]'
        """
        factors = [f"T{k}[{','.join(factor)}]" for k, factor in enumerate(self.factors)]
        return f"y[{','.join(self.subscripts.partition('->')[2])}] += {'*'.join(factors)}"


def _running(contract: Any, operands: list[Any]) -> Running:
    found: list[Any] = [None]

    def step() -> None:
        found[0] = None
        found[0] = contract(*operands)

    return Running(step, lambda: {"y": np.asarray(found[0])})


def by_einbatch(case: Case) -> Running:
    """`einbatch.function`, made once."""
    function = eb.function(case.text)
    named = {f"T{k}": array for k, array in enumerate(case.arrays)}
    return _running(lambda: function(named), [])


def by_opt_einsum(case: Case) -> Running:
    """`opt_einsum.contract`: the path is found in each call."""
    import opt_einsum

    return _running(lambda *arrays: opt_einsum.contract(case.subscripts, *arrays), case.arrays)


def by_opt_einsum_expression(case: Case) -> Running:
    """`opt_einsum.contract_expression`, made once."""
    import opt_einsum

    shapes = [array.shape for array in case.arrays]
    return _running(opt_einsum.contract_expression(case.subscripts, *shapes), case.arrays)


def by_numpy(case: Case) -> Running:
    """`np.einsum(optimize=True)`."""
    return _running(lambda *arrays: np.einsum(case.subscripts, *arrays, optimize=True), case.arrays)


def by_torch(case: Case) -> Running:
    """`torch.einsum`, which orders by opt_einsum where that is installed."""
    import torch

    tensors = [torch.from_numpy(array) for array in case.arrays]
    return _running(lambda *arrays: torch.einsum(case.subscripts, *arrays), tensors)


def in_double(case: Case) -> Running:
    """The reference."""
    arrays = [array.astype(np.float64) for array in case.arrays]
    return _running(lambda *arrays: np.einsum(case.subscripts, *arrays, optimize=True), arrays)


CASES = (
    Case("chain of 3", "ab,bc,cd->ad", "a=512 b=512 c=64 d=512"),
    Case("chain of 4", "ab,bc,cd,de->ae", "a=256 b=512 c=32 d=512 e=256"),
    Case("chain of 5", "ab,bc,cd,de,ef->af", "a=128 b=512 c=32 d=512 e=32 f=512"),
    Case("bilinear", "bi,oij,bj->bo", "b=128 i=64 o=64 j=64"),
    Case("tucker", "abc,ai,bj,ck->ijk", "a=32 b=32 c=32 i=64 j=64 k=64"),
    Case("low rank", "ar,br,cr,abc->r", "a=64 b=64 c=64 r=16"),
    Case("scores", "btad,bsad->bats", "b=8 t=128 s=128 a=8 d=32"),
    Case("values", "bats,bsad->btad", "b=8 t=128 s=128 a=8 d=32"),
    Case("projection", "bti,adi->btad", "b=8 t=128 i=256 a=8 d=32"),
    Case("linear attention", "btad,bsad,bsae->btae", "b=8 t=128 s=128 a=8 d=32 e=32"),
)

SUITE = Suite(
    module="benchmarks.contractions",
    title="a contraction",
    cases=CASES,
    contenders=(
        Contender("einbatch", by_einbatch),
        Contender("contract", by_opt_einsum),
        Contender("contract_expression", by_opt_einsum_expression),
        Contender("np.einsum", by_numpy),
        Contender("torch.einsum", by_torch),
    ),
    reference=in_double,
    quick=("chain of 3", "bilinear", "scores"),
)

if __name__ == "__main__":
    sys.exit(main(SUITE))
