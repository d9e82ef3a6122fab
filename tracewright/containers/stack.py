"""Starts the three containers through testcontainers, and says where they answer once they are ready."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import httpx

from tracewright.containers.settings import INDEX, QUICKWIT_INDEX, Images, read, write
from tracewright.contracts.settle import until
from tracewright.endpoints import Endpoints

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network

# Pulled images included: a first start is as slow as the network.
START_S = 180.0
ASK_S = 5.0
LOG_LINES = 15


class ContainersMissing(RuntimeError):
    """There is no testcontainers, no Docker, or one of the images; the text says which, and the way out."""


class ContainerStack:
    """A context manager. Entering raises `ContainersMissing` where containers cannot be had, and
    `TimeoutError`, with the container's last lines, where one does not get ready.

    Everything is on ports of its own, and gone at the end. The folder with what passed is on this machine:
    a Docker elsewhere cannot write to it.
    """

    def __init__(self, images: Images | None = None, start_s: float = START_S) -> None:
        self._images = images or Images()
        self._start_s = start_s
        self._open = ExitStack()
        self._endpoints: Endpoints | None = None

    @property
    def endpoints(self) -> Endpoints:
        """Where they answer. Raises `RuntimeError` before the start."""
        if self._endpoints is None:
            raise RuntimeError("the containers have not been started: `with ContainerStack() as stack`")
        return self._endpoints

    def __enter__(self) -> ContainerStack:
        try:
            self._start()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._endpoints = None
        self._open.close()

    def _start(self) -> None:
        network = self._network()
        folder = Path(tempfile.mkdtemp(prefix="tracewright-containers-"))
        self._open.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        write(folder)
        tee = folder / "tee"
        tee.mkdir()

        tempo = self._container(self._images.tempo, "tempo", network, [3200])
        tempo.with_volume_mapping(str(folder / "tempo"), "/etc/tempo", "ro")
        tempo.with_command("-target=all -config.file=/etc/tempo/tempo.yaml")
        # Its data goes with it, and any user may write there.
        tempo.with_tmpfs_mount("/var/tempo").with_kwargs(hostname="tempo")
        quickwit = self._container(self._images.quickwit, "quickwit", network, [7280])
        quickwit.with_volume_mapping(str(folder / "quickwit"), "/etc/quickwit", "ro")
        quickwit.with_command("run")
        quickwit.with_env("QW_CONFIG", "/etc/quickwit/quickwit.yaml").with_env("NO_COLOR", "1")
        quickwit.with_env("QW_DATA_DIR", "/quickwit/qwdata")
        quickwit.with_env("QW_LISTEN_ADDRESS", "0.0.0.0")  # noqa: S104 - of the container, not of this machine
        quickwit.with_tmpfs_mount("/quickwit/qwdata").with_kwargs(hostname="quickwit")
        for container in (tempo, quickwit):
            self._run(container)
        self._ready(tempo, 3200, "/ready")
        self._ready(quickwit, 7280, "/health/readyz")
        self._make_index(url(quickwit, 7280))

        collector = self._container(
            self._images.collector, "otel-collector", network, [4317, 4318, 8888, 13133]
        )
        collector.with_volume_mapping(str(folder / "collector"), "/etc/otel-collector", "ro")
        collector.with_volume_mapping(str(tee), "/tee", "rw")
        collector.with_command(
            "--config /etc/otel-collector/config.yaml --config /etc/otel-collector/overlay.yaml"
        )
        collector.with_env("COLLECTOR_TEE_DIR", "/tee").with_env("COLLECTOR_DATA_DIR", "/tee/queues")
        # As the caller, who reads the files.
        collector.with_kwargs(user=f"{os.getuid()}:{os.getgid()}")
        self._run(collector)
        self._ready(collector, 13133, "/status")

        self._endpoints = Endpoints(
            tempo=url(tempo, 3200),
            quickwit=url(quickwit, 7280),
            quickwit_index=INDEX,
            otlp_http=url(collector, 4318),
            otlp_grpc=url(collector, 4317),
            collector_metrics=url(collector, 8888),
            tee_dir=str(tee),
        )

    def _network(self) -> Network:
        """The network that the containers know each other in. Raises `ContainersMissing`."""
        try:
            from docker.errors import DockerException
            from testcontainers.core.network import Network
        except ModuleNotFoundError as error:
            raise ContainersMissing(
                "testcontainers is not installed: pip install 'tracewright[containers]'"
            ) from error
        try:
            return self._open.enter_context(Network())
        except DockerException as error:
            raise ContainersMissing(f"no Docker answers (`docker info` tells why): {error}") from error

    def _container(self, image: str, name: str, network: Network, ports: list[int]) -> DockerContainer:
        from testcontainers.core.container import DockerContainer

        made = DockerContainer(image)
        return made.with_network(network).with_network_aliases(name).with_exposed_ports(*ports)

    def _run(self, container: DockerContainer) -> None:
        from docker.errors import APIError

        try:
            container.start()
        except APIError as error:
            raise ContainersMissing(f"{container.image} cannot be had: {error.explanation}") from error
        self._open.callback(container.stop)

    def _ready(self, container: DockerContainer, port: int, path: str) -> None:
        """Waits until the container says that it is ready. Raises `TimeoutError`."""

        def unready() -> str:
            try:
                answer = httpx.get(f"{url(container, port)}{path}", timeout=ASK_S, trust_env=False)
            except (httpx.HTTPError, ConnectionError, TimeoutError) as error:
                return str(error) or type(error).__name__
            return "" if answer.is_success else f"{answer.status_code} {answer.text[:80]}"

        unmet: Callable[[str], str] = str
        waited, _ = until(f"{container.image} at {path}", unready, unmet, self._start_s)
        if not waited.met:
            raise TimeoutError(f"{waited}\nits last lines:\n{last_lines(container)}")

    def _make_index(self, quickwit: str) -> None:
        """Before the first export: records for an index that is not there are lost."""
        made = httpx.post(
            f"{quickwit}/api/v1/indexes",
            content=read(QUICKWIT_INDEX),
            headers={"content-type": "application/yaml"},
            timeout=self._start_s,
            trust_env=False,
        )
        made.raise_for_status()


def url(container: DockerContainer, port: int) -> str:
    """Where a container's port is reached from here."""
    return f"http://{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def last_lines(container: DockerContainer) -> str:
    """The end of what the container wrote."""
    written = b"".join(container.get_logs()).decode(errors="replace")
    return "\n".join(written.splitlines()[-LOG_LINES:])
