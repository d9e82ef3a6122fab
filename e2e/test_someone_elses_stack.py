"""`examples/three-services` by its README: green as it is, red with its defect, the place named."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tracewright.contracts.settle import until
from tracewright.stack.ports import free_ports

EXAMPLE = Path(__file__).parents[1] / "examples" / "three-services"
PROGRAMS = Path(sys.executable).parent
START_S = 60.0
SERVICES = ("SHOP_PORT", "STOCK_PORT", "PAYMENTS_PORT")


@contextmanager
def services(ports: Mapping[str, int], *, defect: bool) -> Iterator[None]:
    """The example's run.sh, from the moment when all three answer."""
    environment = {
        **os.environ,
        **{name: str(ports[name]) for name in SERVICES},
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "OTLP": f"http://127.0.0.1:{ports['OTLP_PORT']}",
        "LOSE_CONTEXT": "1" if defect else "0",
        # python-service, in the same environment here, brings a distro of its own.
        "OTEL_PYTHON_DISTRO": "distro",
        "OTEL_PYTHON_CONFIGURATOR": "configurator",
    }
    process = subprocess.Popen([EXAMPLE / "run.sh"], env=environment, start_new_session=True)

    def silent() -> list[str]:
        assert process.poll() is None, "run.sh ended"
        return [name for name in SERVICES if not listens(ports[name])]

    try:
        waited, _ = until("services", silent, ", ".join, START_S)
        assert waited.met, str(waited)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def verified(keep: Path, *, defect: bool) -> subprocess.CompletedProcess[str]:
    ports = free_ports((*SERVICES, "OTLP_PORT"))
    target, otlp = f"http://127.0.0.1:{ports['SHOP_PORT']}", f":{ports['OTLP_PORT']}"
    with services(ports, defect=defect):
        where = ["--target", target, "--otlp", otlp, "--keep", str(keep)]
        return subprocess.run(
            [PROGRAMS / "tracewright", "verify", "contracts/order.yaml", "--deadline", "15", *where],
            cwd=EXAMPLE,
            capture_output=True,
            text=True,
        )


def test_order_is_green_without_the_defect(tmp_path: Path) -> None:
    result = verified(tmp_path, defect=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_lost_context_is_found_and_its_place_named(tmp_path: Path) -> None:
    result = verified(tmp_path, defect=True)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "the context was lost between to-others and payments" in result.stdout
