"""The pytest plugin: a reward's audit as tests of one's own suite, one test per check.

    def test_my_reward(rft_check):
        rft_check()

It needs a reward and a data file, by --rft-reward and --rft-data or by rft_reward and rft_data in
the ini file, where relative paths count from the ini file's folder.
It loads only names and messages of this project until a test asks for one of its fixtures.
Under pytest-xdist each process that gets a check audits once; `--dist loadgroup` keeps all checks,
and so the audit, in one process.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE, PROFILES

if TYPE_CHECKING:
    from bedrock_rft_sim.data import Row
    from bedrock_rft_sim.grader import Grader
    from bedrock_rft_sim.grader.audit import AuditReport
    from bedrock_rft_sim.grader.audit.report import CheckResult
    from bedrock_rft_sim.grader.reward import RewardFile

FIXTURES = frozenset({"rft_grader", "rft_rows", "rft_report", "rft_check"})
OPTIONS = {
    "rft_reward": "the reward: a shipped name, a .py file, a folder or a .zip",
    "rft_data": "a JSONL of the rows to grade",
    "rft_profile": "where the event carries the reference: "
    f"{' or '.join(PROFILES)} (by default {DEFAULT_PROFILE})",
    "rft_replies": "a JSONL of id and answer: good replies, where references are not phrased so",
}
WAIVERS = "let a check stand that does not matter here, as CHECK=WHY; it then shows as xfailed"
IN_INI_FILE = ("rft_reward", "rft_data", "rft_profile")
WORKER_KEY = "rft_audit"
STATE = pytest.StashKey["_State"]()


class RewardWarning(UserWarning):
    """A check found something doubtful, which is no error."""


@dataclass(frozen=True)
class _Settings:
    """The options; a path is absolute, an unset value None."""

    reward: str | None
    data: Path | None
    profile: str
    replies: Path | None
    waivers: Mapping[str, str]
    json: Path | None


class _State:
    """One session's settings, and its audit once there is one, JSON-ready."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        self.audit: str | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and their ini keys of the same names."""
    group = parser.getgroup("rft", "rewards for Bedrock reinforcement fine-tuning")
    for name, words in OPTIONS.items():
        group.addoption(f"--{name.replace('_', '-')}", default=None, help=words)
    group.addoption("--rft-waive", action="append", default=[], metavar="CHECK=WHY", help=WAIVERS)
    parser.addini("rft_waive", WAIVERS, type="linelist", default=[])
    group.addoption("--rft-json", default=None, help="write the audit to this file as JSON")
    for name in IN_INI_FILE:
        parser.addini(name, OPTIONS[name], default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Check the options; a wrong one ends the session before any test."""
    config.stash[STATE] = _State(_settings(config))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `rft_check` once per check of the audit."""
    if "rft_check" in metafunc.fixturenames:
        from bedrock_rft_sim.grader.audit.checks import CHECKS

        metafunc.parametrize("rft_check", [check.name for check in CHECKS], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Say at once where a test needs a reward or data that was not given."""
    used: set[str] = set()
    for item in items:
        of_item = FIXTURES.intersection(getattr(item, "fixturenames", ()))
        used |= of_item
        if "rft_check" in of_item and config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group("rft_audit"))
    missing = _missing(config.stash[STATE].settings, used)
    if missing is not None and not hasattr(config, "workerinput"):  # which can't end the session
        raise missing


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Under pytest-xdist, take over the audit of a process that has finished."""
    del error
    state = node.config.stash[STATE]
    state.audit = state.audit or getattr(node, "workeroutput", {}).get(WORKER_KEY)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the summary, or under pytest-xdist hand it to the process that does."""
    state = session.config.stash[STATE]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[WORKER_KEY] = state.audit
    elif state.settings.json is not None:
        _write(state)


@pytest.fixture(scope="session")
def rft_grader(pytestconfig: pytest.Config) -> Iterator[Grader]:
    """Give the reward, deployed as Lambda would run it, with its default limits."""
    from bedrock_rft_sim.grader import Grader

    with Grader(_reward(pytestconfig.stash[STATE].settings).once()) as grader:
        yield grader


@pytest.fixture(scope="session")
def rft_rows(pytestconfig: pytest.Config) -> list[Row]:
    """Give the rows of the data file."""
    return _read_rows(pytestconfig.stash[STATE].settings)


@pytest.fixture(scope="session")
def rft_report(pytestconfig: pytest.Config) -> AuditReport:
    """Give the audit of the reward on the rows, run when it is first asked for."""
    state = pytestconfig.stash[STATE]
    report = _audit(state.settings)
    state.audit = json.dumps(report.as_json())
    return report


@pytest.fixture
def rft_check(request: pytest.FixtureRequest, rft_report: AuditReport) -> Callable[[], None]:
    """Give the function that fails if the reward breaks the law of this check."""
    [result] = [check for check in rft_report.checks if check.name == request.param]

    def check() -> None:
        _judge(result, rft_report)

    return check


def _settings(config: pytest.Config) -> _Settings:
    profile = _value(config, "rft_profile") or DEFAULT_PROFILE
    if profile not in PROFILES:
        raise _usage("rft_profile", f"expected {', '.join(PROFILES)}, found {profile!r}")
    return _Settings(
        reward=_reward_path(config),
        data=_path(config, "rft_data", "file", Path.is_file),
        profile=profile,
        replies=_path(config, "rft_replies", "file", Path.is_file),
        waivers=_waivers([*config.getini("rft_waive"), *config.getoption("rft_waive")]),
        json=_path(config, "rft_json", "folder for", lambda path: path.parent.is_dir()),
    )


def _value(config: pytest.Config, name: str) -> str | None:
    stated = config.getoption(name) or (config.getini(name) if name in IN_INI_FILE else None)
    return str(stated) if stated else None


def _path(
    config: pytest.Config, name: str, kind: str, is_right: Callable[[Path], bool]
) -> Path | None:
    """Return the path; a relative one counts from here, or of an ini key from the ini file."""
    value = _value(config, name)
    if value is None:
        return None
    from_ini = not config.getoption(name) and config.inipath is not None
    folder = config.inipath.parent if from_ini and config.inipath else config.invocation_params.dir
    from bedrock_rft_sim.files import expanded

    path = folder / expanded(value)
    if not is_right(path):
        raise _usage(name, f"there is no {kind} {path}")
    return path


def _waivers(stated: Sequence[str]) -> dict[str, str]:
    if not stated:
        return {}
    from bedrock_rft_sim.errors import RecipeError
    from bedrock_rft_sim.grader.audit.checks import refuse_unknown_checks

    waivers = {name: why for name, _, why in (each.partition("=") for each in stated)}
    try:
        refuse_unknown_checks(waivers)
    except RecipeError as error:
        raise _usage("rft_waive", str(error)) from error
    return waivers


def _reward_path(config: pytest.Config) -> str | None:
    """Return where the reward lies: a shipped name's file, or the path."""
    value = _value(config, "rft_reward")
    if value is None or any(mark in value for mark in ("/", "\\", ".")):
        path = _path(config, "rft_reward", "reward", Path.exists)
        return None if path is None else str(path)
    from bedrock_rft_sim.errors import RecipeError
    from bedrock_rft_sim.recipe import find_reward

    try:
        return str(find_reward(value))
    except RecipeError as error:
        raise _usage("rft_reward", str(error)) from error


def _missing(settings: _Settings, used: Set[str]) -> pytest.UsageError | None:
    """Return what is wrong where these fixtures need an option that was not given."""
    if used - {"rft_rows"} and settings.reward is None:
        return _usage("rft_reward", "a test grades with a reward, and none is named")
    if used - {"rft_grader"} and settings.data is None:
        return _usage("rft_data", "a test needs rows, and no data file is named")
    return None


def _usage(name: str, words: str) -> pytest.UsageError:
    option = f"--{name.replace('_', '-')}"
    also = f" (or {name} in the ini file)" if name in (*IN_INI_FILE, "rft_waive") else ""
    return pytest.UsageError(f"{option}{also}: {words}")


def _reward(settings: _Settings) -> RewardFile:
    from bedrock_rft_sim.grader.reward import RewardFile

    if settings.reward is None:
        pytest.fail(str(_missing(settings, {"rft_grader"})), pytrace=False)
    return RewardFile(Path(settings.reward), profile=settings.profile)


def _read_rows(settings: _Settings) -> list[Row]:
    from bedrock_rft_sim.data import read_rows
    from bedrock_rft_sim.errors import DataError

    if settings.data is None:
        pytest.fail(str(_missing(settings, {"rft_rows"})), pytrace=False)
    try:
        return list(read_rows(settings.data))
    except DataError as error:
        pytest.fail(str(error), pytrace=False)


def _audit(settings: _Settings) -> AuditReport:
    from bedrock_rft_sim.errors import RehearsalError
    from bedrock_rft_sim.grader.audit import audit
    from bedrock_rft_sim.grader.audit.saved_answers import read_replies

    reward, rows = _reward(settings), _read_rows(settings)
    try:
        replies = None if settings.replies is None else read_replies(settings.replies)
        return audit(reward, rows, replies=replies, waivers=settings.waivers)
    except RehearsalError as error:  # the reward can't be loaded, or a reply has no row
        pytest.fail(str(error), pytrace=False)


def _judge(result: CheckResult, report: AuditReport) -> None:
    words = _words(result, report)
    if result.status == "FAIL":
        pytest.fail(words, pytrace=False)
    if result.status == "waived":
        pytest.xfail(f"waived: {result.reason}")
    if result.status == "not judged":
        pytest.skip(f"not judged: {result.reason}")
    if result.status == "warn":
        warnings.warn(words, RewardWarning, stacklevel=3)


def _words(result: CheckResult, report: AuditReport) -> str:
    """Return what was found, the smallest event that shows it, and the remedy."""
    lines = [f"{result.name}: {result.law}"]
    for finding in report.findings:
        if finding.check == result.name:
            lines += [f"found: {finding.what}", f"remedy: {finding.remedy}"]
            if finding.evidence_json is not None:
                lines += ["this event shows it:", finding.evidence_json]
    return "\n".join(lines)


def _write(state: _State) -> None:
    from bedrock_rft_sim.files import replace_file

    settings = state.settings
    summary = {
        "reward": settings.reward,
        "data": None if settings.data is None else str(settings.data),
        "profile": settings.profile,
        "audit": None if state.audit is None else json.loads(state.audit),
    }
    assert settings.json is not None
    replace_file(settings.json, (json.dumps(summary, indent=2) + "\n").encode())
