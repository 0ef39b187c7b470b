"""The order of examples: complete, shuffled, reproducible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einbatch.data import generator, minibatch_order, split_holdout

seeds = st.integers(-(2**70), 2**70)


@given(st.integers(0, 50), st.integers(1, 60), seeds, st.integers(0, 10**6))
def test_every_example_once_an_epoch(n: int, batch: int, seed: int, epoch: int) -> None:
    batches = minibatch_order(n, batch, seed, epoch)
    assert sorted(np.concatenate([np.empty(0, int), *batches]).tolist()) == list(range(n))
    assert [len(part) for part in batches] == [
        min(batch, n - start) for start in range(0, n, batch)
    ]


def test_an_order_depends_on_seed_and_epoch_alone() -> None:
    def flat(*, seed: int = 0, epoch: int = 0, batch: int = 7) -> list[int]:
        return np.concatenate(minibatch_order(100, batch, seed, epoch)).tolist()

    assert flat() == flat(batch=32)
    assert len({tuple(flat(seed=s, epoch=e)) for s in range(3) for e in range(3)}) == 9
    assert flat() != list(range(100))


@given(st.integers(0, 200), st.floats(0, 1, exclude_max=True), seeds)
def test_holdout_splits(n: int, fraction: float, seed: int) -> None:
    train, holdout = split_holdout(n, fraction, seed)
    assert sorted([*train.tolist(), *holdout.tolist()]) == list(range(n))
    assert (np.diff(train) > 0).all()
    assert (np.diff(holdout) > 0).all()
    assert abs(len(holdout) - n * fraction) <= 1
    if fraction == 0:
        assert len(holdout) == 0
    elif n > 1:
        assert len(train) > 0
        assert len(holdout) > 0


def test_a_number_of_examples_is_held_out() -> None:
    train, holdout = split_holdout(10, 3, 0)
    assert (len(train), len(holdout)) == (7, 3)
    assert len(split_holdout(2, 1, 0)[1]) == 1


def test_holdout_is_drawn_not_cut_off() -> None:
    holdout = split_holdout(1000, 0.2, 0)[1]
    assert len(holdout) == 200
    assert holdout.min() < 50
    assert holdout.max() > 950
    assert holdout.tolist() != split_holdout(1000, 0.2, 1)[1].tolist()


def test_what_no_split_is() -> None:
    with pytest.raises(ValueError, match=r"a holdout of 1\.5, which is no part"):
        split_holdout(10, 1.5, 0)
    with pytest.raises(ValueError, match="a holdout of 10, which leaves none of 10 examples"):
        split_holdout(10, 10, 0)
    with pytest.raises(ValueError, match="a minibatch of 0 examples"):
        minibatch_order(10, 0, 0, 0)


def test_draws_by_name() -> None:
    def draw(*key: object) -> list[float]:
        return generator(*key).normal(size=4).tolist()

    keys = [(0, "W0"), (0, "W1"), (1, "W0"), (0, "W0", 1), (0, "W0", 2), (0, "h̃")]
    assert len({tuple(draw(*key)) for key in keys}) == len(keys)
    assert draw(0, "W0") == draw(0, "W0", 0)


def test_draws_are_the_same_on_every_machine() -> None:
    assert generator(0, "W0").integers(0, 2**32, 3).tolist() == [4022397581, 1868191167, 3130113673]
