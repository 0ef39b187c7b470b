"""The loop: which examples, in which order, and what is averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import pytest

from einbatch.train.loop import Epoch, Examples, evaluate, train
from einbatch.train.options import Options

X = np.arange(10.0)


class Recorder:
    """A learner whose objective is the mean of x, and which remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []
        self.checked: list[list[float]] = []

    def advance(self, arrays: Mapping[str, np.ndarray]) -> tuple[float, ...]:
        self.seen.append(arrays["x"].tolist())
        return (float(arrays["x"].mean()), float(len(arrays["x"])))

    def evaluate(self, arrays: Mapping[str, np.ndarray]) -> tuple[float, ...]:
        self.checked.append(arrays["x"].tolist())
        return (float(arrays["x"].mean()), 0.0)


class Stop:
    """Ends the training after so many steps."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.calls: list[str] = []

    @property
    def stopped(self) -> bool:
        return self.after <= 0

    def start(self, epochs: int, steps: int, /) -> None:
        self.calls.append(f"start {epochs} × {steps}")

    def step(self, values: Sequence[float], /) -> None:
        self.after -= 1

    def epoch(self, record: Epoch, /) -> None:
        self.calls.append(f"epoch {record.number} {record.complete}")


def examples() -> Examples:
    return Examples({"x": X, "k": np.array(3.0)}, {"x": 0, "k": None}, 10)


def test_an_epoch_sees_each_example_once_in_an_order_of_its_own():
    learner = Recorder()
    history = train(learner, examples(), Options(4, 2, 0, 0))
    assert [len(batch) for batch in learner.seen] == [4, 4, 2, 4, 4, 2]
    first, second = list(chain(*learner.seen[:3])), list(chain(*learner.seen[3:]))
    assert sorted(first) == sorted(second) == X.tolist()
    assert first != second
    assert [record.number for record in history] == [1, 2]


def test_means_are_weighted_by_examples():
    history = train(Recorder(), examples(), Options(4, 1, 0, 0))
    assert history[0].train == pytest.approx((4.5, (16 + 16 + 4) / 10))


def test_the_same_seed_gives_the_same_order():
    orders: list[list[list[float]]] = []
    for seed in (1, 1, 2):
        learner = Recorder()
        train(learner, examples(), Options(4, 1, 0, seed))
        orders.append(learner.seen)
    assert orders[0] == orders[1] != orders[2]


def test_held_out_examples_are_only_evaluated():
    learner = Recorder()
    history = train(learner, examples(), Options(4, 2, 0.3, 0))
    trained = {x for batch in learner.seen for x in batch}
    held = {x for batch in learner.checked for x in batch}
    assert len(held) == 3
    assert not trained & held
    assert history[0].holdout == pytest.approx((np.mean(list(held)), 0))


def test_a_stop_ends_after_a_whole_step():
    watch = Stop(2)
    learner = Recorder()
    history = train(learner, examples(), Options(4, 5, 0, 0), watch)
    assert len(learner.seen) == 2
    assert watch.calls == ["start 5 × 3", "epoch 1 False"]
    assert len(history) == 1


def test_without_a_batch_axis_an_epoch_is_one_update():
    learner = Recorder()
    train(learner, Examples({"x": X}, {"x": None}, 1), Options(4, 3, 0.5, 0))
    assert learner.seen == [X.tolist()] * 3
    assert learner.checked == []


def test_the_examples_may_lie_on_any_axis():
    columns = Examples({"x": X.reshape(2, 5)}, {"x": 1}, 5)
    assert columns.take(np.array([4, 0]))["x"].tolist() == [[4, 0], [9, 5]]


def test_evaluation_goes_in_pieces():
    learner = Recorder()
    many = Examples({"x": np.arange(2500.0)}, {"x": 0}, 2500)
    assert evaluate(learner, many, np.arange(2500), 32)[0] == pytest.approx(1249.5)
    assert [len(batch) for batch in learner.checked] == [1024, 1024, 452]
