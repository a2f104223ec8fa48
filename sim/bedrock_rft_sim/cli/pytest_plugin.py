"""The pytest plugin: a reward's audit as tests of one's own suite, one test per check.

    def test_my_reward(rft_check):
        rft_check()

It needs a reward and a data file: by --rft-reward and --rft-data, by rft_reward and rft_data in the
ini file (relative paths count from its folder), or by a mark (from the test file's folder):

    @pytest.mark.rft(reward="my_reward.py", data="rows.jsonl")

so that one suite holds several rewards. A reward or data file that is missing or wrong fails the
tests that use it. It loads only names and messages of this project until a test asks for one of its
fixtures. Under pytest-xdist each process that gets a check audits once; `--dist loadgroup` keeps
all checks of a reward, and so its audit, in one process.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from bedrock_rft_sim.contract.payload_profiles import DEFAULT_PROFILE, PROFILES

if TYPE_CHECKING:
    from bedrock_rft_sim.data import Row
    from bedrock_rft_sim.grader import Grader
    from bedrock_rft_sim.grader.audit import AuditReport
    from bedrock_rft_sim.grader.audit.report import CheckResult
    from bedrock_rft_sim.grader.reward import RewardFile

CHOICE = "_rft_settings"
"""The fixture behind the others: what the test's mark says, or else the options."""
MARK_WORDS = "reward=..., data=..., profile=..., replies=..., waive={CHECK: WHY}"
MARK = f"rft({MARK_WORDS}): what a test grades with; what is left out is taken from the options"
MARK_SHOWN = "@pytest.mark.rft"
MARK_KEYS = ("reward", "data", "profile", "replies", "waive")
OPTIONS = {
    "rft_reward": "the reward: a shipped name, a .py file, a folder or a .zip",
    "rft_data": "a JSONL of the rows to grade",
    "rft_profile": "where the event carries the reference: "
    f"{' or '.join(PROFILES)} (by default {DEFAULT_PROFILE})",
    "rft_replies": "a JSONL of id and answer: good replies, where references are not phrased so",
}
WAIVERS = "let a check stand that does not matter here, as CHECK=WHY; it then shows as xfailed"
WORKER_KEY = "rft_audit"
STATE = pytest.StashKey["_State"]()


class RewardWarning(UserWarning):
    """A check found something doubtful, which is no error."""


@dataclass(frozen=True)
class _Settings:
    """What a test grades with; a path is absolute and may lead nowhere, an unset value is None."""

    reward: str | None
    """A path, or a shipped name."""
    data: Path | None
    profile: str
    replies: Path | None
    waivers: tuple[tuple[str, str], ...]
    problem: str | None = None
    """What is wrong with the test's mark."""

    @property
    def key(self) -> str:
        """Return what tells it from others, and survives the way between processes."""
        return json.dumps(self.as_json())

    def as_json(self) -> dict[str, Any]:
        data, replies = (None if path is None else str(path) for path in (self.data, self.replies))
        return {
            "reward": self.reward,
            "data": data,
            "profile": self.profile,
            "replies": replies,
            "waived": dict(self.waivers),
        }


