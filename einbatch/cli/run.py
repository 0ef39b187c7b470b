"""`einbatch run`: train if the file says `train`, else evaluate and print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from einbatch.cli.arguments import constants
from einbatch.cli.data import Given, read_data, read_params
from einbatch.cli.progress import Watch
from einbatch.cli.show import show_array, show_json, show_number, show_tensors
from einbatch.data import check_writable, save, save_npz
from einbatch.elaborate import constant_values
from einbatch.model.arrays import Array
from einbatch.model.execution import mean_of
from einbatch.model.fitting import Result
from einbatch.model.interpreter import Model
from einbatch.model.load import load
from einbatch.train.options import resolve_options

OVERRIDES = ("epochs", "batch", "seed")
INTERRUPTED = 130


def run(arguments: argparse.Namespace) -> int:
    """Runs a program; the exit code."""
    model = load(
        arguments.file,
        set=constants(arguments.set),
        dtype=arguments.dtype,
        backend=arguments.backend,
    )
    for warning in model.warnings:
        print(warning, file=sys.stderr)
    given = read_data(model, arguments.data)
    params = read_params(model, given, arguments.load, _seed(model, arguments))
    for path in filter(None, (arguments.save, arguments.out)):
        check_writable(Path(path))
    if _trains(model, arguments):
        return _train(model, given, params, arguments)
    return _evaluate(model, given, params, arguments)


def _trains(model: Model, arguments: argparse.Namespace) -> bool:
    asked = arguments.epochs is not None or arguments.batch is not None
    return not arguments.no_train and (model.program.train is not None or asked)


def _seed(model: Model, arguments: argparse.Namespace) -> int:
    """The seed of `--seed`, else of the `train` line: the params that training starts from."""
    program = model.program
    constants = constant_values(program, {})
    return resolve_options(program, constants, {}, {"seed": arguments.seed}).seed


def _train(
    model: Model,
    given: Given,
    params: Mapping[str, Array] | None,
    arguments: argparse.Namespace,
) -> int:
    reports = model.program.shown
    with Watch(reports, quiet=arguments.json) as watch:
        result = model.fit(
            given.inputs,
            params=params,
            epochs=arguments.epochs,
            batch=arguments.batch,
            seed=arguments.seed,
            progress=watch,
        )
    if arguments.save:
        save(result.params, arguments.save)
    values: dict[str, Array] = {}
    if arguments.out or arguments.json or arguments.grad:
        values = _values(model, result.params, given, grad=arguments.grad)
    if arguments.out:
        save_npz(Path(arguments.out), values)
    if watch.unread:
        raise BrokenPipeError
    if arguments.json:
        print(show_json(_training_object(result, values)))
    else:
        print(_summary(result))
        if arguments.grad:
            suffix = model.program.cotangent
            grads = {name: value for name, value in values.items() if name.endswith(suffix)}
            print(show_tensors(model.derive().program, grads))
    if watch.stopped:
        print("stopped by Ctrl-C, after a whole step", file=sys.stderr)
        return INTERRUPTED
    return 0


def _evaluate(
    model: Model,
    given: Given,
    params: Mapping[str, Array] | None,
    arguments: argparse.Namespace,
) -> int:
    seed = _seed(model, arguments)
    start = model.init(seed, data=given.inputs) if params is None else params
    values = _values(model, start, given, grad=arguments.grad)
    if arguments.save:
        save(start, arguments.save)
    if arguments.out:
        save_npz(Path(arguments.out), values)
    reports = [report.target for report in model.program.reports]
    objective = model.program.objective
    loss = None if objective is None else mean_of(values[objective.tensor])
    if arguments.json:
        found = {name: mean_of(values[name]) for name in model.program.shown}
        print(show_json(_object(loss, {"train": found, "holdout": {}}, [], values)))
        return 0
    program = model.derive().program if arguments.grad else model.program
    print(show_tensors(program, {k: v for k, v in values.items() if k not in reports}))
    for name in dict.fromkeys(objective.tensor for objective in model.program.objectives):
        if values[name].ndim:
            mean = np.asarray(mean_of(values[name]), model.dtype)
            print(f"mean {name} = {show_array(mean)}")
    for name in reports:
        print(f"{name} = {show_array(values[name])}")
    return 0


def _values(
    model: Model, params: Mapping[str, Array], given: Given, *, grad: bool
) -> dict[str, Array]:
    """Every named tensor at these params, and every cotangent."""
    values = model.forward(params, given.inputs)
    if grad:
        values |= model.cotangents(params, given.inputs)
    return values


def _training_object(result: Result, values: Mapping[str, Array]) -> dict[str, object]:
    found = _object(result.loss, result.reports, result.history, values)
    return found | {"holdout_loss": result.holdout_loss}


def _object(
    loss: float | None, reports: object, history: object, values: Mapping[str, Array]
) -> dict[str, object]:
    return {
        "loss": loss,
        "reports": reports,
        "history": history,
        "tensors": {name: list(value.shape) for name, value in values.items()},
    }


def _summary(result: Result) -> str:
    """Loss and reports of the last epoch, one a line."""
    pairs = [("loss", result.loss), *result.reports["train"].items()]
    if result.holdout_loss is not None:
        pairs.append(("holdout loss", result.holdout_loss))
        pairs += [(f"holdout {name}", value) for name, value in result.reports["holdout"].items()]
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name:<{width}}  {show_number(value)}" for name, value in pairs)
