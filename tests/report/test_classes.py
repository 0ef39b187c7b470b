"""Which prediction a program makes, and how it is counted."""

from __future__ import annotations

import numpy as np
import pytest

import einbatch as eb
from einbatch.model.binding import bind
from einbatch.model.restrict import restrict
from einbatch.report.classes import MOST, PREDICTED, TRUE, Confusion, count, find_question

HEAD = "batch b < B\nindex k < 3\ninput x[b,k]\ninput t[b] in k\nparam w = 1\n"
END = "s[b,k] = w*x[b,k]\nloss[b] = -s[b,t[b]]\nminimize loss\n"


def answered(text: str, **data: object) -> tuple[list[object], list[object]]:
    """What is predicted, and what is true."""
    model = eb.parse(text)
    question = find_question(model.front.forward)
    assert question is not None
    part = restrict(question.program, (PREDICTED, TRUE))
    bound = bind(part, {**data, "w": np.ones(())}, "float32")
    values = model.execution.run(part, bound.arrays, bound.extents, (PREDICTED, TRUE))
    return values[PREDICTED].tolist(), values[TRUE].tolist()


@pytest.mark.parametrize(
    "report",
    [
        "report accuracy = mean[b]([argmax[k](w*x[b,k]) = t[b]])",
        "report accuracy = mean[b]([t[b] = argmax[k](x[b,k])])",
        "report mistakes = sum[b]([argmax[k](x[b,k] + 0*w) != t[b]])",
        "",  # what is read at the label
    ],
)
def test_the_largest_is_predicted(report: str) -> None:
    x = [[0, 1, 0], [3, 2, 1], [0, 1, 2]]
    assert answered(f"{HEAD}{END}{report}\n", x=x, t=[1, 1, 2]) == ([1, 0, 2], [1, 1, 2])


def test_a_report_counts_before_what_is_read_at_the_label() -> None:
    text = f"{HEAD}{END}report odd = mean[b]([argmin[k](x[b,k]) = t[b]])\n"
    assert answered(text, x=[[0, 1, 2]], t=[1])[0] == [0]


def test_a_threshold_predicts_too() -> None:
    text = (
        "batch b < B\nindex k < 2\ninput s[b]\ninput t[b] in k\nparam w = 1\n"
        "loss[b] = w*s[b]*t[b]\nminimize loss\nreport a = mean[b]([[w*s[b] > 0] = t[b]])\n"
    )
    assert answered(text, s=[-1.0, 2.0], t=[1, 1]) == ([0, 1], [1, 1])


def test_sequences_have_a_class_at_each_place() -> None:
    text = (
        "batch b < B\nindex k < 2\ninput P[b,t,k]\ninput y[b,t] in k\nparam w = 1\n"
        "Q[b,t,k] = w*P[b,t,k]\nloss[b] += -log(Q[b,t,y[b,t]])\nminimize loss\n"
    )
    given = answered(text, P=[[[0.9, 0.1], [0.2, 0.8]]], y=[[1, 1]])
    assert given == ([[0, 1]], [[1, 1]])


def test_no_classes_no_question() -> None:
    text = "batch b < B\ninput x[b]\nparam w = 1\nloss[b] = (w*x[b])^2\nminimize loss\n"
    assert find_question(eb.parse(text).front.forward) is None


def test_the_matrix() -> None:
    predicted, true = np.array([0, 1, 1, 2, 0, 0]), np.array([0, 1, 0, 0, 2, 2])
    seen = count(predicted, true, ["a", "b", "c"])
    assert seen.counts.tolist() == [[1, 1, 1], [0, 1, 0], [2, 0, 0]]
    assert (seen.total, seen.accuracy) == (6, 2 / 6)
    assert seen.mistakes(9) == [("c", "a", 2), ("a", "b", 1), ("a", "c", 1)]
    assert [line.recall for line in seen.lines] == ["33 %", "100 %", "0 %"]
    assert seen.precisions == ["33 %", "50 %", "0 %"]
    assert [cell.kind for cell in seen.lines[2].cells] == ["wrong", "none", "none"]
    assert seen.lines[2].cells[0].title == "class c taken for a: 2"


def test_a_class_that_never_comes() -> None:
    seen = Confusion(np.zeros((2, 2), np.int64), ["0", "1"])
    assert seen.accuracy == 0
    assert [line.recall for line in seen.lines] == ["–", "–"]


def test_a_matrix_of_many_classes_is_not_shown() -> None:
    assert not Confusion(np.zeros((MOST + 1,) * 2, np.int64), ["x"] * (MOST + 1)).is_small