@dataclass
class _State:
    """One session's settings, and its audits so far, JSON-ready, by the key of their settings."""

    settings: _Settings
    json: Path | None
    marked: dict[_Settings, _Settings] = field(default_factory=dict)
    """One object for equal marks: pytest keeps a fixture as long as its parameter is the same."""
    reports: dict[_Settings, AuditReport] = field(default_factory=dict)
    audits: dict[str, str] = field(default_factory=dict)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and their ini keys of the same names."""
    group = parser.getgroup("rft", "rewards for Bedrock reinforcement fine-tuning")
    for name, words in OPTIONS.items():
        group.addoption(f"--{name.replace('_', '-')}", default=None, help=words)
    group.addoption("--rft-waive", action="append", default=[], metavar="CHECK=WHY", help=WAIVERS)
    parser.addini("rft_waive", WAIVERS, type="linelist", default=[])
    group.addoption("--rft-json", default=None, help="write the audit to this file as JSON")
    for name in OPTIONS:
        parser.addini(name, OPTIONS[name], default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Check the options; a wrong one ends the session before any test."""
    config.addinivalue_line("markers", MARK)
    json_path = _path(config, "rft_json")
    if json_path is not None and not json_path.parent.is_dir():
        raise _usage("rft_json", f"there is no folder for {json_path}")
    config.stash[STATE] = _State(_settings(config), json_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with what its mark says, and one that asks for `rft_check` once per check."""
    mark = metafunc.definition.get_closest_marker("rft")
    if mark is not None and CHOICE in metafunc.fixturenames:
        state = metafunc.config.stash[STATE]
        stated = _marked(mark, metafunc.definition.path.parent, state.settings)
        settings = state.marked.setdefault(stated, stated)
        name = Path(settings.reward or "reward").name
        metafunc.parametrize(CHOICE, [settings], ids=[name], indirect=True, scope="session")
    if "rft_check" in metafunc.fixturenames:
        from bedrock_rft_sim.grader.audit.checks import CHECKS

        metafunc.parametrize("rft_check", [check.name for check in CHECKS], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Under pytest-xdist, keep the checks of one audit together."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        if "rft_check" in getattr(item, "fixturenames", ()):
            callspec = getattr(item, "callspec", None)
            settings = callspec.params.get(CHOICE) if callspec else None
            group = f"rft_audit {settings.key}" if settings else "rft_audit"
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Under pytest-xdist, take over the audit of a process that has finished."""
    del error
    node.config.stash[STATE].audits.update(getattr(node, "workeroutput", {}).get(WORKER_KEY, {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the summary, or under pytest-xdist hand it to the process that does."""
    state = session.config.stash[STATE]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[WORKER_KEY] = state.audits
    elif state.json is not None:
        _write(state, state.json)


@pytest.fixture(scope="session", name=CHOICE)
def _chosen(request: pytest.FixtureRequest) -> _Settings:
    settings: _Settings = getattr(request, "param", request.config.stash[STATE].settings)
    if settings.problem is not None:
        pytest.fail(settings.problem, pytrace=False)
    return settings


@pytest.fixture(scope="session")
def rft_grader(_rft_settings: _Settings) -> Iterator[Grader]:
    """Give the reward, deployed as Lambda would run it, with its default limits."""
    from bedrock_rft_sim.grader import Grader

    with Grader(_reward(_rft_settings).once()) as grader:
        yield grader


@pytest.fixture(scope="session")
def rft_rows(_rft_settings: _Settings) -> list[Row]:
    """Give the rows of the data file."""
    return _read_rows(_rft_settings)


@pytest.fixture(scope="session")
def rft_report(_rft_settings: _Settings, pytestconfig: pytest.Config) -> AuditReport:
    """Give the audit of the reward on the rows, run when it is first asked for."""
    state = pytestconfig.stash[STATE]
    if _rft_settings not in state.reports:
        report = state.reports[_rft_settings] = _audit(_rft_settings)
        state.audits[_rft_settings.key] = json.dumps(report.as_json())
    return state.reports[_rft_settings]


@pytest.fixture
def rft_check(request: pytest.FixtureRequest, rft_report: AuditReport) -> Callable[[], None]:
    """Give the function that fails if the reward breaks the law of this check."""
    [result] = [check for check in rft_report.checks if check.name == request.param]

    def check() -> None:
        _judge(result, rft_report)

    return check


def _settings(config: pytest.Config) -> _Settings:
    waivers = [each.partition("=") for each in _stated_waivers(config)]
    settings = _Settings(
        reward=_reward_path(config),
        data=_path(config, "rft_data"),
        profile=_value(config, "rft_profile") or DEFAULT_PROFILE,
        replies=_path(config, "rft_replies"),
        waivers=tuple((name, why) for name, _, why in waivers),
    )
    for name, problem in _problems(settings):
        raise _usage(f"rft_{name}", problem)
    return settings


def _stated_waivers(config: pytest.Config) -> list[str]:
    return [*config.getini("rft_waive"), *config.getoption("rft_waive")]


def _problems(settings: _Settings) -> Iterator[tuple[str, str]]:
    """Yield what is misspelt, and how."""
    if settings.profile not in PROFILES:
        yield "profile", f"expected {', '.join(PROFILES)}, found {settings.profile!r}"
    if settings.waivers:
        from bedrock_rft_sim.errors import RecipeError
        from bedrock_rft_sim.grader.audit.checks import refuse_unknown_checks

        try:
            refuse_unknown_checks(dict(settings.waivers))
        except RecipeError as error:
            yield "waive", str(error)


def _marked(mark: pytest.Mark, folder: Path, options: _Settings) -> _Settings:
    """Return the settings of a mark; a wrong mark is the problem of the tests that carry it."""
    stated, waive = mark.kwargs, mark.kwargs.get("waive", {})
    if mark.args or not set(stated) <= set(MARK_KEYS) or not isinstance(waive, Mapping):
        found = ", ".join([*map(repr, mark.args), *(f"{k}={v!r}" for k, v in stated.items())])
        return replace(options, problem=f"{MARK_SHOWN}: expected {MARK_WORDS}; found {found}")
    reward = str(stated["reward"]) if "reward" in stated else None
    paths: dict[str, Any] = {
        name: folder / _expanded(str(stated[name]))
        for name in ("data", "replies")
        if name in stated
    }
    waived = dict(options.waivers) | {str(name): str(why) for name, why in waive.items()}
    settings = replace(
        options,
        **paths,
        reward=options.reward if reward is None else _name_or_path(reward, folder),
        profile=str(stated.get("profile", options.profile)),
        waivers=tuple(waived.items()),
    )
    problem = next((f"{MARK_SHOWN}: {name}: {words}" for name, words in _problems(settings)), None)
    return replace(settings, problem=problem)


def _value(config: pytest.Config, name: str) -> str | None:
    stated = config.getoption(name) or (config.getini(name) if name in OPTIONS else None)
    return str(stated) if stated else None


def _path(config: pytest.Config, name: str) -> Path | None:
    value = _value(config, name)
    return None if value is None else _folder(config, name) / _expanded(value)


def _folder(config: pytest.Config, name: str) -> Path:
    """Return where a relative path counts from: here, or for an ini key the ini file's folder."""
    from_ini = not config.getoption(name) and config.inipath is not None
    return config.inipath.parent if from_ini and config.inipath else config.invocation_params.dir


def _reward_path(config: pytest.Config) -> str | None:
    value = _value(config, "rft_reward")
    return None if value is None else _name_or_path(value, _folder(config, "rft_reward"))


def _name_or_path(value: str, folder: Path) -> str:
    is_path = any(mark in value for mark in ("/", "\\", "."))
    return str(folder / _expanded(value)) if is_path else value


def _expanded(value: str) -> Path:
    from bedrock_rft_sim.files import expanded

    return expanded(value)


def _usage(name: str, words: str) -> pytest.UsageError:
    option = f"--{name.replace('_', '-')}"
    also = f" (or {name} in the ini file)" if name in (*OPTIONS, "rft_waive") else ""
    return pytest.UsageError(f"{option}{also}: {words}")


def _reward(settings: _Settings) -> RewardFile:
    from bedrock_rft_sim.errors import RecipeError
    from bedrock_rft_sim.grader.reward import RewardFile
    from bedrock_rft_sim.recipe import find_reward

    if settings.reward is None:
        _fail("reward", "a test grades with a reward, and none is named")
    path = Path(settings.reward)
    if not path.is_absolute():
        try:
            path = find_reward(settings.reward)
        except RecipeError as error:
            _fail("reward", str(error))
    if not path.exists():
        _fail("reward", f"there is no reward {path}")
    return RewardFile(path, profile=settings.profile)


def _read_rows(settings: _Settings) -> list[Row]:
    from bedrock_rft_sim.data import read_rows
    from bedrock_rft_sim.errors import DataError

    if settings.data is None:
        _fail("data", "a test needs rows, and no data file is named")
    try:
        return list(read_rows(settings.data))
    except DataError as error:
        pytest.fail(str(error), pytrace=False)


def _fail(name: str, words: str) -> NoReturn:
    """Fail the test that needs what is not there, and say where it is named."""
    places = f"--rft-{name}, rft_{name} in the ini file, or {name} in @pytest.mark.rft"
    pytest.fail(f"{places}: {words}", pytrace=False)


def _audit(settings: _Settings) -> AuditReport:
    from bedrock_rft_sim.errors import RehearsalError
    from bedrock_rft_sim.grader.audit import audit
    from bedrock_rft_sim.grader.audit.saved_answers import read_replies

    reward, rows = _reward(settings), _read_rows(settings)
    try:
        replies = None if settings.replies is None else read_replies(settings.replies)
        return audit(reward, rows, replies=replies, waivers=dict(settings.waivers))
    except RehearsalError as error:  # the reward can't be loaded, or a reply has no row
        pytest.fail(str(error), pytrace=False)


def _judge(result: CheckResult, report: AuditReport) -> None:
    words = _words(result, report)
    if result.status == "FAIL":
        pytest.fail(words, pytrace=False)
    if result.status == "waived":
        pytest.xfail(f"waived: {result.reason}")
    if result.status == "can't tell":
        pytest.skip(f"can't tell: {result.reason}")
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


def _write(state: _State, path: Path) -> None:
    """Write the audit of the options, and those of marks where there are some."""
    from bedrock_rft_sim.files import replace_file

    audits = {key: json.loads(audit) for key, audit in state.audits.items()}
    own = state.settings.as_json() | {"audit": audits.pop(state.settings.key, None)}
    marked = [json.loads(key) | {"audit": audit} for key, audit in audits.items()]
    replace_file(path, (json.dumps(own | {"marked": marked}, indent=2) + "\n").encode())
