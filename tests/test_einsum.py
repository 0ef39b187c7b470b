"""Random contractions against np.einsum, which shares nothing with einbatch's own lowering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import einbatch as eb

COUNT = 500


@dataclass(frozen=True)
class Contraction:
    """Operands' indices, the result's, and the extent of each index."""

    operands: tuple[str, ...]
    result: str
    extents: dict[str, int]

    @property
    def einsum(self) -> str:
        return f"{','.join(self.operands)}->{self.result}"

    @property
    def text(self) -> str:
        indices = ",".join(sorted(set("".join(self.operands))))
        names = "ABCDE"
        factors = "*".join(
            access(name, letters) for name, letters in zip(names, self.operands, strict=False)
        )
        loops = f"for {indices}: " if indices else ""
        return f"{loops}{access('out', self.result)} += {factors}"

    def arrays(self, draws: np.random.Generator) -> dict[str, np.ndarray]:
        return {
            name: draws.normal(size=[self.extents[index] for index in letters])
            for name, letters in zip("ABCDE", self.operands, strict=False)
        }


def access(name: str, indices: str) -> str:
    return f"{name}[{','.join(indices)}]" if indices else name


def contraction(draws: np.random.Generator) -> Contraction:
    """Two to five operands of up to four axes, repeated indices in one operand included."""
    letters = "ijklmn"[: draws.integers(2, 7)]
    operands = tuple(
        "".join(draws.choice(list(letters), size=draws.integers(0, 5)))
        for _ in range(draws.integers(2, 6))
    )
    used = sorted(set("".join(operands)))
    result = "".join(draws.permutation(used)[: draws.integers(0, len(used) + 1)]) if used else ""
    extents = {letter: int(draws.integers(1, 6)) for letter in letters}
    return Contraction(operands, result, extents)


@pytest.mark.parametrize("part", range(10))
def test_contractions_equal_einsum(part: int):
    for seed in range(part * COUNT // 10, (part + 1) * COUNT // 10):
        draws = np.random.default_rng(seed)
        case = contraction(draws)
        arrays = case.arrays(draws)
        expected = np.einsum(case.einsum, *arrays.values())
        scale = np.einsum(case.einsum, *map(np.abs, arrays.values()))
        found = np.asarray(eb.function(case.text, dtype="float64")(**arrays))
        assert found.shape == expected.shape, (seed, case)
        assert np.all(np.abs(found - expected) <= 1e-12 * scale), (seed, case)


@pytest.mark.parametrize("part", range(10))
def test_no_disagreeing_extent_is_accepted(part: int):
    for seed in range(part * COUNT // 10, (part + 1) * COUNT // 10):
        draws = np.random.default_rng(COUNT + seed)
        case = contraction(draws)
        while not shared_places(case):
            case = contraction(draws)
        arrays = case.arrays(draws)
        places = shared_places(case)
        name, axis = places[draws.integers(len(places))]
        shape = list(arrays[name].shape)
        others = [extent for extent in range(1, 6) if extent != shape[axis]]
        wrong = 1 if seed % 2 and shape[axis] != 1 else int(draws.choice(others))
        shape[axis] = wrong
        arrays[name] = draws.normal(size=shape)
        with pytest.raises(eb.EinbatchError) as caught:
            eb.function(case.text)(**arrays)
        assert str(wrong) in str(caught.value), (seed, case)


def shared_places(case: Contraction) -> list[tuple[str, int]]:
    """The axes whose index some other axis has too."""
    everything = "".join(case.operands)
    return [
        (name, axis)
        for name, letters in zip("ABCDE", case.operands, strict=False)
        for axis, letter in enumerate(letters)
        if everything.count(letter) > 1
    ]
