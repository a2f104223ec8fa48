"""Lambda's file system and kernel, under whichever of the two means this machine offers, and hooks.

Every test runs in namespaces, where the machine offers them, and with hooks.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bedrock_rft_sim.errors import HandlerError
from bedrock_rft_sim.grader import environment

ONE = 'return [{"id": s["id"], "aggregate_reward_score": 1.0} for s in event]'
HERE = environment.confinement()


@pytest.fixture(autouse=True, params=["namespaces", "hooks"])
def confined(request, monkeypatch):
    if request.param == "namespaces" and HERE != "namespaces":
        pytest.skip("this machine offers no namespaces")
    monkeypatch.setattr(environment, "confinement", lambda: request.param)
    return request.param


def answer(deploy, samples, body, **options):
    """What a handler's `found` is after its body has run."""
    source = f"""
import json, os, sys, tempfile
from pathlib import Path
def lambda_handler(event, context):
    found = None
    {body}
    print("FOUND=" + json.dumps(found))
    {ONE}
"""
    grader = deploy(source, **options)
    outcome = {}
    grader._log.write = lambda found: outcome.update(printed=found.printed)
    grader.grade(samples(1))
    return json.loads(outcome["printed"].decode().partition("FOUND=")[2].splitlines()[0])


DOES_WHAT_IT_IS_TOLD = """
import os, sys
from pathlib import Path
def lambda_handler(event, context):
    exec(event[0]["messages"][-1]["content"])
"""


def fail(deploy, samples, *bodies):
    """The error of each body, one after the other in one container."""
    grader = deploy(DOES_WHAT_IT_IS_TOLD)
    errors = []
    for body in bodies:
        with pytest.raises(HandlerError) as caught:
            grader.grade(samples(1, answer=body))
        errors.append(caught.value)
    return errors


WRITES = (
    "open(os.path.join(os.path.dirname(__file__), 'seen.json'), 'w')",
    "open('last_batch.json', 'w')",
    "open('last_batch.json', 'a')",
    "open(os.path.expanduser('~/x'), 'w')",
    "Path.home().joinpath('.cache').mkdir(parents=True)",
    "os.makedirs('cache/deep')",
    "open(__file__, 'r+')",
    "open(__file__, 'a')",
    "os.open('x', os.O_CREAT | os.O_WRONLY)",
    "os.remove(__file__)",
    "os.rename(__file__, 'x.py')",
    "os.symlink('/tmp', 'link')",
    "os.chmod(__file__, 0o777)",
    "os.utime(__file__)",
    "os.truncate(__file__, 0)",
    "os.mkfifo('pipe')",
    "Path('x').write_text('')",
    "Path('/tmp/../etc/rft-x').write_text('')",
    "Path('/usr/rft-x').write_text('')",
    "Path('/var/tmp/x').write_text('')",
    "Path('/dev/x').write_text('')",
)


def test_only_tmp_can_be_written_and_the_error_is_lambda_s(deploy, samples, tmp_path):
    for write, error in zip(WRITES, fail(deploy, samples, *WRITES), strict=True):
        assert error.error_type == "OSError", write
        assert "[Errno 30] Read-only file system" in error.what, write
        assert "only /tmp can be written" in error.hint, write
    assert [path.name for path in tmp_path.iterdir()] == ["reward.py"]


def test_the_user_s_own_files_are_out_of_reach(deploy, samples, tmp_path):
    target = tmp_path / "mine.txt"
    target.write_text("mine")
    removes = f"import shutil; shutil.rmtree({str(tmp_path)!r})"
    fail(deploy, samples, removes, f"Path({str(target)!r}).write_text('yours')")
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("found = os.listdir('/tmp')", []),
        ("Path('/tmp/a').write_text('b'); found = [Path('/tmp/a').read_text(), os.listdir('/tmp')]",
         ["b", ["a"]]),
        ("os.makedirs('/tmp/a/b'); found = [p.name for p in Path('/tmp').rglob('*')]", ["a", "b"]),
        ("with tempfile.TemporaryDirectory() as d: found = os.path.isdir(d)", True),
        ("f = tempfile.NamedTemporaryFile(); f.write(b'1'); f.flush(); "
         "found = os.path.getsize(f.name)", 1),
        ("os.chdir('/tmp'); open('x', 'w').close(); found = os.path.exists('/tmp/x')", True),
        ("import shutil; os.mkdir('/tmp/a'); open('/tmp/a/b', 'w').close(); "
         "shutil.rmtree('/tmp/a'); found = os.listdir('/tmp')", []),
        ("import shutil; found = shutil.copy(__file__, '/tmp/copy.py') and "
         "os.listdir('/tmp')", ["copy.py"]),
        ("open(file='/tmp/a', mode='w').close(); os.replace(src='/tmp/a', dst='/tmp/b'); "
         "found = os.listdir(path='/tmp')", ["b"]),
        ("open(os.devnull, 'w').write('x'); found = 'written'", "written"),
        ("os.makedirs(os.getcwd(), exist_ok=True); found = 'there'", "there"),
        ("import glob; open('/tmp/a.txt', 'w').close(); found = glob.glob('/tmp/*.txt') != []",
         True),
        ("import sqlite3; path = os.path.join(tempfile.gettempdir(), 'a.db'); "
         "sqlite3.connect(path).execute('create table t(a)'); found = os.path.exists(path)", True),
    ],
)  # fmt: skip
def test_tmp_is_a_working_folder_of_the_container_s_own(deploy, samples, body, expected):
    assert answer(deploy, samples, body) == expected


