"""The wheel, installed in an environment of its own outside of the project, as others will use it."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from tracewright.containers.settings import SHIPPED
from tracewright.contracts import archive
from tracewright.contracts.load import parse_contract
from tracewright.tests.drawing import TRACE_ID, draw
from tracewright.tests.fake_stack import CONTRACT, FakeStack

DRAWN = """
journey: drawn
http: {path: /}
spans:
  shop: {service: shop, name: GET /, kind: server}
"""
ROOT = Path(__file__).parents[2]
UV = ROOT / ".tracewright" / "tools" / "bin" / "uv"
pytestmark = pytest.mark.skipif(not UV.exists(), reason=f"{UV} is missing: `make .venv/.ready` gets it")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--wheel", "--quiet", "--out-dir", folder, cwd=ROOT)
    return next(folder.glob("tracewright-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(UV, "venv", "--quiet", ".venv", cwd=folder)
    python = folder / ".venv" / "bin" / "python"
    run(
        UV,
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        f"tracewright[pytest] @ {wheel.as_uri()}",
        cwd=folder,
    )
    return python.parent


def test_wheel_has_what_is_read_at_run_time_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    read = ("py.typed", "contracts/contract.schema.json", "report/page.css", "report/page.html.j2")
    containers = (f"containers/{name}" for name in ("overlay.yaml", *SHIPPED))
    assert {f"tracewright/{name}" for name in (*read, *containers)} <= set(names)
    assert not [name for name in names if "/tests/" in name]


def test_command_works_and_has_no_launcher(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(CONTRACT, encoding="utf-8")
    assert "1 contracts hold together" in run(
        installed / "tracewright", "contract", "check", "run.yaml", cwd=tmp_path
    )
    shown = run(installed / "tracewright", "--help", cwd=tmp_path)
    assert "verify" in shown
    assert "doctor" not in shown


def test_kept_capture_is_judged_and_shown_without_a_stack(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(DRAWN, encoding="utf-8")
    archive.save(draw("shop server GET / 0..10 ; +http.request.method=GET +url.path=/"), tmp_path / "kept")
    shown = run(
        installed / "tracewright",
        *("verify", "run.yaml", "--replay", "kept", "--checks", "complete,no_orphans", "--report", "page"),
        cwd=tmp_path,
    )
    assert "✓ drawn: 2 checks passed" in shown
    assert "drawn" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    capture = ("--capture", "kept/traces.jsonl")
    learned = run(installed / "tracewright", "contract", "learn", TRACE_ID, *capture, cwd=tmp_path)
    assert parse_contract(learned, tmp_path / "learned.yaml").journey == "get"


def test_three_lines_of_pyproject_make_a_contract_a_test(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "run.yaml").write_text(CONTRACT, encoding="utf-8")
    (tmp_path / "tee").mkdir()
    with FakeStack(tmp_path / "tee") as stack:
        url = stack.endpoints.frontend
        (tmp_path / "pyproject.toml").write_text(
            f'[tool.pytest.ini_options]\ntracewright_target = "{url}"\ntracewright_tempo = "{url}"\n',
            encoding="utf-8",
        )
        shown = run(installed / "pytest", "-q", "--tracewright-quiet-s=0.2", cwd=tmp_path)
    assert "✓ run: " in shown
