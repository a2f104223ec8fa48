from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import code_tests

TESTS = "assert double(2) == 4\nassert double(5) == 10\nassert double(0) == 0"
RIGHT = "def double(n):\n    return 2 * n\n"


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Send the reward's temporary folders here, and see that none is left."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def grade(graded):
    def run(answer, reference=TESTS, **options):
        return graded(code_tests, textwrap.dedent(answer), reference, **options)

    return run


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setenv("CODE_TESTS_SECONDS", "0.4")


@pytest.mark.parametrize(
    "answer",
    [
        RIGHT,
        f"```python\n{RIGHT}```",
        f"Here:\n```py\n{RIGHT}```\nDone.",
        f"```\nbroken(\n```\nBetter:\n```\n{RIGHT}\n```",
        f"```python\n{RIGHT}```\nRun it:\n```sh\npython double.py\n```",
        "double = lambda n: n + n",
        "import math\nfrom functools import reduce\ndef double(n): return math.prod([2, n])",
        RIGHT + "if __name__ == '__main__':\n    raise SystemExit(1)",
        RIGHT + "print('x' * 10**6)",
        "from collections import namedtuple\nimport random, dataclasses, heapq, re\n" + RIGHT,
        "open('mine.txt', 'w').write('2')\nf = int(open('mine.txt').read())\n"
        "def double(n): return f * n",
    ],
)
def test_code_that_passes_every_test_earns_1(grade, answer):
    assert grade(answer) == (
        1.0,
        {"all_passed": 1.0, "tests_passed": 1.0, "code_ran": 1.0, "timed_out": 0.0},
    )


@pytest.mark.parametrize(
    ("answer", "share", "ran"),
    [
        ("def double(n): return 4", 1 / 3, 1),
        ("def double(n): return n * n", 2 / 3, 1),
        ("def double(n): return str(2 * n)", 0, 1),
        ("def double(n): raise ValueError", 0, 1),
        ("def double(n): return double(n)", 0, 1),
        ("def double(n): return 2 * n if n else 1 / 0", 2 / 3, 1),
        ("def treble(n): return 3 * n", 0, 1),
        ("def double(n) return 2 * n", 0, 0),
        ("1 / 0", 0, 0),
        ("I would multiply by two.", 0, 0),
        (f"```java\n{RIGHT}```", 0, 0),
        (f"```python\n{RIGHT}", 0, 0),  # cut off
        ("", 0, 0),
        ("#" * 50_000 + "\n" + RIGHT, 0, 0),
    ],
)
def test_code_that_fails_a_test_earns_nothing(grade, answer, share, ran):
    score, parts = grade(answer)
    assert score == 0.0
    assert parts["tests_passed"] == pytest.approx(share)
    assert parts["code_ran"] == ran


def test_partial_credit_is_a_choice(grade, monkeypatch):
    monkeypatch.setenv("CODE_TESTS_PARTIAL", "on")
    assert grade("def double(n): return n * n")[0] == pytest.approx(0.8 * 2 / 3)
    assert grade(RIGHT)[0] == 1.0
    assert grade("1 / 0")[0] == 0.0


CHEATS = {
    "exit at once": "import sys; sys.exit(0)",
    "exit in the call": "import sys\ndouble = lambda n: sys.exit(0)",
    "leave": "import os\nos._exit(0)",
    "equal to everything": """
        class Any:
            def __eq__(self, other): return True
            def __bool__(self): return True
            def __hash__(self): return 0
        double = lambda n: Any()
    """,
    "an int that equals everything": """
        class Any(int):
            def __eq__(self, other): return True
        double = lambda n: Any(7)
    """,
    "read the tests": """
        import sys
        job = sys._getframe(1).f_globals["job"]
        def double(n):
            return str(job)
    """,
    "forge the results": """
        import sys
        results = sys._getframe(1).f_globals["results"]
        for _ in range(3):
            print('"True"', file=results)
        print('"done"', file=results, flush=True)
        import os; os._exit(0)
    """,
    "write to every descriptor": """
        import os
        for number in range(3, 64):
            try: os.write(number, b'true\\n' * 3 + b'"done"\\n')
            except OSError: pass
        os._exit(0)
    """,
    "patch the built-ins": """
        import builtins
        builtins.repr = lambda value: "4"
        builtins.AssertionError = Exception
        double = lambda n: None
    """,
    "look into the handler": """
        import os
        text = open(f"/proc/{os.getppid()}/environ").read()
        double = lambda n: text
    """,
}