def test_tmp_is_gone_with_the_container_and_not_shared(deploy, samples, tmp_path):
    body = "found = os.listdir('/tmp'); Path('/tmp/rft-mark').write_text('')"
    assert answer(deploy, samples, body) == []
    assert answer(deploy, samples, body) == []
    assert not Path("/tmp/rft-mark").exists()


def test_a_missing_folder_is_missing_as_on_lambda(deploy, samples):
    opened = [f"open({path!r}).close()" for path in ("/nowhere/x", "/dev/shm/x", "/dev/shm")]
    for error in fail(deploy, samples, *opened):
        assert "[Errno 2]" in error.what


def test_tmp_holds_512_mb(deploy, samples, confined):
    if confined == "hooks":
        pytest.skip("hooks do not limit the size of /tmp")
    body = "s = os.statvfs('/tmp'); found = s.f_blocks * s.f_frsize"
    assert answer(deploy, samples, body) == 512 * 2**20


def test_the_code_lies_where_lambda_has_it(deploy, samples, confined):
    if confined == "hooks":
        pytest.skip("hooks leave the code where it is")
    body = "found = [__file__, os.getcwd(), os.environ['LAMBDA_TASK_ROOT']]"
    assert answer(deploy, samples, body) == ["/var/task/reward.py", "/var/task", "/var/task"]


def test_a_program_that_the_handler_starts_can_not_write_either(deploy, samples, confined):
    if confined == "hooks":
        pytest.skip("hooks hold Python code alone")
    body = "import subprocess; found = subprocess.run(['/bin/touch', 'x']).returncode"
    assert answer(deploy, samples, body) == 1


MAKING = (
    "multiprocessing.Lock()",
    "multiprocessing.Queue()",
    "multiprocessing.Pool(2)",
    "multiprocessing.Semaphore()",
    "multiprocessing.Event()",
    "ThreadPool(2)",
    "ProcessPoolExecutor(2).submit(len, '')",
    "SharedMemory(create=True, size=10)",
)


def test_what_needs_shared_memory_fails_as_on_lambda(deploy, samples):
    imports = (
        "import multiprocessing; from multiprocessing.pool import ThreadPool; "
        "from multiprocessing.shared_memory import SharedMemory; "
        "from concurrent.futures import ProcessPoolExecutor; "
    )
    errors = fail(deploy, samples, *(imports + making for making in MAKING))
    for making, error in zip(MAKING, errors, strict=True):
        assert error.error_type == "OSError", making
        assert "[Errno 38] Function not implemented" in error.what, making
        assert "Process with Pipe, or threads" in error.hint, making


def test_a_shared_value_misses_the_folder_as_on_lambda(deploy, samples):
    value = "import multiprocessing; multiprocessing.Value('i', 0)"
    (error,) = fail(deploy, samples, value)
    assert "[Errno 2] No such file or directory: '" in error.what
    assert "/dev/shm'" in error.what
    assert "Process with Pipe, or threads" in error.hint


def test_processes_with_pipes_and_threads_work_as_on_lambda(deploy, samples):
    body = """import multiprocessing
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    process = context.Process(target=theirs.send, args=(41,))
    process.start(); process.join()
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as pool: found = [mine.recv(), *pool.map(len, ["ab"])]
    """
    assert answer(deploy, samples, body.rstrip()) == [41, 2]


def test_a_forked_copy_that_comes_back_does_not_talk_to_the_runtime_api(deploy, samples, client):
    source = f"""
    import os
    def lambda_handler(event, context):
        os.fork()
        {ONE}
    """
    grader = deploy(source, client=client)
    for _ in range(3):
        batch = grader.grade(samples(2))
        assert [grade.score for grade in batch.grades] == [1.0, 1.0]
        assert batch.invocations[0].errors == ()


def test_a_judge_reads_the_credentials_that_are_passed(deploy, samples, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    body = "found = os.environ.get('AWS_ACCESS_KEY_ID')"
    assert answer(deploy, samples, body, pass_aws_credentials=True) == "key"


def test_the_log_says_which_of_the_two_is_at_work(deploy, samples, confined, tmp_path):
    log = tmp_path / "grader.log"
    deploy(f"def lambda_handler(event, context): {ONE}", log=log).grade(samples(1))
    assert f"File system: {confined}" in log.read_text()
