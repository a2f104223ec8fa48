"""Draw a profile of classes, before and after, as an SVG; the same numbers give the same bytes."""

from __future__ import annotations

from pathlib import Path

from bedrock_rft_sim.data.prepare.balance import Balance
from bedrock_rft_sim.data.prepare.features import label_text
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.files import named_errors, replacing

MOST = 40
"""Classes drawn; the rest are drawn as one."""


def draw_balance(balance: Balance, path: Path, *, title: str) -> None:
    """Write the bars.

    Raises:
        DataError: the file can't be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names, before, after = _bars(balance)
    with mpl.rc_context({"svg.hashsalt": "balance", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 1.2 + 0.3 * len(names)), layout="constrained")
        axes = figure.subplots()
        places = range(len(names))
        axes.barh(places, before, height=0.8, color="#c7d3e3", label="before")
        if balance.after != balance.before:
            axes.barh(places, after, height=0.45, color="#1f5fa8", label="after")
            axes.legend(loc="lower right", frameon=False)
        axes.set_yticks(places, labels=names)
        axes.invert_yaxis()
        axes.set_xlabel("rows")
        axes.set_title(title, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        hint = "choose another path with --plot"
        with (
            named_errors(path, "write the plot", kind=DataError, hint=hint),
            replacing(path) as file,
        ):
            figure.savefig(file, format="svg", metadata={"Date": None})


def _bars(balance: Balance) -> tuple[list[str], list[int], list[int]]:
    labels = list(balance.before)
    rest = labels[MOST:]
    names = [label_text(label).replace("$", r"\$") for label in labels[:MOST]]
    before = [balance.before[label] for label in labels[:MOST]]
    after = [balance.after.get(label, 0) for label in labels[:MOST]]
    if rest:
        names.append(f"{len(rest)} smaller classes")
        before.append(sum(balance.before[label] for label in rest))
        after.append(sum(balance.after.get(label, 0) for label in rest))
    return names, before, after
