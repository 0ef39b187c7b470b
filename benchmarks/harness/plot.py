"""Outcomes as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.measure import Outcome
from benchmarks.harness.suite import OWN, Suite


def plot(suite: Suite, outcomes: Sequence[Outcome], path: Path) -> None:
    """Bars: each contender's time over einbatch's, for each case, on a logarithmic axis.

    Bounds are grey.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter

    shown = [outcome for outcome in outcomes if OWN in outcome.times]
    others = [c for c in suite.contenders if c.name != OWN]
    names = [c.name for c in others if any(c.name in o.times for o in shown)]
    bounds = {c.name for c in others if c.is_bound}
    width = 0.8 / max(1, len(names))
    figure, axes = plt.subplots(figsize=(max(6.0, 1.5 + 1.6 * len(shown)), 4.5))
    for number, name in enumerate(names):
        present = [k for k, outcome in enumerate(shown) if name in outcome.times]
        heights = [shown[k].microseconds[name] / shown[k].microseconds[OWN] for k in present]
        places = [k + (number - (len(names) - 1) / 2) * width for k in present]
        look = {"color": "lightgrey", "hatch": "//"} if name in bounds else {"color": f"C{number}"}
        axes.bar(places, [h - 1 for h in heights], width, bottom=1, label=name, **look)
    axes.axhline(1, color="black", linewidth=1.2, label=OWN)
    axes.set_yscale("log", base=2)
    axes.margins(y=0.1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    axes.set_xticks(range(len(shown)), [outcome.case for outcome in shown])
    axes.set_ylabel("time over einbatch's (above 1×: slower)")
    axes.set_title(suite.title)
    axes.grid(axis="y", linewidth=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)
