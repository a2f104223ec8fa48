"""Audit a reward: ask it right, wrong and malicious answers, and say which laws it breaks.

Every draw is seeded, so the same reward and rows give the same report, times apart.
It proves nothing right; it shows by example what is wrong.

Sources: the checks' own, in `bedrock_rft_sim.grader.audit.checks`; vf-validate of Prime Intellect's
verifiers (gold and noop).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.grader.audit.bad_answers import Asked, ask_bad_answers, padding_pays
from bedrock_rft_sim.grader.audit.bench import Bench
from bedrock_rft_sim.grader.audit.checks import CHECKS, refuse_unknown_checks
from bedrock_rft_sim.grader.audit.containers import CONTAINERS, check_containers
from bedrock_rft_sim.grader.audit.cost import Alone, Cost, Workload, check_cost, measure
from bedrock_rft_sim.grader.audit.determinism import PARTS, check_determinism, mixed_bag
from bedrock_rft_sim.grader.audit.findings import Finding
from bedrock_rft_sim.grader.audit.hacks import HACKS
from bedrock_rft_sim.grader.audit.opener import OpenGrader
from bedrock_rft_sim.grader.audit.plan import AuditSettings, Plan, make_plan
from bedrock_rft_sim.grader.audit.redact import Redactor
from bedrock_rft_sim.grader.audit.references import (
    References,
    check_references,
    grade_references,
    passing,
    variants,
)
from bedrock_rft_sim.grader.audit.report import AuditReport, result_of
from bedrock_rft_sim.grader.audit.spread import Spread, check_range, check_spread, spread_of
from bedrock_rft_sim.grader.audit.subjects import Subject, answer_row, draw_subjects, good_replies
from bedrock_rft_sim.grader.audit.wrong import WRONG
from bedrock_rft_sim.grader.gold import Record
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.records import Sample

NO_TOP = "no good reply earns a score, so there is no top score that others must not earn"
NO_GRADE = "no good reply was graded"
HANGS = "the reward timed out too often to be asked further"


def audit(
    open_grader: OpenGrader,
    rows: Sequence[Record],
    *,
    profile: str = DEFAULT_PROFILE,
    wrap: bool = False,
    settings: AuditSettings | None = None,
    replies: Mapping[str, str] | None = None,
    waivers: Mapping[str, str] | None = None,
    workload: Workload | None = None,
    saved: Sequence[tuple[str, str]] = (),
    environment: Mapping[str, str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> AuditReport:
    """Audit the reward on these rows under a payload profile.

    `replies` are good replies by row id where the references' own phrasing is not what this reward
    reads; `saved` are sampled answers as (row id, text), for the spread; `environment` holds the
    function's own variables, whose secrets stay out of the report.

    Raises:
        HandlerError: the handler can't be loaded.
        RecipeError: a waiver names no check.
        DataError: no reply or saved answer belongs to any row.
    """
    refuse_unknown_checks(waivers or {})
    work = _Work(
        open_grader,
        rows,
        variant=(profile, wrap),
        settings=settings or AuditSettings(),
        replies=replies,
        saved=_saved_samples(saved, rows),
        redactor=Redactor(environment),
        say=progress or (lambda _: None),
    )
    return work.run(waivers or {}, workload)


class _Work:
    """One audit under way: what was asked so far and what was found."""

    def __init__(
        self,
        open_grader: OpenGrader,
        rows: Sequence[Record],
        *,
        variant: tuple[str, bool],
        settings: AuditSettings,
        replies: Mapping[str, str] | None,
        saved: Sequence[Sample],
        redactor: Redactor,
        say: Callable[[str], None],
    ) -> None:
        self._open, self._redactor, self._say = open_grader, redactor, say
        self._profile, self._wrap = variant
        self._settings, self._saved = settings, saved
        self._known = good_replies(rows, replies)
        known_ids = {row.id for row, _ in self._known}
        self._unphrased = [row.id for row in rows if row.id not in known_ids]
        if replies and not self._known:
            raise DataError(
                "no reply belongs to any row",
                where="the replies",
                expected="ids of the data, such as " + ", ".join(self._unphrased[:3]),
                found=", ".join(list(replies)[:3]),
            )
        self._rows = rows
        self.findings: list[Finding] = []
        self.asked: dict[str, int] = {}
        self.not_judged: dict[str, str] = {}
        self.spreads: list[Spread] = []
        self._benches: list[Bench] = []

    def run(self, waivers: Mapping[str, str], workload: Workload | None) -> AuditReport:
        """Ask everything, in the order of the table."""
        started = time.perf_counter()
        found = variants(self._rows, profile=self._profile, wrap=self._wrap)
        with self._open(self._profile) as grader:
            size = grader.limits.samples_per_event
        plan = self._plan(len(found), size)
        self._say(str(plan))
        references = self._references(found, plan)
        subjects = self._subjects(references, plan)
        cost = None
        if subjects and references.scores:
            bag = mixed_bag(subjects, plan.bag)
            pool = self._bad_answers(references, subjects)
            self._spread(references, pool, subjects)
            cost = self._determinism(references, bag, workload)
        else:
            grading = ("reference", "profiles")
            self._skip([check.name for check in CHECKS if check.name not in grading], NO_GRADE)
        return self._report(plan, references, cost, waivers, time.perf_counter() - started)

    def _plan(self, count: int, size: int) -> Plan:
        return make_plan(
            self._settings,
            rows_in_file=len(self._rows),
            rows_phrased=len(self._known),
            variants=count,
            saved=len(self._saved),
            samples_per_event=size,
        )

    def _references(self, found: Sequence[tuple[str, bool]], plan: Plan) -> References:
        self._say(f"good replies under {len(found)} payload variants")
        drawn = self._known
        if plan.rows < len(drawn):
            rng = random.Random(f"rows:{plan.seed}")  # noqa: S311 - reproducible, not secret
            drawn = rng.sample(drawn, plan.rows)
        samples = [answer_row(row, good) for row, good in drawn]
        references = grade_references(
            self._open, samples, found, skipped=len(self._unphrased), redactor=self._redactor
        )
        self.asked["reference"] = len(samples)
        self.asked["profiles"] = len(samples) * len(references.others)
        if not all(result.ok for result in references.results):
            self._skip(["profiles"], "the other variants fail as the one in use does")
        self.findings += check_references(
            references, unphrased=self._unphrased, redactor=self._redactor
        )
        return references

    def _subjects(self, references: References, plan: Plan) -> list[Subject]:
        """Drawn from the rows whose good reply earned the top score, if there are any."""
        right = passing(references)
        graded = {sample.id for sample in references.samples}
        known = [pair for pair in self._known if pair[0].id in (right or graded)]
        return draw_subjects(known, plan.subjects, others=self._known, seed=plan.seed)

    def _bad_answers(
        self, references: References, subjects: Sequence[Subject]
    ) -> list[tuple[Sample, float]]:
        """Ask what must not score; returns what was graded, these rows' right answers too."""
        kinds = {**WRONG, **HACKS}
        with self._open(self._profile, containers=1) as grader:
            bench = self._bench(grader)
            if references.top_score <= 0:
                self._skip([*kinds], NO_TOP)
                bench.ask([subject.answer(subject.good) for subject in subjects])
                wrong = {s.row.id: s.answer(s.wrong) for s in subjects if s.wrong is not None}
                bench.ask(list(wrong.values()))
                return bench.graded
            results: dict[str, Asked] = {}
            for name, phrase in kinds.items():
                if bench.hangs:
                    self._skip([name], HANGS)
                    continue
                self._say(f"answers that must not score: {name}")
                asked = ask_bad_answers(
                    bench, subjects, check=name, phrase=phrase, top=references.top_score
                )
                results[name] = asked
                self._note(name, asked)
            if "padding" in results and "wrong-value" in results:
                plain = results["wrong-value"].scores
                top = references.top_score
                self.findings += padding_pays(bench, results["padding"], plain, top=top)
            right = [(s.answer(s.good), references.scores.get(s.row.id)) for s in subjects]
            known = [(sample, score) for sample, score in right if score is not None]
            return [*known, *bench.graded]

    def _note(self, name: str, asked: Asked) -> None:
        self.asked[name] = len(asked.samples)
        self.findings += asked.findings
        if not asked.samples:
            self._skip([name], "no such answer can be phrased for these references")

    def _spread(
        self,
        references: References,
        pool: Sequence[tuple[Sample, float]],
        subjects: Sequence[Subject],
    ) -> None:
        with self._open(self._profile, containers=1) as grader:
            bench = self._bench(grader)
            scores, source = [score for _, score in pool], "answers of the audit"
            if self._saved:
                self._say("saved answers")
                scores, source = list(bench.scores(self._saved).values()), "saved answers"
            top = references.top_score
            spread = spread_of(scores, top=top, source=source)
            pair = mixed_bag(subjects, 2)
            self.spreads.append(spread)
            self.findings += check_spread(bench, scores, spread, top=top, pair=pair)
            self.findings += check_range(bench, [*pool, *bench.graded])

    def _determinism(
        self, references: References, bag: Sequence[Sample], workload: Workload | None
    ) -> Cost | None:
        self._say("determinism, order, batches, containers")
        seed, part = self._settings.seed, len(bag) // PARTS
        with (
            self._open(self._profile, containers=1, samples_per_event=len(bag)) as one,
            self._open(self._profile, containers=CONTAINERS, samples_per_event=part) as four,
        ):
            bench, several = self._bench(one), self._bench(four)
            alone = Alone(bench)
            findings = check_determinism(bench, bag, alone=lambda: alone.scores(bag), seed=seed)
            if any(finding.check == "repeat" for finding in findings):
                self._skip(["order", "batch", "containers"], "the same event scores differently")
            elif bench.hangs or not bench.graded:
                self._skip(["repeat", "order", "batch", "containers"], "no event was graded")
            elif findings:
                self._skip(["containers"], "the scores depend on the event as a whole")
            else:
                findings += check_containers(bench, several, bag)
            self.findings += findings
            self.asked |= {"repeat": 2 * len(bag), "order": len(bag), "batch": 2 * len(bag)}
            self.asked["containers"] = CONTAINERS * len(bag)
        with self._open(self._profile) as grader:
            return self._cost(self._bench(grader), references, alone.slowest_s, workload)

    def _cost(
        self, bench: Bench, references: References, alone: float | None, workload: Workload | None
    ) -> Cost | None:
        graded = [sample for sample in references.samples if sample.id in references.scores]
        if not graded:
            self._skip(["timeout", "payload"], NO_GRADE)
            return None
        calls = references.own.invocations
        cost = measure(bench, graded, calls=calls, slowest_alone_s=alone, workload=workload)
        self.findings += check_cost(bench, cost, graded)
        warnings = {warning for each in self._benches for warning in each.warnings}
        for warning in sorted(warnings):
            self.findings.append(bench.finding("reply-form", "warning", warning, graded[:1]))
        return cost

    def _bench(self, grader: Grader) -> Bench:
        bench = Bench(grader, self._profile, self._wrap, self._redactor)
        self._benches.append(bench)
        return bench

    def _skip(self, names: Sequence[str], reason: str) -> None:
        self.not_judged |= dict.fromkeys(names, reason)

    def _report(
        self,
        plan: Plan,
        references: References,
        cost: Cost | None,
        waivers: Mapping[str, str],
        seconds: float,
    ) -> AuditReport:
        findings = [
            replace(finding, waived=waivers.get(finding.check))
            if finding.severity != "note"
            else finding
            for finding in self.findings
        ]
        checks = tuple(
            result_of(
                check,
                [finding for finding in findings if finding.check == check.name],
                asked=self.asked.get(check.name),
                not_judged=self.not_judged.get(check.name),
                waiver=waivers.get(check.name),
            )
            for check in CHECKS
        )
        needed = {finding.check for finding in findings if finding.waived}
        return AuditReport(
            profile=self._profile,
            wrapped=self._wrap,
            plan=plan,
            top_score=references.top_score,
            profiles=references.results,
            checks=checks,
            findings=tuple(findings),
            spreads=tuple(self.spreads),
            cost=cost,
            unneeded_waivers=tuple(name for name in waivers if name not in needed),
            answers=references.answers + sum(bench.answers for bench in self._benches),
            invocations=references.invocations + sum(bench.calls for bench in self._benches),
            seconds=seconds,
        )


def _saved_samples(saved: Sequence[tuple[str, str]], rows: Sequence[Record]) -> list[Sample]:
    """Sampled answers with their rows; answers to unknown rows are left out."""
    by_id = {row.id: row for row in rows}
    samples = [
        answer_row(by_id[name], text, kind=str(number))
        for number, (name, text) in enumerate(saved)
        if name in by_id
    ]
    if saved and not samples:
        raise DataError(
            "no saved answer belongs to any row",
            where="the saved answers",
            expected="ids of the data, such as " + ", ".join(list(by_id)[:3]),
            found=", ".join(name for name, _ in saved[:3]),
        )
    return samples
