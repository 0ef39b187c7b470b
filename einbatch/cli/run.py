"""`einbatch run`: train if the file says `train`, else evaluate and print."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from einbatch.backends.numpy.threads import deterministic
from einbatch.cli.arguments import Misuse
from einbatch.cli.data import Given, load_model, read_data, read_params
from einbatch.cli.progress import Watch
from einbatch.cli.show import show_array, show_json, show_number, show_tensors
from einbatch.cli.signals import CODES, NAMES
from einbatch.data import check_writable, save, save_npz
from einbatch.data.mapping import check_outward
from einbatch.elaborate import constant_values
from einbatch.model.arrays import Array
from einbatch.model.binding import refuse_large
from einbatch.model.execution import mean_of
from einbatch.model.fitting import Result
from einbatch.model.interpreter import Model
from einbatch.model.whole import tensor_shapes, whole_extents
from einbatch.train.options import Options, resolve_options

OVERRIDES = ("epochs", "batch", "patience")
NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]*)?|\.[0-9]+")


def run(arguments: argparse.Namespace) -> int:
    """Runs a program; the exit code."""
    model = load_model(arguments)
    given = read_data(model, arguments.data)
    seed = _options(model, arguments).seed
    params = read_params(model, given, arguments.load, seed, arguments.map)
    if arguments.save:
        check_outward(arguments.map, {t.name: len(t.axes) for t in model.learnt})
    for path in filter(None, (arguments.save, arguments.out)):
        check_writable(Path(path))
    with deterministic(arguments.deterministic):
        if _trains(model, arguments):
            return _train(model, given, params, arguments)
        _refuse_recording(arguments)
        return _evaluate(model, given, params, arguments)


def _trains(model: Model, arguments: argparse.Namespace) -> bool:
    asked = arguments.holdout or any(getattr(arguments, name) is not None for name in OVERRIDES)
    return not arguments.no_train and (model.program.train is not None or bool(asked))


def _refuse_recording(arguments: argparse.Namespace) -> None:
    """Misuse where something is to be written while the program trains, and it does not."""
    for name in ("checkpoint", "resume", "log", "tensorboard"):
        if getattr(arguments, name) is not None:
            raise Misuse(f"--{name}: the program is evaluated, not trained")


def _options(model: Model, arguments: argparse.Namespace) -> Options:
    """How to train, by the `train` line and what overrides it; the seed draws the params."""
    program = model.program
    given = {name: getattr(arguments, name) for name in (*OVERRIDES, "seed")}
    return resolve_options(program, constant_values(program, {}), {}, given)


def _train(
    model: Model,
    given: Given,
    params: Mapping[str, Array] | None,
    arguments: argparse.Namespace,
) -> int:
    reports = model.program.shown
    program = model.front.forward
    if arguments.out or arguments.grad:  # what could not be made in the end is told now
        extents = whole_extents(program, given.inputs, model.load_input)
        refuse_large(program, extents, model.dtype)
    held = _holdout(model, given, arguments.holdout)
    with Watch(reports, quiet=arguments.json) as watch:
        result = model.fit(
            given.inputs,
            params=params,
            epochs=arguments.epochs,
            batch=arguments.batch,
            holdout=held.inputs if isinstance(held, Given) else held,
            patience=arguments.patience,
            seed=arguments.seed,
            progress=watch,
            checkpoint=arguments.checkpoint,
            checkpoint_every=arguments.checkpoint_every,
            keep=arguments.keep,
            resume=arguments.resume,
            log=arguments.log,
            tensorboard=arguments.tensorboard,
            check_finite=arguments.check_finite,
            deterministic=arguments.deterministic,
            sources=given.sources,
            holdout_sources=held.sources if isinstance(held, Given) else None,
        )
    best = result.best if _options(model, arguments).patience else None
    params = _learnt(model, result) if best is None else best.params
    if arguments.save:
        _save(model, params, arguments)
    values: dict[str, Array] = {}
    if arguments.out or arguments.grad:
        values = _values(model, params, given, grad=arguments.grad)
    if arguments.out:
        save_npz(Path(arguments.out), values)
    if watch.unread:
        raise BrokenPipeError
    if arguments.json:
        extents = whole_extents(program, given.inputs, model.load_input)
        shapes = tensor_shapes(program, extents) | _shapes(values)
        print(show_json(_training_object(result, shapes)))
    else:
        print(_summary(result))
        if best is not None and (arguments.save or arguments.out):
            print(f"the params of epoch {best.epoch}, the best, are those that are written")
        if arguments.grad:
            suffix = model.program.cotangent
            grads = {name: value for name, value in values.items() if name.endswith(suffix)}
            print(show_tensors(model.derive().program, grads))
    if watch.stopped:
        print(f"stopped by {NAMES[watch.stopped]}, after a whole step", file=sys.stderr)
        return CODES[watch.stopped]
    return 0


def _holdout(model: Model, given: Given, texts: Sequence[str]) -> float | Given | None:
    """What `--holdout` says: a part or a number of the examples, or others.

    Labels to train on are read before those: they say what the classes are.
    """
    if len(texts) == 1 and NUMBER.fullmatch(texts[0]) and not Path(texts[0]).exists():
        return float(texts[0])
    if any(NUMBER.fullmatch(text) and not Path(text).exists() for text in texts):
        raise Misuse("--holdout: a number stands alone")
    for tensor in model.inputs if texts else ():
        if tensor.integer and tensor.source is not None and tensor.name not in given.inputs:
            model.load_input(tensor)
    return read_data(model, texts) if texts else None


def _learnt(model: Model, result: Result) -> dict[str, Array]:
    """The last params, and the states that forward statements read."""
    states = [tensor.name for tensor in model.learnt if tensor.kind == "state"]
    return {**result.params, **{name: np.asarray(result.state[name]) for name in states}}


def _save(model: Model, params: Mapping[str, Array], arguments: argparse.Namespace) -> None:
    save(params, arguments.save, map=arguments.map, classes=model.classes)


def _evaluate(
    model: Model,
    given: Given,
    params: Mapping[str, Array] | None,
    arguments: argparse.Namespace,
) -> int:
    seed = _options(model, arguments).seed
    start = model.init(seed, data=given.inputs) if params is None else params
    values = _values(model, start, given, grad=arguments.grad)
    if arguments.save:
        _save(model, start, arguments)
    if arguments.out:
        save_npz(Path(arguments.out), values)
    reports = [report.target for report in model.program.reports]
    objective = model.program.objective
    loss = None if objective is None else mean_of(values[objective.tensor])
    if arguments.json:
        found = {name: mean_of(values[name]) for name in model.program.shown}
        print(show_json(_object(loss, {"train": found, "holdout": {}}, [], _shapes(values))))
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


def _shapes(values: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in values.items()}


def _training_object(result: Result, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    found = _object(result.loss, result.reports, result.history, shapes)
    found["holdout_loss"] = result.holdout_loss
    if result.best is not None:
        found["best"] = {"epoch": result.best.epoch, "loss": result.best.loss}
    return found


def _object(
    loss: float | None,
    reports: object,
    history: object,
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, object]:
    return {
        "loss": loss,
        "reports": reports,
        "history": history,
        "tensors": {name: list(shape) for name, shape in shapes.items()},
    }


def _summary(result: Result) -> str:
    """Loss and reports of the last epoch, one a line."""
    pairs = [("loss", result.loss), *result.reports["train"].items()]
    if result.holdout_loss is not None:
        pairs.append(("holdout loss", result.holdout_loss))
        pairs += [(f"holdout {name}", value) for name, value in result.reports["holdout"].items()]
    if result.best is not None and result.best.epoch != len(result.history):
        pairs += [("best epoch", result.best.epoch), ("best loss", result.best.loss)]
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name:<{width}}  {show_number(value)}" for name, value in pairs)
