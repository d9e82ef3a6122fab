"""The suite's stack in containers: `docker-compose.yml` as it is, with the collector's tee, on free ports.

Where the user's own `docker compose up` runs already, that one is used, as it is, and is not broken.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import docker
import httpx
import yaml
from docker.models.containers import Container
from docker.models.images import Image
from testcontainers.compose import DockerCompose

from e2e.database import query
from e2e.running_stack import STARTING, call_everything, wake
from tracewright.contracts.graph import REQUESTS
from tracewright.contracts.settle import until
from tracewright.endpoints import Endpoints
from tracewright.signals.prometheus import Prometheus
from tracewright.stack.fleet import FAST
from tracewright.stack.paths import REPO_ROOT, StackPaths
from tracewright.stack.ports import free_ports
from tracewright.stack.settings import load_settings, read_env_file, sampling

# What one name means natively and two containers are in Compose.
PARTS = {"store": ("tempo", "quickwit")}
# They end when they have done their work.
ONE_SHOT = ("prepare", "quickwit-init")
FILE = "docker-compose.yml"
OVERLAY = "e2e/compose.yaml"
HEALTHY_S = 120.0
PROJECT = "com.docker.compose.project"
# Where a component answers inside of its container, by the endpoint's name.
ANSWERS = {
    "frontend": ("frontend", 3001),
    "go_service": ("go-service", 8002),
    "python_service": ("python-service", 8001),
    "rust_service": ("rust-service", 8003),
    "tempo": ("tempo", 3200),
    "quickwit": ("quickwit", 7280),
    "prometheus": ("prometheus", 9090),
    "alertmanager": ("alertmanager", 9093),
    "grafana": ("grafana", 3000),
    "otlp_http": ("otel-collector", 4318),
    "otlp_grpc": ("otel-collector", 4317),
    "collector_metrics": ("otel-collector", 8888),
}


def long_running(file: Path = REPO_ROOT / FILE) -> tuple[str, ...]:
    """The services of the default profile that do not end by themselves, in the file's order."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    return tuple(
        name
        for name, service in services.items()
        if "default" in service.get("profiles", ["default"]) and name not in ONE_SHOT
    )


def stop_left(names: str) -> None:
    """Takes down, with volumes, what is left of the suite's projects whose names match."""
    users = load_settings(REPO_ROOT)["COMPOSE_PROJECT_NAME"]
    with closing(docker.from_env()) as engine:
        found = engine.containers.list(all=True, filters={"label": PROJECT})
    for project in {container.labels[PROJECT] for container in found}:
        if fnmatch(project, f"{users}-{names}"):
            command = ["docker", "compose", "-p", project, "down", "--volumes", "--remove-orphans"]
            subprocess.run(command, cwd=REPO_ROOT, capture_output=True, check=True)


