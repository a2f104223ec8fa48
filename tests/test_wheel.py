"""The built wheel, installed away from the checkout, in the projects of people who use it.

Their projects have a `sim`, a `rewards` and tests of their own: the wheel owns one global name.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hatch_build import away_from_the_repository

ROOT = Path(__file__).parent.parent
PYTHON = Path("Scripts" if os.name == "nt" else "bin") / "python"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that this checkout builds."""
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("wheel")
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment of its own that holds the wheel, and sees the packages it needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("[Ll]ib*/**/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # Adds the folder, but not what its own .pth files name, such as a checkout.
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for name, target in _console_scripts(site).items():
        _write_script(folder, name, target)
    _write_script(folder, "pytest", "pytest:console_main")
    return folder


def _console_scripts(site: Path) -> dict[str, str]:
    found = configparser.ConfigParser()
    found.read(next(site.glob("bedrock_rft_sim-*.dist-info")) / "entry_points.txt")
    return dict(found["console_scripts"])


def _write_script(environment: Path, name: str, target: str) -> None:
    module, function = target.split(":")
    script = environment / PYTHON.parent / name
    script.write_text(
        f"#!{environment / PYTHON}\nimport sys\nfrom {module} import {function}\n"
        f"sys.exit({function}())\n"
    )
    script.chmod(0o755)


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Run:
    """Return a function that runs a program of the environment in a folder of the user's."""

    def start(program: str, *words: str, folder: Path = tmp_path, **environment: str):
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [installed / PYTHON.parent / program, *words],
            cwd=folder,
            env=clean | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


@pytest.fixture
def project(tmp_path: Path, kind: str) -> Path:
    """Return a project whose own `sim` and `rewards` are packages, folders or single files."""
    suite = "from rewards{0} import grade\nfrom sim{0} import step\n\n\ndef test_own():\n"
    suite += "    assert grade(step()) == 1\n"
    sources = {"sim": "def step():\n    return 1\n", "rewards": "def grade(x):\n    return x\n"}
    for name, source in sources.items():
        if kind == "module":
            (tmp_path / f"{name}.py").write_text(source)
            continue
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(source)
        if kind == "package":
            (tmp_path / name / "__init__.py").write_text("")
    inner = "" if kind == "module" else ".mine"
    (tmp_path / "test_own.py").write_text(suite.format(inner))
    return tmp_path


def test_the_wheel_owns_one_global_name_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"bedrock_rft_sim"}


def test_the_wheel_carries_recipes_rewards_model_and_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for name in (
        "configs/quickstart.yaml",
        "configs/recipe.schema.json",
        "contract/ledger.toml",
        "rewards/gsm8k.py",
        "assets/tiny/model.safetensors",
        "report/page.html.jinja",
        "report/page.css",
        "report/curves.js",
        "report/page.js",
        "grader/lambda_stand_in.py",
    ):
        assert f"bedrock_rft_sim/{name}" in names


def test_the_readme_of_a_package_index_leads_nowhere_wrong(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        text = archive.read(name).decode()
    assert "Operating System :: POSIX :: Linux" in text
    assert "OS Independent" not in text
    assert "# bedrock-rft-sim" in text
    assert re.findall(r"\]\((?!https?://)[^)]*\)", text) == []
    source = "https://host.example/owner/name/blob/v1"
    shown = away_from_the_repository((ROOT / "README.md").read_text(encoding="utf-8"), source)
    assert "(https://host.example/owner/name/raw/v1/configs/quickstart.svg)" in shown
    targets = re.findall(rf"\]\({source}/([^)]*)\)", shown)
    assert len(targets) > 5
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_a_bare_name_works_outside_the_checkout(run: Run) -> None:
    done = run("rft", "check", "quickstart", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is True
    assert found["steps"]["total"] > 0


def test_the_package_is_the_wheel_s_and_its_import_is_light(run: Run, installed: Path) -> None:
    script = (
        "import sys, bedrock_rft_sim\n"
        "print(bedrock_rft_sim.__file__)\n"
        "print({'torch', 'numpy', 'pydantic', 'botocore'} & set(sys.modules))\n"
        "print(dir(bedrock_rft_sim) == sorted(bedrock_rft_sim.__all__))"
    )
    done = run("python", "-c", script)
    file, heavy, documented = done.stdout.splitlines()
    assert Path(file).is_relative_to(installed)
    assert heavy == "set()"
    assert documented == "True"


SMALL = "local.validationData=problems:4"


@pytest.mark.slow
def test_the_quickstart_trains_from_the_wheel(run: Run, tmp_path: Path) -> None:
    done = run("rft", "run", "quickstart", "--set", "local.maxSteps=1", "--set", SMALL)
    assert "Completed" in (tmp_path / "runs/quickstart/run.json").read_text(), done.stderr


# A folder without __init__.py is found last of all: whatever hides a name hides it first.
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("package", "pytest"),
        ("module", "pytest"),
        ("namespace", "pytest"),
        ("namespace", "python -m pytest"),
        pytest.param("namespace", "pytest -n 2", marks=pytest.mark.slow),
        ("namespace", "pytest -p xdist"),
    ],
)
def test_a_project_s_own_sim_and_rewards_are_its_own(run: Run, project: Path, words: str) -> None:
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    done = run(*words.split(), "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["namespace"])
def test_a_project_without_an_ini_file_finds_its_own(run: Run, project: Path) -> None:
    done = run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr


# A package comes before a folder: ours would be hidden by it first.
@pytest.mark.parametrize("kind", ["package"])
def test_the_command_works_beside_a_project_s_own_names(run: Run, project: Path) -> None:
    for environment in ({}, {"PYTHONPATH": "."}):
        done = run("rft", "check", "quickstart", "--no-audit", "--json", **environment)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["ok"] is True


@pytest.mark.parametrize("kind", ["package"])
def test_the_plugin_grades_beside_a_project_s_own_names(run: Run, project: Path) -> None:
    (project / "test_reward.py").write_text("def test_reward(rft_check):\n    rft_check()\n")
    row = {"messages": [{"role": "user", "content": "2 + 2?"}], "reference_answer": "4"}
    rows = [json.dumps({**row, "id": f"row-{n}"}) for n in range(8)]
    (project / "rows.jsonl").write_text("\n".join(rows) + "\n")
    options = ("--rft-reward", "exact_match", "--rft-data", "rows.jsonl")
    done = run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