@pytest.mark.parametrize("answer", CHEATS.values(), ids=CHEATS.keys())
def test_cheating_earns_nothing(grade, answer):
    assert grade(answer)[0] == 0.0


LOOPS = {
    "a loop": "while True: pass",
    "a loop in the call": "def double(n):\n    while True: pass",
    "a nap": "import time\ntime.sleep(60)",
    "a loop that catches all": """
        import signal
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        while True:
            try:
                while True: pass
            except BaseException: pass
    """,
    "waiting for input": "open(0, closefd=False).read() or input()\nimport time\ntime.sleep(60)",
    "a pattern": "import re\nre.match('(a+)+b', 'a' * 64)",
}


@pytest.mark.parametrize("answer", LOOPS.values(), ids=LOOPS.keys())
def test_code_that_does_not_end_is_killed(grade, impatient, answer):
    score, parts = grade(answer)
    assert score == 0.0
    assert parts["code_ran"] == 0.0
    assert parts["timed_out"] == (0.0 if "input" in answer else 1.0)


ABUSES = {
    "prints": "for _ in range(10**5): print('x' * 100)",
    "results": "def double(n): return 'x' * 10**6",
    "memory": "x = bytearray(10**10)",
    "a number tower": "def double(n): return 9**9**5",
    "files": "open('big', 'wb').write(b'x' * 10**7)",
    "a fork": "import os\nwhile True: os.fork()",
    "a process": "import subprocess\nsubprocess.run(['sleep', '60'])",
    "a shell": "import os\nos.system('sleep 60')",
    "threads": "import threading, time\n"
    "for _ in range(50): threading.Thread(target=time.sleep, args=(60,)).start()",
    "the network": "import socket\nsocket.create_connection(('127.0.0.1', 9))",
    "memory by hand": "import ctypes\nctypes.string_at(0)",
    "a killing": "import os\nos.kill(os.getppid(), 9)",
    "another's file": "open('/tmp/taken', 'w')",
    "secrets": "open('/etc/passwd').read()",
    "nesting": "(" * 10**4,
    "a null": "x = '\x00'",
    "half a character": "x = '\ud800'\ndouble = lambda n: x",
}


@pytest.mark.parametrize("answer", ABUSES.values(), ids=ABUSES.keys())
def test_abuse_earns_nothing_and_leaves_nothing(grade, impatient, answer, tmp_path):
    assert grade(answer)[0] == 0.0
    assert not Path("/tmp/taken").exists()


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("open('/etc/passwd')", "PermissionError"),
        ("open('/proc/self/environ')", "PermissionError"),
        ("open('../elsewhere', 'w')", "PermissionError"),
        ("__import__('os').remove('../elsewhere')", "PermissionError"),
        ("__import__('os').mkdir('/tmp/elsewhere')", "PermissionError"),
        ("__import__('os').fork()", "PermissionError"),
        ("__import__('os').system('true')", "PermissionError"),
        ("__import__('os').kill(1, 0)", "PermissionError"),
        ("__import__('subprocess')", "PermissionError"),
        ("__import__('socket')", "PermissionError"),
        ("__import__('ctypes')", "PermissionError"),
        pytest.param(
            "bytearray(2 * 10**9)",
            "MemoryError",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory"),
        ),
        ("input()", "EOFError"),
        ("__import__('boto3')", "ModuleNotFoundError"),
    ],
)
def test_what_the_process_may_not_do_fails_inside_it(grade, action, error):
    answer = f"""
        def attempt():
            try:
                {action}
            except BaseException as error:
                return type(error).__name__
            return "done"
    """
    assert grade(answer, f"assert attempt() == '{error}'")[0] == 1.0


