"""The page that lays two groups of curves over each other."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bedrock_rft_sim.compare import compare, order
from bedrock_rft_sim.compare.series import Curve, Curves
from bedrock_rft_sim.errors import DataError, RunFolderError
from bedrock_rft_sim.report.overlay import (
    Overlay,
    PictureStyle,
    lines_of,
    page,
    picture,
    smooth,
    write_csv,
    write_overlay,
)

HOSTILE = "<script>alert('x')</script>$\\frac{1}{2}$ _\u202e.json"


def line(name: str, shift: float, *, slope: float = 0.01, steps: int = 40) -> Curves:
    def curve(metric: str, start: float) -> Curve:
        values = tuple(start + slope * step + shift for step in range(1, steps + 1))
        return Curve(metric, tuple(range(1, steps + 1)), values)

    series = {
        "critic_rewards_mean": curve("critic_rewards_mean", 0.3),
        "response_length_mean": curve("response_length_mean", 40.0),
    }
    return Curves(name, "run", series, total_steps=steps, prompts_per_step=16)


@pytest.fixture
def pair() -> Overlay:
    a = [line(f"seed{seed}", seed / 1000) for seed in range(3)]
    b = [line(HOSTILE, 0.0105, slope=-0.005)]
    a[0].series["validation_rewards_mean"] = Curve(  # type: ignore[index]
        "validation_rewards_mean", (0, 20, 40), (0.2, 0.5, 0.6)
    )
    return Overlay(compare(a, b, resamples=50), a, b, "seed0, seed1, seed2", HOSTILE)


class Tags(HTMLParser):
    """Every tag that opens, with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_hostile_names_stay_text_and_nothing_is_run_or_fetched(pair: Overlay) -> None:
    html = page([pair])
    tags = Tags(html).found
    assert not [tag for tag, _ in tags if tag in ("script", "iframe", "img", "object", "link")]
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert not (attributes.get("href") or "#").startswith(("http", "javascript"))
    (policy,) = [
        attributes["content"]
        for tag, attributes in tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html


def test_the_page_has_the_verdict_the_titles_and_the_reasons(pair: Overlay) -> None:
    html = page([pair])
    text = re.sub(r"<[^>]+>", " ", html)
    assert pair.comparison.verdict == "different"
    assert pair.comparison.words in text
    for title in ("Training rewards", "Training episode lengths", "Validation rewards"):
        assert title in text
    assert "Policy entropy" not in text  # nobody has it
    assert "A is rising, B falling" in text
    assert "Only A has it" in text


def test_the_bands_of_aws_s_experiments_are_drawn_under_rewards_where_asked_for(
    pair: Overlay,
) -> None:
    words = b"AWS's experiments, other models"
    assert picture(pair, "svg").count(words) == 0
    assert picture(replace(pair, bands=True), "svg").count(words) == len(
        {one.metric for one in pair.comparison.known} - {"response_length_mean"}
    )


def test_the_same_numbers_give_the_same_bytes(pair: Overlay) -> None:
    assert page([pair]) == page([pair])  # with the SVG inside
    for form in ("png", "pdf"):
        assert picture(pair, form) == picture(pair, form)


def test_the_picture_is_an_svg_with_titles_as_text(pair: Overlay) -> None:
    tree = ElementTree.fromstring(picture(pair, "svg"))
    texts = "".join(tree.itertext())
    assert "Training rewards: different" in texts
    assert "seed0, seed1, seed2" in texts
    assert "script" not in {element.tag.rpartition("}")[2] for element in tree.iter()}


def test_page_and_pictures_are_written_and_an_order_is_told(pair: Overlay, tmp_path: Path) -> None:
    runs = pair.a[1:]
    other = Overlay(compare(runs, pair.b, resamples=0), runs, pair.b, "other", "job")
    found = order([pair.a, other.a], [pair.b, other.b], resamples=50)
    files = write_overlay(tmp_path / "new" / "folder", [pair, other], found)
    assert [file.name for file in files] == [
        "compare.html",
        "compare-1.svg",
        "compare-1.png",
        "compare-2.svg",
        "compare-2.png",
    ]
    assert files[2].read_bytes().startswith(b"\x89PNG")
    assert "Order of the recipes" in files[0].read_text()
    assert sorted(path.name for path in files[0].parent.iterdir()) == sorted(
        file.name for file in files
    )


def test_a_disk_that_refuses_is_one_message(pair: Overlay, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="can't"):
        write_overlay(tmp_path / "file", [pair])


def test_a_picture_may_hold_one_panel_without_its_verdict(pair: Overlay, tmp_path: Path) -> None:
    style = PictureStyle(("svg", "pdf"), ["training rewards"], verdicts=False)
    _, svg, pdf = write_overlay(tmp_path, [replace(pair, label_a="GRPO, 3 seeds")], style=style)
    text = "".join(ElementTree.fromstring(svg.read_bytes()).itertext())
    assert "Training rewards" in text
    assert "GRPO, 3 seeds" in text
    assert "different" not in text
    assert "episode lengths" not in text
    assert pdf.read_bytes().startswith(b"%PDF")
    with pytest.raises(DataError, match="Training rewards, Validation rewards"):
        write_overlay(tmp_path, [pair], style=PictureStyle(panels=["Nonsense"]))


def test_the_csv_holds_the_values_that_are_drawn(pair: Overlay, tmp_path: Path) -> None:
    write_csv(tmp_path / "curves.csv", [pair])
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rewards = [row for row in rows if row["metric"] == "critic_rewards_mean"]
    seed = [float(row["y"]) for row in rewards if row["run"] == "seed1"]
    assert seed == list(pair.a[1].series["critic_rewards_mean"].values)
    assert [row["x"] for row in rewards if row["run"] == "seed1"][:2] == ["16.0", "32.0"]
    kinds = {(row["side"], row["kind"]) for row in rewards}
    assert kinds == {("A", kind) for kind in ("run", "mean", "low", "high")} | {
        ("B", "run"),
        ("B", "mean"),
    }
    lengths = next(row for row in rows if row["metric"] == "response_length_mean")
    assert lengths["unit"] == "times its start"
    assert len(rows) == sum(len(line.x) for line in lines_of(pair))


def test_a_drawn_curve_does_not_bend_to_its_last_point() -> None:
    straight = np.linspace(0.2, 0.8, 40)
    assert smooth(straight) == pytest.approx(straight)
    odd = straight.copy()
    odd[-1] = odd[0] = 0.5
    ends = smooth(odd)[[0, -1]]
    assert ends == pytest.approx(straight[[0, -1]], abs=0.15)  # as it would be without that point
    assert np.ptp(smooth(np.array([0.0] * 10 + [1.0] * 10))) == 1.0  # never beyond what was seen
    assert smooth(np.array([0.5])) == pytest.approx([0.5])


def test_what_gain_means_stands_beside_the_number(pair: Overlay) -> None:
    html = page([pair])
    assert html.index("share of the room above the start") < html.index("<th>Gain</th>")
    assert html.index("<th>Confidence</th>") > html.index("How sure")
