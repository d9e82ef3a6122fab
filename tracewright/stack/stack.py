"""The life of a stack: start in dependency order, find again, break on purpose, stop in reverse.

Order and life only: what to run is in `fleet.py`, how a process is started and ended in `process.py`, what is
printed in `console.py`.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tracewright.endpoints import Endpoints
from tracewright.stack import flags, fleet, postgres
from tracewright.stack.builder import Builder, BuildResults
from tracewright.stack.component import Component, ComponentState, Setting, StackEvent, with_needs
from tracewright.stack.ending import kill, stop, sweep
from tracewright.stack.errors import ComponentFailed, StackError
from tracewright.stack.host import Child, Host, LocalHost
from tracewright.stack.launching import as_instance, fingerprint, launch, run_as
from tracewright.stack.ordering import bring_up_all
from tracewright.stack.paths import REPO_ROOT, BuildPaths, StackPaths
from tracewright.stack.ports import configured_ports, free_ports, port_variables
from tracewright.stack.process import Launch, exit_reason, tail
from tracewright.stack.readiness import NotReady, until_ready
from tracewright.stack.settings import WHOLE_PERCENT, load_settings, sampling
from tracewright.stack.state import Record, StackState, locked

Listener = Callable[[StackEvent], None]
Prepare = Callable[[tuple[Component, ...]], Awaitable[BuildResults]]

DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How a stack is started.

    A `name` other than `default` makes a private stack. `free_ports` chooses ports, `tee` keeps raw copies of
    all telemetry, `fast_flush` shortens the export intervals and keeps PostgreSQL from waiting for the disk.
    `components` limits it to these and what they need. `keep_data` lets a private stack go on with the data
    of an earlier life; else it begins empty.
    """

    name: str = DEFAULT_NAME
    free_ports: bool = False
    tee: bool = False
    fast_flush: bool = False
    components: tuple[str, ...] = ()
    keep_data: bool = False
    root: Path = REPO_ROOT


def quiet(event: StackEvent) -> None:
    """A listener that does not listen."""


