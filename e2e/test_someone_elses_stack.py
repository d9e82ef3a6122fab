"""`examples/three-services` by its README: green as it is, red with its defect, the place named."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "three-services"
PROGRAMS = Path(sys.executable).parent
START_S = 60.0


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@contextmanager
def services(ports: list[int], otlp: int, *, defect: bool) -> Iterator[None]:
    """The example's run.sh, from the moment when all three answer."""
    names = ("SHOP_PORT", "STOCK_PORT", "PAYMENTS_PORT")
    environment = {
        **os.environ,
        **{name: str(port) for name, port in zip(names, ports, strict=True)},
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "OTLP": f"http://127.0.0.1:{otlp}",
        "LOSE_CONTEXT": "1" if defect else "0",
        # python-service, in the same environment here, brings a distro of its own.
        "OTEL_PYTHON_DISTRO": "distro",
        "OTEL_PYTHON_CONFIGURATOR": "configurator",
    }
    process = subprocess.Popen([EXAMPLE / "run.sh"], env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + START_S
        for port in ports:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert process.poll() is None, "run.sh ended"
                    assert time.monotonic() < deadline, f"nothing listens on {port}"
                    time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def verified(keep: Path, *, defect: bool) -> subprocess.CompletedProcess[str]:
    *ports, otlp = free_ports(4)
    with services(ports, otlp, defect=defect):
        where = ["--target", f"http://127.0.0.1:{ports[0]}", "--otlp", f":{otlp}", "--keep", str(keep)]
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
