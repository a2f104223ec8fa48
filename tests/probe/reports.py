"""Reports on made-up samples, whose grades a test chooses."""

from __future__ import annotations

from bedrock_rft_sim.probe.report import Probed, ProbeReport, summarise
from bedrock_rft_sim.probe.sample import ProbeSample
from bedrock_rft_sim.recipe import load_recipe

SETTINGS = load_recipe("quickstart").settings


def sample(prompt: int, number: int, grade: float) -> ProbeSample:
    found = {"name": "answer_found", "value": float(grade > 0), "type": "Metric"}
    return ProbeSample(f"p{prompt}", prompt, number, "x", 10, 20, "stop", grade, [found])


def report_on(*grades_P_K: list[float], asked: int | None = None) -> ProbeReport:
    samples = [
        sample(p, g, grade)
        for p, grades_K in enumerate(grades_P_K)
        for g, grade in enumerate(grades_K)
    ]
    probed = Probed(
        recipe="r",
        model="m",
        is_local=True,
        on_bedrock=False,
        prompts_asked=len(grades_P_K),
        samples_per_prompt=len(grades_P_K[0]) if asked is None else asked,
    )
    report = summarise(samples, probed=probed, settings=SETTINGS)
    assert report is not None
    return report