class Stack:
    """One stack. As a context manager it is private to this process: it begins clean and ends stopped."""

    def __init__(
        self,
        options: StackOptions | None = None,
        *,
        table: tuple[Component, ...] | None = None,
        host: Host | None = None,
        listener: Listener = quiet,
        prepare: Prepare | None = None,
    ) -> None:
        self.options = options or StackOptions()
        self.paths = StackPaths(self.options.root, self.options.name)
        self._state = StackState.load(self.paths.state)
        # What runs goes on as it was started.
        self._tee = self.options.tee or (self._state.tee and bool(self._state.components))
        self._fast = self.options.fast_flush or (self._state.fast_flush and bool(self._state.components))
        self.table = table if table is not None else self._fleet()
        try:
            self.components = (
                with_needs(self.table, self.options.components) if self.options.components else self.table
            )
        except KeyError as error:
            names = ", ".join(component.name for component in self.table)
            raise StackError(f"there is no component {error.args[0]!r}: the components are {names}") from None
        self._host = host or LocalHost()
        self._listener = listener
        self._prepare = prepare or build_quietly
        self._children: dict[str, Child] = {}
        self._variables: dict[str, str] = {}
        self._fingerprints: dict[str, str] = {}
        self._settings: dict[str, str] = {}
        self._begun_s: float | None = None
        self._ready_after_s: dict[str, float] = {}
        self._held = ExitStack()

    def _fleet(self) -> tuple[Component, ...]:
        percent, _ = sampling(load_settings(self.options.root))
        return fleet.fleet(tee=self._tee, sampled=percent < WHOLE_PERCENT, fast=self._fast)

    # --- what others ask -------------------------------------------------------------------------------

    @property
    def endpoints(self) -> Endpoints:
        """Where the stack answers."""
        return fleet.endpoints(self._variables, self.components, tee=self._tee)

    @property
    def variables(self) -> Mapping[str, str]:
        """What the table's templates are filled with; empty before `start` or `attach`."""
        return self._variables

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds from launch to readiness of each component that this launcher started."""
        return self._ready_after_s

    def child(self, name: str) -> Child | None:
        """The living process of a component."""
        child = self._children.get(name)
        return child if child is not None and child.alive else None

    async def answer(self, component: Component) -> str | None:
        """Asks a component once: `None` when it is ready, else what it said."""
        for check in component.ready:
            if (reason := await self._host.probe(check, self._variables)) is not None:
                return reason
        return None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keeps other launchers away from this stack. Raises `StackBusy`."""
        with locked(self.paths.lock, f"the stack {self.paths.name!r}"):
            yield

    # --- the private stack -----------------------------------------------------------------------------

    async def __aenter__(self) -> Stack:
        """Starts a private stack, on nothing that an earlier one left. Raises `StackError`."""
        self._held.enter_context(self.exclusive())
        try:
            await self.stop()
            self._wipe(data=not self.options.keep_data)
            await self.start()
        except BaseException:
            self._held.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops everything; logs and tee stay as evidence, data goes."""
        try:
            await asyncio.shield(self.stop())
            if not self.options.keep_data:
                self.remove_data()
        finally:
            self._held.close()

    # --- starting --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Builds what is out of date, starts what does not run or has changed, and waits until all is ready.

        Nothing happens to what runs as it should. When something fails, or this task is cancelled, what this
        call started is stopped again. Raises `StackError`.
        """
        self._begun_s = asyncio.get_running_loop().time()
        self._state = StackState.load(self.paths.state)
        self.attach()
        await sweep(self._host.marked(self.paths.folder), self._children.values())
        self._require_free()
        built = await self._prepare(self.components)
        self.paths.make()
        if any(flags.VARIABLE in component.env for component in self.components):
            flags.prepare(self.paths, running=bool(self._children))
        self._fill(built.paths)
        self._fingerprints = {
            component.name: fingerprint(component, self._launch(component), built.digests, self.options.root)
            for component in self.components
        }
        await self._stop_changed()
        # Asked again: a build takes minutes.
        self._require_free()
        self._state.tee, self._state.fast_flush = self._tee, self._fast
        self._save()
        before = set(self._children)
        try:
            await bring_up_all(self.components, self._bring_up, self._fail_when_ended)
        except BaseException:
            started = [component for component in self.components if component.name not in before]
            await asyncio.shield(self._stop_all(started))
            raise
        self.endpoints.save(self.paths.endpoints)

    def attach(self) -> None:
        """Finds the processes that run, settles the ports, and fills the variables; starts nothing."""
        self._settings = load_settings(self.options.root)
        self._find_children()
        names = port_variables(self.table)
        if self._children and set(names) <= set(self._state.ports):
            ports = self._state.ports
        elif self.options.free_ports:
            ports = free_ports(names)
        else:
            ports = configured_ports(names, self._settings)
        self._state.ports = {name: ports[name] for name in names}
        self._fill({})

    def _fill(self, programs: Mapping[str, str]) -> None:
        self._variables = fleet.stack_variables(
            self.paths,
            self._state.ports,
            self._settings,
            intervals=fleet.FAST if self._fast else fleet.DEFAULT,
            environment="native" if self.options.name == DEFAULT_NAME else "test",
            programs=programs,
        )

    def _require_free(self) -> None:
        missing = [component for component in self.components if self.child(component.name) is None]
        self._host.require_free(missing, self._state.ports)

    async def _stop_changed(self) -> None:
        """Stops what runs otherwise than it would be started now: command, environment, program, files."""
        for component in reversed(self.components):
            record = self._state.components.get(component.name)
            if record is None or self.child(component.name) is None:
                continue
            if record.fingerprint != self._fingerprints[component.name]:
                await self._stop_one(component, "changed")

    def _find_children(self) -> None:
        """Takes over the recorded processes that this launcher did not start itself."""
        self._children = {name: child for name, child in self._children.items() if child.alive}
        for name, record in self._state.components.items():
            if name not in self._children and (child := self._host.find(record)) is not None:
                self._children[name] = child

    async def _bring_up(self, component: Component) -> Child:
        """Starts one component if it does not run, and waits until it is ready."""
        setting = self._setting(component)
        child = self.child(component.name)
        running = child is not None
        begun_s = asyncio.get_running_loop().time()
        if child is None:
            self._tell(component.name, ComponentState.STARTING)
            try:
                if component.before is not None:
                    await component.before(setting)
                child = self._spawn(component)
            except OSError as error:
                self._tell(component.name, ComponentState.FAILED, str(error))
                raise ComponentFailed(
                    component.name, f"could not be run: {error}", (), self._log(component)
                ) from error
            except StackError as error:
                self._tell(component.name, ComponentState.FAILED, str(error))
                raise
        await self._until_ready(component, child)
        if component.after is not None:
            try:
                await component.after(setting)
            except StackError as error:
                self._tell(component.name, ComponentState.FAILED, str(error))
                raise
        if not running:
            self._ready_after_s[component.name] = asyncio.get_running_loop().time() - begun_s
        self._tell(component.name, ComponentState.READY, "already running" if running else "")
        return child

    async def _until_ready(self, component: Component, child: Child) -> None:
        waiting = asyncio.ensure_future(
            until_ready(
                component.ready, self._variables, timeout_s=component.start_timeout_s, ask=self._host.probe
            )
        )
        ending = asyncio.ensure_future(child.wait())
        try:
            await asyncio.wait((waiting, ending), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                raise self._died(component, child, ending.result(), "before it was ready")
            waiting.result()
        except NotReady as error:
            reason = f"was not ready after {component.start_timeout_s:.0f} s; the last answer was: {error}"
            self._tell(component.name, ComponentState.FAILED, reason)
            raise ComponentFailed(
                component.name, reason, self._tail(component, child), self._log(component)
            ) from None
        finally:
            for task in (waiting, ending):
                task.cancel()
            await asyncio.gather(waiting, ending, return_exceptions=True)

    async def _fail_when_ended(self, component: Component, child: Child) -> None:
        raise self._died(component, child, await child.wait(), "while the others were starting")

    def _died(self, component: Component, child: Child, code: int | None, when: str) -> ComponentFailed:
        reason = f"{exit_reason(code)} {when}"
        self._tell(component.name, ComponentState.FAILED, reason)
        return ComponentFailed(component.name, reason, self._tail(component, child), self._log(component))

    def _spawn(self, component: Component) -> Child:
        child = self._host.spawn(as_instance(self._launch(component)))
        self._children[component.name] = child
        self._state.components[component.name] = Record(
            child.pid, child.started, child.log_start, self._fingerprints[component.name]
        )
        self._save()
        return child

    # --- breaking and mending, for failure tests -------------------------------------------------------

    async def kill(self, name: str) -> None:
        """Ends a component and all of its processes at once, as a crash would; returns when they are gone."""
        await kill(self._require(name))
        self._forget(name)
        self._tell(name, ComponentState.STOPPED, "killed")

    async def stop_component(self, name: str) -> None:
        """Stops a component as `down` does."""
        self._require(name)
        await self._stop_one(self._component(name))

    async def start_component(self, name: str) -> None:
        """Starts a component that does not run, with the ports and data it had; returns when it is ready."""
        await self._bring_up(self._component(name))

    async def restart(self, name: str) -> None:
        """Stops a component as `down` does, and starts it again."""
        await self.stop_component(name)
        await self.start_component(name)

    async def first_death(self) -> ComponentFailed:
        """Waits until any component ends by itself, and says which."""
        waits = {
            asyncio.ensure_future(child.wait()): component
            for component in self.components
            if (child := self.child(component.name)) is not None
        }
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            ended = next(iter(done))
            component = waits[ended]
            failure = self._died(component, self._children[component.name], ended.result(), "by itself")
            self._forget(component.name)
            return failure
        finally:
            for wait in waits:
                wait.cancel()

    # --- stopping --------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Stops every process of this stack in reverse order, also those of a launcher that crashed."""
        self._state = StackState.load(self.paths.state)
        self._find_children()
        await self._stop_all(self.table)
        await sweep(self._host.marked(self.paths.folder), ())
        self.paths.endpoints.unlink(missing_ok=True)
        self._state = StackState(ports=self._state.ports)
        if self.paths.folder.is_dir():
            self._save()

    async def _stop_all(self, components: list[Component] | tuple[Component, ...]) -> None:
        for component in reversed(components):
            if self.child(component.name) is not None:
                await self._stop_one(component)
            else:
                self._forget(component.name)

    async def _stop_one(self, component: Component, why: str = "") -> None:
        child = self._children[component.name]
        self._tell(component.name, ComponentState.STOPPING, why)
        detail = await stop(component, child)
        self._forget(component.name)
        self._tell(component.name, ComponentState.STOPPED, detail)

    def remove_data(self) -> None:
        """Removes the stack's data."""
        postgres.remove_data(self.paths)
        shutil.rmtree(self.paths.data, ignore_errors=True)

    def _wipe(self, *, data: bool) -> None:
        for folder in (self.paths.logs, self.paths.tee, self.paths.config):
            shutil.rmtree(folder, ignore_errors=True)
        if data:
            self.remove_data()

    # --- small parts -----------------------------------------------------------------------------------

    def _launch(self, component: Component) -> Launch:
        return launch(component, self.paths, self._variables, self._settings)

    def _setting(self, component: Component) -> Setting:
        return Setting(self.paths, self._variables, run_as(component, self.paths))

    def _component(self, name: str) -> Component:
        for component in self.components:
            if component.name == name:
                return component
        raise StackError(f"there is no component {name!r} in this stack")

    def _require(self, name: str) -> Child:
        self._component(name)
        child = self.child(name)
        if child is None:
            raise StackError(f"{name} does not run")
        return child

    def _forget(self, name: str) -> None:
        self._children.pop(name, None)
        if self._state.components.pop(name, None) is not None:
            self._save()

    def _save(self) -> None:
        self._state.save(self.paths.state)

    def _log(self, component: Component) -> str:
        return str(self.paths.logs / component.log_name)

    def _tail(self, component: Component, child: Child) -> tuple[str, ...]:
        return tail(self.paths.logs / component.log_name, start=child.log_start)

    def _tell(self, component: str, state: ComponentState, detail: str = "") -> None:
        now_s = asyncio.get_running_loop().time()
        begun_s = now_s if self._begun_s is None else self._begun_s
        self._listener(StackEvent(component, state, round(now_s - begun_s, 3), detail))


async def build_quietly(components: tuple[Component, ...]) -> BuildResults:
    """Builds what the components need, and prints nothing."""
    return await Builder(BuildPaths(REPO_ROOT)).build(needed_builds(components))


def needed_builds(components: tuple[Component, ...]) -> set[str]:
    """The results that the components run."""
    return {component.build for component in components if component.build is not None}
