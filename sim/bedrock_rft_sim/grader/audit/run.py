"""Audit a reward: grade right, wrong and malicious answers, and say which laws it breaks.

Every draw is seeded, so the same reward and rows give the same report, times apart.
It proves nothing right; it shows by example what is wrong.

Sources: the checks' own, in `checks.toml`; vf-validate of Prime Intellect's verifiers (gold and
noop).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from bedrock_rft_sim.data import Row
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.grader.audit import determinism, score_spread
from bedrock_rft_sim.grader.audit.audited_grader import AuditedGrader
from bedrock_rft_sim.grader.audit.audited_rows import AuditedRow, answer_row, draw_rows
from bedrock_rft_sim.grader.audit.checks import CHECKS, AuditFinding, refuse_unknown_checks
from bedrock_rft_sim.grader.audit.cost import Alone, AuditWorkload, Cost, check_cost, measure
from bedrock_rft_sim.grader.audit.floor import (
    FLOOR_ROWS_MIN,
    BlindSamples,
    Floor,
    draw_blind,
    measure_floor,
)
from bedrock_rft_sim.grader.audit.grade_wrong import WrongGraded, grade_wrong, padding_pays
from bedrock_rft_sim.grader.audit.plan import AuditPlan, AuditSettings, make_plan
from bedrock_rft_sim.grader.audit.redact import Redactor
from bedrock_rft_sim.grader.audit.references import (
    References,
    check_references,
    grade_references,
    passing,
    variants,
)
from bedrock_rft_sim.grader.audit.report import AuditReport, result_of
from bedrock_rft_sim.grader.audit.wrong_answers import WRONG_ANSWERS
from bedrock_rft_sim.grader.good_replies import boxed, known_replies
from bedrock_rft_sim.grader.grader import Grader
from bedrock_rft_sim.grader.reward import RewardFile
from bedrock_rft_sim.grader.samples import Sample

NO_GRADE = "no good reply was graded"
IN_BOXES = r"good replies end in \boxed{...} here, since behind #### they earn nothing"
ASK_FOR_BOXES = "let the prompts ask for a box, or read a marker as well"
BOXES_TRIED = 8
"""Good replies by which it is told whether this reward reads boxes."""
ALL_ALIKE = "all these answers score the same, so no difference could show"
HANGS = "the reward timed out too often to go on"


def audit(
    reward: RewardFile,
    rows: Sequence[Row],
    *,
    settings: AuditSettings | None = None,
    replies: Mapping[str, str] | None = None,
    waivers: Mapping[str, str] | None = None,
    workload: AuditWorkload | None = None,
    saved: Sequence[tuple[str, str]] = (),
    progress: Callable[[str], None] | None = None,
) -> AuditReport:
    """Audit the reward on these rows under its payload profile.

    `replies` are good replies by row id where the references' own phrasing is not what this reward
    reads; `saved` are sampled answers as (row id, text), for the spread.
    Secrets of this machine and of the function's own environment stay out of the report.

    Raises:
        HandlerError: the handler can't be loaded.
        RecipeError: a waiver names no check.
        DataError: no reply or saved answer belongs to any row.
    """
    refuse_unknown_checks(waivers or {})
    answers, say = _saved_samples(saved, rows), progress or (lambda _: None)
    work = _Work(reward, rows, settings or AuditSettings(), replies, answers, say)
    return work.run(waivers or {}, workload)


class _Work:
    """One audit under way: how many answers each check took so far, and what was found."""

    def __init__(
        self,
        reward: RewardFile,
        rows: Sequence[Row],
        settings: AuditSettings,
        replies: Mapping[str, str] | None,
        saved: Sequence[Sample],
        say: Callable[[str], None],
    ) -> None:
        self._reward, self._rows, self._say = reward, rows, say
        self._settings, self._saved = settings, saved
        self._known, self._given = known_replies(rows, replies), replies is not None
        known_ids = {row.id for row, _ in self._known}
        self._unphrased = [row.id for row in rows if row.id not in known_ids]
        if replies and not self._known:
            raise _no_such_row("no reply belongs to any row", "the replies", rows, replies)
        self.findings: list[AuditFinding] = []
        self.asked: dict[str, int] = {}
        self.untold: dict[str, str] = {}
        self.floor: Floor | None = None
        self.spreads: list[score_spread.ScoreSpread] = []
        self._answers = self._calls = 0
        self._graders: list[AuditedGrader] = []
        self._most = 0  # answers, at most

    def run(self, waivers: Mapping[str, str], workload: AuditWorkload | None) -> AuditReport:
        """Make every check, in the order of the table."""
        started = time.perf_counter()
        found = variants(self._rows, self._reward)
        blind = draw_blind(
            [row for row, _ in self._known],
            self._rows,
            self._settings.subjects,
            is_few=self._settings.rows is not None,
            seed=self._settings.seed,
        )
        plan = make_plan(
            self._settings,
            rows_in_file=len(self._rows),
            rows_phrased=len(self._known),
            variants=len(found),
            saved=len(self._saved),
            blind=len(blind.samples),
            samples_per_event=self._reward.limits.samples_per_event,
        )
        self._say(str(plan))
        self._most = plan.answers
        references = self._references(found, plan)
        rows = self._audited_rows(references, plan)
        cost = None
        if rows and references.scores:
            bag = determinism.mixed_bag(rows, plan.bag)
            pool = self._wrong_answers(references, rows)
            self._floor(blind, top=references.top_score)
            self._spread(references, pool, rows)
            cost = self._determinism(references, bag, workload)
        else:
            grading = ("reference", "profiles")
            self._skip([check.name for check in CHECKS if check.name not in grading], NO_GRADE)
        return self._report(plan, references, cost, waivers, time.perf_counter() - started)

    def _tell(self, stage: str) -> None:
        """Say what is graded now, and how far the audit is."""
        self._say(f"{sum(self.asked.values()):,} of at most {self._most:,} answers, now {stage}")

    def _references(self, found: Sequence[tuple[str, bool]], plan: AuditPlan) -> References:
        self._tell(f"good replies under {len(found)} payload variants")
        references = self._graded_replies(found, plan)
        earns_nothing = bool(references.scores) and references.top_score <= 0
        in_boxes = self._in_boxes(found) if earns_nothing and not self._given else None
        if in_boxes is not None:
            self._known = in_boxes
            references = self._graded_replies(found, plan)
            self.findings.append(AuditFinding("reference", "note", IN_BOXES, ASK_FOR_BOXES))
        self.asked["reference"] = len(references.samples)
        self.asked["profiles"] = len(references.samples) * len(references.others)
        if not references.samples:
            self._skip(["profiles"], NO_GRADE)
        elif not references.others:
            self._skip(["profiles"], HANGS)
        elif not all(result.ok for result in references.results[1:]):
            self._skip(["profiles"], "the other variants fail as the one in use does")
        self.findings += check_references(references, unphrased=self._unphrased)
        return references

    def _graded_replies(self, found: Sequence[tuple[str, bool]], plan: AuditPlan) -> References:
        drawn = self._known
        if plan.rows < len(drawn):
            rng = random.Random(f"rows:{plan.seed}")  # noqa: S311 - reproducible, not secret
            drawn = rng.sample(drawn, plan.rows)
        samples = [answer_row(row, good) for row, good in drawn]
        return self._counted(
            grade_references(self._reward, samples, found, skipped=len(self._unphrased))
        )

    def _in_boxes(self, found: Sequence[tuple[str, bool]]) -> list[tuple[Row, str]] | None:
        """The good replies with their value in a box; None where that earns nothing either."""
        known = [(row, text) for row, good in self._known if (text := boxed(good)) is not None]
        samples = [answer_row(row, text) for row, text in known[:BOXES_TRIED]]
        tried = self._counted(grade_references(self._reward, samples, found, skipped=0))
        return known if tried.top_score > 0 else None

    def _counted(self, references: References) -> References:
        self._answers += references.answers
        self._calls += references.invocations
        return references

    def _audited_rows(self, references: References, plan: AuditPlan) -> list[AuditedRow]:
        """Drawn from the rows whose good reply earned the top score, if there are any."""
        wanted = passing(references) or {sample.id for sample in references.samples}
        known = [pair for pair in self._known if pair[0].id in wanted]
        return draw_rows(known, plan.subjects, others=self._known, seed=plan.seed)

    def _wrong_answers(
        self, references: References, rows: Sequence[AuditedRow]
    ) -> list[tuple[Sample, float]]:
        """Grade what must not score; returns what was graded, these rows' right answers too."""
        with Grader(self._reward.once(containers=1)) as grader:
            audited = self._audited(grader)
            if references.top_score <= 0:
                self._skip([*WRONG_ANSWERS], score_spread.NO_TOP)
                audited.grade([row.answer(row.good) for row in rows])
                audited.grade([row.answer(row.wrong) for row in rows if row.wrong is not None])
                return audited.graded
            results: dict[str, WrongGraded] = {}
            for name in WRONG_ANSWERS:
                if audited.hangs:
                    self._skip([name], HANGS)
                    continue
                self._tell(f"answers that must not score: {name}")
                plain = results.get("wrong-value")
                results[name] = self._wrong_kind(
                    name, audited, rows, top=references.top_score, plain=plain
                )
            if "padding" in results and "wrong-value" in results:
                unpadded, top = results["wrong-value"].scores, references.top_score
                self.findings += padding_pays(audited, results["padding"], unpadded, top=top)
            right = [(row.answer(row.good), references.scores.get(row.data_row.id)) for row in rows]
            known = [(sample, score) for sample, score in right if score is not None]
            return [*known, *audited.graded]

    def _wrong_kind(
        self,
        name: str,
        audited: AuditedGrader,
        rows: Sequence[AuditedRow],
        *,
        top: float,
        plain: WrongGraded | None,
    ) -> WrongGraded:
        graded = grade_wrong(audited, rows, check=name, top=top, plain=plain)
        self.asked[name] = len(graded.samples)
        self.findings += graded.findings
        if graded.untold is not None:
            self._skip([name], graded.untold)
        return graded

    def _floor(self, blind: BlindSamples, *, top: float) -> None:
        if top <= 0:
            self._skip(["floor"], score_spread.NO_TOP)
            return
        self._tell("answers that never saw the reference")
        with Grader(self._reward.once(containers=1)) as grader:
            self.floor, findings = measure_floor(self._audited(grader), blind, top=top)
        self.asked["floor"] = len(blind.samples)
        self.findings += findings
        if self.floor is None:
            self._skip(["floor"], "no strategy was graded on every row")
        elif self.floor.rows < FLOOR_ROWS_MIN:
            self._skip(["floor"], f"fewer than {FLOOR_ROWS_MIN} rows say little")

    def _spread(
        self,
        references: References,
        pool: Sequence[tuple[Sample, float]],
        rows: Sequence[AuditedRow],
    ) -> None:
        with Grader(self._reward.once(containers=1)) as grader:
            audited = self._audited(grader)
            scores, source = [score for _, score in pool], "answers of the audit"
            if self._saved:
                self._tell("saved answers")
                scores, source = list(audited.scores(self._saved).values()), "saved answers"
            top = references.top_score
            spread = score_spread.spread_of(scores, top=top, source=source)
            pair = determinism.mixed_bag(rows, 2)
            self.spreads.append(spread)
            calls = [*references.own.search.invocations, *audited.invocations]
            printed = next((call.printed for call in reversed(calls) if call.printed), "")
            self.untold |= score_spread.untold(spread, top=top)
            self.findings += score_spread.check_spread(
                audited, scores, spread, top=top, pair=pair, printed=printed
            )
            graded = [*pool, *audited.graded]
            self.findings += score_spread.check_range(audited, graded)
        if not graded:
            self._skip(["range"], NO_GRADE)

    def _determinism(
        self, references: References, bag: Sequence[Sample], workload: AuditWorkload | None
    ) -> Cost | None:
        self._tell("determinism, order, batches, containers")
        seed, size, part = self._settings.seed, len(bag), len(bag) // determinism.PARTS
        once = self._reward.once
        with (
            Grader(once(containers=1, samples_per_event=size)) as one,
            Grader(once(containers=determinism.CONTAINERS, samples_per_event=part)) as four,
        ):
            audited, several = self._audited(one), self._audited(four)
            alone = Alone(audited)
            findings = determinism.check_determinism(audited, bag, alone=alone.scores, seed=seed)
            if any(finding.check == "repeat" for finding in findings):
                self._skip(["order", "batch", "containers"], "the same event scores differently")
            elif audited.hangs or not audited.graded:
                self._skip(["repeat", "order", "batch", "containers"], "no event was graded")
            elif findings:
                self._skip(["containers"], "the scores depend on the event as a whole")
            else:
                findings += determinism.check_containers(audited, several, bag)
                if len({score for _, score in audited.graded}) == 1:
                    self._skip(["repeat", "order", "batch", "containers"], ALL_ALIKE)
        self.findings += findings
        self.asked |= {"repeat": 2 * size, "order": size, "batch": 2 * size}
        self.asked["containers"] = determinism.CONTAINERS * size
        with Grader(self._reward.once()) as grader:
            return self._cost(self._audited(grader), references, alone.slowest_s, workload)

    def _cost(
        self,
        audited: AuditedGrader,
        references: References,
        alone: float | None,
        workload: AuditWorkload | None,
    ) -> Cost | None:
        graded = [sample for sample in references.samples if sample.id in references.scores]
        if not graded:
            self._skip(["timeout", "payload"], NO_GRADE)
            return None
        calls = references.own.search.invocations
        cost = measure(audited, graded, calls=calls, slowest_alone_s=alone, workload=workload)
        self.findings += check_cost(audited, cost, graded)
        calls_of_all = (call for each in self._graders for call in each.invocations)
        for warning in sorted({warning for call in calls_of_all for warning in call.warnings}):
            self.findings.append(audited.finding("reply-form", "warning", warning, graded[:1]))
        return cost

    def _audited(self, grader: Grader) -> AuditedGrader:
        self._graders.append(AuditedGrader(grader))
        return self._graders[-1]

    def _skip(self, names: Sequence[str], reason: str) -> None:
        self.untold |= dict.fromkeys(names, reason)

    def _report(
        self,
        plan: AuditPlan,
        references: References,
        cost: Cost | None,
        waivers: Mapping[str, str],
        seconds: float,
    ) -> AuditReport:
        redactor = Redactor(self._reward.environment)
        notes = (finding.severity == "note" for finding in self.findings)
        waived = (
            finding if is_note else replace(finding, waived=waivers.get(finding.check))
            for finding, is_note in zip(self.findings, notes, strict=True)
        )
        findings = tuple(map(redactor.finding, waived))
        checks = tuple(
            result_of(
                check,
                [finding for finding in findings if finding.check == check.name],
                asked=self.asked.get(check.name),
                untold=self.untold.get(check.name),
                waiver=waivers.get(check.name),
            )
            for check in CHECKS
        )
        needed = {finding.check for finding in findings if finding.waived}
        return AuditReport(
            profile=self._reward.profile,
            wrapped=self._reward.wrap,
            plan=plan,
            top_score=references.top_score,
            profiles=tuple(map(redactor.profile_result, references.results)),
            checks=checks,
            findings=findings,
            floor=self.floor,
            spreads=tuple(self.spreads),
            cost=cost,
            unneeded_waivers=tuple(name for name in waivers if name not in needed),
            answers=self._answers + sum(each.answers for each in self._graders),
            invocations=self._calls + sum(each.calls for each in self._graders),
            seconds=seconds,
        )


def _saved_samples(saved: Sequence[tuple[str, str]], rows: Sequence[Row]) -> list[Sample]:
    """Sampled answers with their rows; answers to unknown rows are left out."""
    by_id = {row.id: row for row in rows}
    samples = [
        answer_row(by_id[name], text, kind=str(number))
        for number, (name, text) in enumerate(saved)
        if name in by_id
    ]
    if saved and not samples:
        names = [name for name, _ in saved]
        raise _no_such_row("no saved answer belongs to any row", "the saved answers", rows, names)
    return samples


def _no_such_row(what: str, where: str, rows: Sequence[Row], found: Collection[str]) -> DataError:
    return DataError(
        what,
        where=where,
        expected="ids of the data, such as " + ", ".join(row.id for row in rows[:3]),
        found=", ".join(list(found)[:3]),
    )