def test_the_handlers_environment_is_not_passed_on(grade, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    reference = "assert seen() == []"
    answer = "import os\nseen = lambda: [name for name in os.environ if name.startswith('AWS_')]"
    assert grade(answer, reference)[0] == 1.0


def test_expected_values_never_enter_the_process(monkeypatch):
    seen = []
    start = code_tests._start
    monkeypatch.setattr(
        code_tests, "_start", lambda job, fd: (seen.append(job.read_text()), start(job, fd))[1]
    )
    suite = code_tests.read_reference("assert f(1) == 987654\nassert 456789 == f(2)")
    code_tests.run("f = int", suite, seconds=3)
    assert "f(1)" in seen[0]
    assert "f(2)" in seen[0]
    assert "987654" not in seen[0]
    assert "456789" not in seen[0]


@pytest.mark.parametrize(
    ("test", "passes"),
    [
        ("assert f(3) == 3", True),
        ("assert 3 == f(3)", True),
        ("assert f(3) != 4", True),
        ("assert f(3) < 4", True),
        ("assert f(3) >= 4", False),
        ("assert f(3) in (1, 3)", True),
        ("assert f(3) not in [1, 3]", False),
        ("assert f(None) is None", True),
        ("assert f(0) is False", False),
        ("assert f(3) is not None", True),
        ("assert f(3)", True),
        ("assert not f(3)", False),
        ("assert not f(3) == 4, 'a message'", True),
        ("assert f([1, {'a': (2.5, None)}]) == [1, {'a': (2.5, None)}]", True),
        ("assert f({1, 2}) == {2, 1}", True),
        ("assert f(-1.5) == -1.5", True),
        ("assert f('a\\n\\'b') == 'a\\n\\'b'", True),
        ("assert f('3') == 3", False),
        ("assert f('a') < 3", False),
        ("import math\nassert math.floor(f(2.5)) == 2", True),
    ],
)
def test_asserts_of_many_forms_are_understood(grade, test, passes):
    assert grade("f = lambda x: x", test)[0] == float(passes)


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
).filter(lambda value: "inf" not in repr(value))


@given(literals)
def test_a_value_that_travelled_as_text_equals_itself_and_no_other(value):
    (test,) = code_tests.read_reference(f"assert f() == {value!r}").tests
    assert code_tests.count_passed((json.dumps(repr(value)),), (test,)) == 1
    assert code_tests.count_passed((json.dumps(repr([value, value, 1])),), (test,)) == 0


@given(st.lists(st.text(max_size=30) | st.text(max_size=30).map(json.dumps), max_size=4))
def test_forged_lines_are_never_an_error(lines):
    suite = code_tests.read_reference("assert f(1) == '#'\nassert f(2) < 3\nassert f(3)")
    assert 0 <= code_tests.count_passed(tuple(lines), suite.tests) <= 3


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("assert f(1) ==", "invalid syntax"),
        ("print(f(1))", "expected asserts and imports only, found 'print\\(f\\(1\\)\\)'"),
        ("assert f(1) == g(1)", "expected a literal right of the comparison"),
        ("assert 1 < f(1) < 3", "expected one comparison an assert"),
        ("assert f(1) == 1 and f(2) == 2", "expected one comparison an assert"),
        ({"tests": "assert f(1) == 1", "setup": "import"}, "invalid syntax"),
        ({"tests": []}, "expected assert statements"),
        ([1], "expected assert statements"),
        ("import math", "expected assert statements"),
    ],
)
def test_tests_that_can_not_be_read_raise(grade, tests, message):
    with pytest.raises(ValueError, match=f"sample 's1': unreadable reference.*{message}"):
        grade(RIGHT, tests)


@pytest.mark.parametrize(
    "reference",
    [
        TESTS,
        TESTS.splitlines(),
        {"tests": TESTS},
        {"text": TESTS},
        {"test_list": TESTS.splitlines(), "setup": "import math"},
    ],
    ids=["text", "list", "tests", "wrapped", "test_list"],
)
def test_every_shape_of_reference_is_read(grade, reference):
    assert grade(RIGHT, reference)[0] == 1.0


@pytest.mark.parametrize("profile", ["metadata", "root"])
def test_a_reference_is_read_from_every_place(grade, profile):
    assert grade(RIGHT, {"tests": TESTS}, profile=profile)[0] == 1.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CODE_TESTS_SECONDS", "0"),
        ("CODE_TESTS_SECONDS", "61"),
        ("CODE_TESTS_SECONDS", "soon"),
        ("CODE_TESTS_PARTIAL", "yes"),
    ],
)
def test_a_setting_out_of_range_is_an_error(grade, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}', expected"):
        grade(RIGHT)


def test_the_process_ends_with_the_handler(tmp_path):
    script = textwrap.dedent(
        f"""
        import os, sys, tempfile
        sys.path.insert(0, {str(Path(code_tests.__file__).parent.parent)!r})
        tempfile.tempdir = {str(tmp_path)!r}
        from rewards import code_tests
        start = code_tests._start
        def tell(job, results):
            process = start(job, results)
            print(process.pid, flush=True)
            return process
        code_tests._start = tell
        suite = code_tests.read_reference("assert f(1) == 1")
        code_tests.run("import time\\ntime.sleep(60)", suite, seconds=60)
        """
    )
    handler = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with handler:
        pid = int(handler.stdout.readline())
        os.kill(pid, 0)  # it is there
        handler.send_signal(signal.SIGKILL)
    _wait_until_gone(pid)


def _wait_until_gone(pid):
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} is still running")
