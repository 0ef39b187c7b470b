"""Folders of runs, as training writes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import einbatch as eb
from einbatch.data import minibatch_order, split_holdout
from einbatch.model.interpreter import Model

Event = dict[str, object]


def train_run(
    folder: Path, program: Path, epochs: int, holdout: float = 0.2, lr: float | None = None
) -> Path:
    """Trains a program whose inputs all come from files, and writes the folder of the run."""
    model = eb.load(program)
    settings = {} if lr is None else {"lr": lr}
    data = {tensor.name: model.load_input(tensor) for tensor in model.inputs if tensor.source}
    trainer = model.trainer(seed=0, **settings)
    count = len(next(iter(data.values())))
    trained, held = split_holdout(count, holdout, 0)
    names = [report.target for report in model.program.reports]

    def measure(which: np.ndarray) -> tuple[float, dict[str, float]]:
        values = model.forward(
            trainer.params, {k: v[which] for k, v in data.items()}, outputs=("loss", *names)
        )
        return float(values["loss"].mean()), {name: float(values[name]) for name in names}

    events: list[Event] = [{"event": "start", "step": 0}]
    step = 0
    for epoch in range(1, epochs + 1):
        for order in minibatch_order(len(trained), 32, 0, epoch - 1):
            batch = trained[order]
            _, reports = measure(batch)
            loss = trainer.step({k: v[batch] for k, v in data.items()})
            step += 1
            events.append(
                {
                    "event": "step",
                    "step": step,
                    "epoch": epoch,
                    "loss": loss,
                    "reports": reports,
                    "seconds": step * 0.0005,
                }
            )
        (loss, train), (held_loss, held_reports) = measure(trained), measure(held)
        events.append(
            {
                "event": "epoch",
                "epoch": epoch,
                "step": step,
                "loss": loss,
                "holdout_loss": held_loss,
                "reports": {"train": train, "holdout": held_reports},
                "seconds": step * 0.0005,
            }
        )
    events.append({"event": "checkpoint", "step": step, "path": f"checkpoints/step-{step:08}"})
    events.append({"event": "end", "reason": "done", "step": step})
    options = {"batch": 32, "epochs": epochs, "holdout": holdout}
    write_run(
        folder,
        model,
        program,
        events,
        options=options,
        extents={"b": count, "B": count} | sizes(model),
    )
    write_checkpoint(folder, step, trainer.params)
    return folder


def sizes(model: Model) -> dict[str, int]:
    """The extents that a program fixes itself."""
    indices = model.program.indices
    return {i.name: int(i.extent.value) for i in indices if hasattr(i.extent, "value")}


def write_run(
    folder: Path, model: Model, program: Path, events: list[Event], **more: object
) -> None:
    """`run.json` and `log.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "format": 1,
        "program": {"path": str(program), "text": model.front.source.text},
        "constants": {},
        "dtype": model.dtype,
        "backend": "numpy",
        "seed": 0,
        "options": {},
        "extents": {},
        "versions": {"einbatch": "0.1.0", "python": "3.11.7", "numpy": "2.3.0"},
        "data": {t.name: t.source for t in model.inputs if t.source},
    }
    (folder / "run.json").write_text(json.dumps(run | more, ensure_ascii=False), "utf-8")
    lines = (json.dumps(event, ensure_ascii=False) + "\n" for event in events)
    (folder / "log.jsonl").write_text("".join(lines), "utf-8")


def write_checkpoint(folder: Path, step: int, params: dict[str, np.ndarray]) -> None:
    """A checkpoint of params alone."""
    place = folder / "checkpoints" / f"step-{step:08}"
    place.mkdir(parents=True)
    eb.save(params, place / "params.safetensors")
    eb.save({"step": np.asarray(step)}, place / "state.safetensors")
    (place / "manifest.json").write_text("{}", "utf-8")
