"""The loop: which examples, in which order, and what is averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import pytest

from einbatch.train.loop import Examples, Outline, Silent, evaluate, train
from einbatch.train.options import Options
from einbatch.train.state import Best, Epoch, State

X = np.arange(10.0)


class Recorder:
    """A learner whose objective is the mean of x, and which remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []
        self.checked: list[list[float]] = []
        self.kept: list[int] = []
        self.steps = 0

    def advance(self, arrays: Mapping[str, np.ndarray]) -> tuple[float, ...]:
        self.seen.append(arrays["x"].tolist())
        return (float(arrays["x"].mean()), float(len(arrays["x"])))

    def evaluate(self, arrays: Mapping[str, np.ndarray]) -> tuple[float, ...]:
        self.checked.append(arrays["x"].tolist())
        return (float(arrays["x"].mean()), 0.0)

    def begin(self, steps: int) -> None:
        self.steps = steps

    def keep(self) -> None:
        self.kept.append(len(self.seen))


class Stop(Silent):
    """Ends the training after so many steps."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.calls: list[str] = []
        self.states: list[State] = []

    @property
    def stopped(self) -> str:
        return "interrupted" if self.after <= 0 else ""

    def start(self, outline: Outline, state: State, /) -> None:
        self.calls.append(f"start {outline.epochs} × {outline.steps}, {outline.examples}")

    def step(self, state: State, values: Sequence[float], /) -> None:
        self.after -= 1

    def epoch(self, record: Epoch, state: State, /) -> None:
        self.calls.append(f"epoch {record.number} {record.complete}")

    def settled(self, state: State, /) -> None:
        self.calls.append(f"settled {state.step}")

    def end(self, reason: str, state: State, /) -> None:
        self.calls.append(f"{reason} {state.step}")
        self.states.append(state)


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
    assert watch.calls == ["start 5 × 3, 10", "settled 1", "interrupted 2", "epoch 1 False"]
    assert len(history) == 1


@pytest.mark.parametrize("after", range(1, 10))
def test_a_stopped_training_goes_on_as_if_it_had_not_been(after: int):
    whole, options = Recorder(), Options(4, 3, 0.2, 5)
    history = train(whole, examples(), options)
    parts, watch = Recorder(), Stop(after)
    train(parts, examples(), options, watch)
    again = train(parts, examples(), options, None, watch.states[0])
    assert parts.seen == whole.seen
    assert again == history


def test_a_state_is_settled_after_each_step_and_its_epoch():
    watch = Stop(100)
    train(Recorder(), examples(), Options(4, 1, 0, 0), watch)
    assert watch.calls == [
        "start 1 × 3, 10",
        *("settled 1", "settled 2", "epoch 1 True", "settled 3", "done 3"),
    ]


@pytest.mark.parametrize("ascends", [False, True])
def test_the_best_epoch_is_judged_by_what_is_held_out(ascends: bool):
    state = State()
    for number, value in enumerate((3.0, 5.0, float("nan"), 1.0, 1.0, 5.0), 1):
        state.step += 7
        state.close(Epoch(number, (0.0,), (value,)), ascends=ascends)
    assert state.best == (Best(2, 14, 5.0) if ascends else Best(4, 28, 1.0))
    assert not state.is_best


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


class Valley(Recorder):
    """A learner whose held-out objective takes these values, one an epoch."""

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__()
        self.values = iter(values)

    def evaluate(self, arrays: Mapping[str, np.ndarray]) -> tuple[float, ...]:
        return (next(self.values), 0.0)


NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "patience", "epochs", "best"),
    [
        ([5, 4, 3, 4, 5, 6, 7], 2, 5, 3),
        ([5, 4, 3, 4, 2, 6, 7, 8], 2, 7, 5),
        ([1, 1, 1, 1], 1, 2, 1),
        ([NAN, NAN, 1, 1, 1], 2, 2, 0),
        ([NAN, 2, NAN, 1, 3, NAN, NAN], 3, 7, 4),
        ([5, 4, 3, 4, 5, 6, 7], 0, 7, 3),
        ([5, 4, 3, 2], 3, 4, 4),
    ],
)
def test_patience_ends_the_training(
    values: list[float], patience: int, epochs: int, best: int
) -> None:
    learner, watch, state = Valley(values), Stop(1000), State()
    options = Options(10, len(values), 0.3, 0, patience)
    history = train(learner, examples(), options, watch, state)
    assert len(history) == epochs
    assert learner.kept[-1:] == ([best] if best else [])
    stopped = epochs - best >= patience > 0
    assert watch.calls[-1] == f"{'early' if stopped else 'done'} {epochs}"
    train(learner, examples(), options, watch, state)  # goes on from there
    assert len(state.history) == epochs


def test_the_greatest_is_the_best_where_it_is_maximized() -> None:
    learner = Valley([1, 3, 2, 2, 9])
    history = train(learner, examples(), Options(10, 5, 0.3, 0, 2), ascends=True)
    assert (len(history), learner.kept) == (4, [1, 2])


def test_other_examples_are_held_out() -> None:
    learner = Recorder()
    others = Examples({"x": X[:3] + 100, "k": np.array(3.0)}, {"x": 0, "k": None}, 3)
    history = train(learner, examples(), Options(4, 2, 0.5, 0), apart=others)
    assert sorted(chain(*learner.seen[:3])) == X.tolist()
    assert learner.checked == [[100, 101, 102]] * 2
    assert history[0].holdout == (101, 0)


def test_a_learner_is_told_the_number_of_updates() -> None:
    learner = Recorder()
    train(learner, examples(), Options(4, 5, 0.2, 0))
    assert learner.steps == len(learner.seen) == 10