class ComposeStack:
    """A context manager around one Compose project, with blocking methods."""

    def __init__(self, name: str) -> None:
        # Not a native stack's folder: each empties its own when it starts, tee and all.
        self._paths = StackPaths(REPO_ROOT, f"containers-{name}")
        self._docker = docker.from_env()
        settings = load_settings(REPO_ROOT)
        self._settings = settings
        users = settings["COMPOSE_PROJECT_NAME"]
        self.is_own = not self._containers_of(users)
        self._project = f"{users}-{name}" if self.is_own else users
        self._compose: DockerCompose | None = None
        # What Docker made for containers of ours: none of it may be left at the end.
        self._volumes: set[str] = set()
        self.endpoints = Endpoints()

    def __enter__(self) -> ComposeStack:
        if self.is_own:
            try:
                with STARTING:
                    self._compose = self._begin()
                    self.up()
            except BaseException as error:
                self._end()
                if isinstance(error, subprocess.CalledProcessError):
                    said = (error.stderr or b"").decode(errors="replace")[-4000:]
                    raise RuntimeError(f"docker compose up did not succeed:\n{said}") from error
                raise
        else:
            self.endpoints = self._endpoints()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def components(self) -> tuple[str, ...]:
        """The names of all that runs for long."""
        return tuple(sorted(set(self._all()) - set(ONE_SHOT)))

    @property
    def left_out(self) -> tuple[str, ...]:
        """The services of the default profile that cannot run here: Grafana's, where its image is not."""
        return tuple(name for name in self._services() if not self._can_run(name))

    def up(self) -> None:
        """`docker compose up --build --wait`, and one call of everything."""
        assert self._compose is not None, "a stack that somebody else started is left as it is"
        self._compose.start()
        self.endpoints = self._endpoints()
        # As natively: on a busy disk a commit may wait for longer than the services wait for it.
        # What is killed loses nothing by it.
        query(self.endpoints, "ALTER SYSTEM SET fsync = off")
        query(self.endpoints, "SELECT pg_reload_conf()")
        self._warm_up()

    def down(self) -> None:
        """`docker compose down`: the containers go, the volumes stay."""
        self._run("down")

    def kill(self, component: str) -> None:
        """Ends it at once; Docker does not restart what a command has killed."""
        for container in self._parts(component):
            container.kill()
            container.wait()

    def stop(self, component: str) -> None:
        """Stops it as `down` does: its own signal, and its own time for it."""
        for container in self._parts(component):
            container.stop()

    def start(self, component: str) -> None:
        """Starts it again; returns when it is healthy."""
        for container in self._parts(component):
            container.start()
        self.wait_healthy(component)
        wake(self.endpoints, component)

    def crash(self, component: str) -> None:
        """Kills its process from outside, behind Docker's back, so that the restart policy has to mend it."""
        for container in self._parts(component):
            self._beside(f"kill -9 {container.attrs['State']['Pid']}")

    def wait_healthy(self, component: str, started_after: str = "") -> None:
        """Returns when each of its containers is healthy, and was started after that time (RFC 3339)."""
        for name in PARTS.get(component, (component,)):

            def state(name: str = name) -> dict[str, Any]:
                found: dict[str, Any] = self._all(name)[name].attrs["State"]
                return found

            def unmet(state: dict[str, Any]) -> str:
                health = state.get("Health", {}).get("Status", "without a check")
                if state["StartedAt"] <= started_after:
                    return "it was not started anew"
                return "" if state["Running"] and health == "healthy" else f"{state['Status']}, {health}"

            waited, _ = until(f"{name} healthy", state, unmet, HEALTHY_S)
            assert waited.met, str(waited)

    def started_at(self, component: str) -> str:
        """When its process began (the first container's, RFC 3339)."""
        return str(self._parts(component)[0].attrs["State"]["StartedAt"])

    def runs(self, component: str) -> bool:
        """Whether all of it runs."""
        return all(container.attrs["State"]["Running"] for container in self._parts(component))

    def freeze(self, component: str) -> None:
        """It is there and accepts connections, but does nothing."""
        for container in self._parts(component):
            container.pause()

    def thaw(self, component: str) -> None:
        """Goes on where `freeze` stopped it."""
        for container in self._parts(component):
            container.unpause()

    def memory_bytes(self) -> dict[str, int]:
        """What each container uses without file pages that may be dropped, as `docker stats` counts."""
        return {
            name: used_bytes(container) for name, container in self._all().items() if name not in ONE_SHOT
        }

    def image(self, service: str) -> Image:
        """The image that a service's container was made of."""
        return cast(Image, self._parts(service)[0].image)

    # Docker

    def _beside(self, command: str) -> None:
        """Runs one line of bash in a container of its own that sees the processes of all."""
        helper: Container = self._docker.containers.run(
            self._settings["POSTGRES_IMAGE"], entrypoint=["bash", "-c", command], pid_mode="host", detach=True
        )
        try:
            ended = helper.wait()
            assert ended["StatusCode"] == 0, f"{command}: {helper.logs().decode(errors='replace')}"
        finally:
            self._volumes |= volumes_of(helper)
            # The image declares a volume, so the container has one; `v` removes it, too.
            helper.remove(v=True, force=True)

    def _containers_of(self, project: str) -> list[Container]:
        found: list[Container] = self._docker.containers.list(
            filters={"label": f"{PROJECT}={project}", "status": "running"}
        )
        return found

    def _all(self, service: str | None = None) -> dict[str, Container]:
        """All containers, or that of one service, also stopped ones, as they are now."""
        labels = [f"{PROJECT}={self._project}", "com.docker.compose.oneoff=False"]
        if service is not None:
            labels.append(f"com.docker.compose.service={service}")
        found = self._docker.containers.list(all=True, filters={"label": labels})
        return {container.labels["com.docker.compose.service"]: container for container in found}

    def _parts(self, component: str) -> list[Container]:
        found = [self._all(name).get(name) for name in PARTS.get(component, (component,))]
        assert all(found), f"{component} is not among {', '.join(self.components)}"
        return [container for container in found if container is not None]

    # Compose

    def _begin(self) -> DockerCompose:
        shutil.rmtree(self._paths.folder, ignore_errors=True)
        self._paths.make()
        names = [name for name in self._settings if name.endswith("_PORT")]
        own = {name: str(port) for name, port in free_ports(names).items()} | {
            "COMPOSE_PROJECT_NAME": self._project,
            "DEPLOYMENT_ENVIRONMENT": "test",
            "OTEL_METRIC_EXPORT_INTERVAL": str(FAST.metrics_ms),
            "OTEL_BSP_SCHEDULE_DELAY": str(FAST.delay_ms),
            "OTEL_BLRP_SCHEDULE_DELAY": str(FAST.delay_ms),
            "SPAN_METRICS_FLUSH_INTERVAL": FAST.span_metrics,
            "TEE_UID": str(os.getuid()),
            "TEE_DIR": str(self._paths.tee),
        }
        values = read_env_file(REPO_ROOT / ".env") | own
        env_file = self._paths.folder / "compose.env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
        compose = DockerCompose(
            context=REPO_ROOT,
            compose_file_name=[FILE, OVERLAY],
            env_file=str(env_file),
            build=True,
            wait=True,
        )
        self._compose = compose
        compose.services = [name for name in self._services() if self._can_run(name)]
        return compose

    def _services(self) -> list[str]:
        return self._run("config", "--services").split()

    def _can_run(self, service: str) -> bool:
        """Grafana alone is left out where its image is not there: what asks it is skipped."""
        if service != "grafana":
            return True
        return bool(self._docker.images.list(name=f"grafana/grafana:{self._settings['GRAFANA_VERSION']}"))

    def _run(self, *arguments: str) -> str:
        assert self._compose is not None
        command = [*self._compose.docker_compose_command(), *arguments]
        done = subprocess.run(command, cwd=REPO_ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        return done.stdout

    def _end(self) -> None:
        if self._compose is not None:
            log = self._run("logs", "--no-color", "--timestamps")
            (self._paths.logs / "compose.log").write_text(log, encoding="utf-8")
            self._volumes |= {name for container in self._all().values() for name in volumes_of(container)}
            self._run("down", "--volumes", "--remove-orphans")
            self._compose = None
            left = self._left()
            assert not left, f"the stack has ended, and has left behind: {', '.join(left)}"
        self._docker.close()

    def _left(self) -> list[str]:
        """Containers and volumes that are still there, the nameless ones of images among them."""
        label = f"{PROJECT}={self._project}"
        containers = [
            str(found.name) for found in self._docker.containers.list(all=True, filters={"label": label})
        ]
        ours = {volume.name for volume in self._docker.volumes.list(filters={"label": label})}
        there = {volume.name for volume in self._docker.volumes.list()}
        return [*containers, *sorted(ours | self._volumes & there)]

    def _warm_up(self) -> None:
        """Code that is loaded at the first request is in no latency budget, and counters begin at one."""
        call_everything(self.endpoints)
        with httpx.Client(base_url=str(self.endpoints.frontend), timeout=30.0, trust_env=False) as page:
            page.get("/").raise_for_status()
            for signal in ("traces", "logs"):
                page.post(f"/otlp/v1/{signal}", json={}).raise_for_status()
        # Tempo writes it seconds later: a run that began before would take these calls for its own.
        with closing(Prometheus(str(self.endpoints.prometheus))) as prometheus:
            waited, _ = until(
                "service graph",
                lambda: prometheus.living({REQUESTS})[0],
                lambda edges: "" if edges else "no edge",
                HEALTHY_S,
            )
        assert waited.met, str(waited)

    def _endpoints(self) -> Endpoints:
        known = self._all()
        found: dict[str, Any] = {
            name: f"http://127.0.0.1:{port}"
            for name, (service, inside) in ANSWERS.items()
            if service in known and (port := published(known[service], inside))
        }
        database = published(known["postgres"], 5432)
        percent, slow_ms = sampling(self._settings)
        return Endpoints(
            **found,
            database_url=f"postgresql://tracewright:tracewright@127.0.0.1:{database}/tracewright",
            tee_dir=str(self._paths.tee) if self.is_own else None,
            service_graph=True,
            sampling_percent=percent,
            sampling_slow_ms=slow_ms,
        )


def published(container: Container, inside: int) -> int | None:
    """The port of this machine that leads to one inside of the container; `None` when none does."""
    bindings: Sequence[dict[str, str]] | None = container.attrs["NetworkSettings"]["Ports"].get(
        f"{inside}/tcp"
    )
    return int(bindings[0]["HostPort"]) if bindings else None


def volumes_of(container: Container) -> set[str]:
    """The volumes that it has mounted, those without a name of ours, too; not folders of this machine."""
    container.reload()
    return {mount["Name"] for mount in container.attrs["Mounts"] if mount["Type"] == "volume"}


def used_bytes(container: Container) -> int:
    """Memory of one container."""
    counted: Any = container.stats(stream=False)
    memory = counted["memory_stats"]
    files = memory["stats"].get("inactive_file", memory["stats"].get("total_inactive_file", 0))
    return int(memory["usage"]) - int(files)
