"""Contenders in processes of their own: asked in turn, stopped in between, held to be right."""

from __future__ import annotations

import json
import time

import pytest

from benchmarks.harness import Skipped, Worker, main
from benchmarks.harness.measure import Effort, Wrong, measure
from benchmarks.harness.process import Failed
from tests.benchmarks.toy import SUITE

SHORT = Effort(rounds=3, seconds=0.002)
ONES = SUITE.case("ones")


def test_a_worker_does_what_it_is_asked_and_says_nothing_else(tmp_path):
    worker = Worker(SUITE.module, "twos", "noisy")
    try:
        assert worker.ask(do="run", steps=4) == {"done": 4}
        assert worker.ask(do="results", path=str(tmp_path / "r.npz")) == {"done": ["count"]}
        times = worker.time(block=2, samples=5)
    finally:
        worker.close()
    assert len(times) == 5
    assert min(times) > 0


def test_an_idle_worker_stands_still_even_if_a_thread_of_it_spins():
    worker = Worker(SUITE.module, "ones", "spinning")
    try:
        assert worker.is_stopped()
        before = worker.processor_time()
        time.sleep(0.1)
        assert worker.processor_time() == before
        worker.ask(do="time", block=1000, samples=200)
        assert worker.processor_time() > before
        assert worker.is_stopped()
    finally:
        worker.close()


def test_what_cannot_be_asked_is_told():
    worker = Worker(SUITE.module, "ones", "einbatch")
    try:
        with pytest.raises(Failed, match="no such request: nothing"):
            worker.ask(do="nothing")
        assert worker.ask(do="run", steps=1) == {"done": 1}
    finally:
        worker.close()


def test_who_cannot_run_is_skipped_with_the_reason():
    with pytest.raises(Skipped, match="there is none"):
        Worker(SUITE.module, "ones", "absent")


def test_every_contender_has_its_turn_in_every_round():
    names = ("einbatch", "noisy", "floor", "absent")
    outcome = measure(SUITE, ONES, names, SHORT)
    assert {name: len(rounds) for name, rounds in outcome.times.items()} == {
        "einbatch": 3,
        "noisy": 3,
        "floor": 3,
    }
    assert outcome.skipped == {"absent": "there is none"}
    assert outcome.errors == {"einbatch": 0, "noisy": 0}
    assert outcome.rival == "noisy"


def test_no_time_is_taken_of_who_is_wrong():
    with pytest.raises(Wrong, match=r"wrong: count is off by 0\.01 of what it should have changed"):
        measure(SUITE, ONES, ("einbatch", "wrong"), SHORT)


@pytest.mark.parametrize(
    ("name", "message"), [("broken", "ValueError: no good"), ("dying", "dying ended with 3")]
)
def test_who_fails_ends_the_benchmark(name, message):
    with pytest.raises(Failed, match=message):
        measure(SUITE, ONES, ("einbatch", name), SHORT)


def test_the_command_prints_a_table_and_writes_json(tmp_path, capsys):
    path = tmp_path / "found.json"
    arguments = ["--quick", "--contenders", "einbatch,noisy,absent", "--rounds", "2"]
    assert main(SUITE, [*arguments, "--seconds", "0.002", "--json", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "best/einbatch" in shown
    assert "skipped absent: there is none" in shown
    assert "cores" in shown
    record = json.loads(path.read_text(encoding="utf-8"))
    assert [case["case"] for case in record["cases"]] == ["ones"]
    (case,) = record["cases"]
    assert case["best_other"] == "noisy"
    assert len(case["rounds"]["einbatch"]) == 2
    assert record["machine"]["libraries"]["numpy"]


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "found.png"
    arguments = ["--cases", "ones", "--contenders", "einbatch,noisy", "--rounds", "1"]
    assert main(SUITE, [*arguments, "--seconds", "0.002", "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_command_says_who_is_wrong(capsys):
    assert main(SUITE, ["--quick", "--contenders", "einbatch,wrong"]) == 1
    assert "ones: wrong: count is off by" in capsys.readouterr().err


def test_an_unknown_case_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(SUITE, ["--cases", "threes"])
    assert ended.value.code == 2
    assert "no 'threes'; there are ones, twos" in capsys.readouterr().err
