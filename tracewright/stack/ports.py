"""Ports: which number each port variable has in a stack, whether it is free, and who holds it if not."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import psutil

from tracewright.stack.component import Component
from tracewright.stack.errors import PortTaken, SettingsError

# Below the range that systems give to outgoing connections (Linux: from 32768), so that nothing takes a port
# between the moment it is chosen and the moment its component listens.
FREE_PORT_RANGE = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that listens on a port; `None` where the system does not tell."""

    pid: int | None
    name: str | None

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid is not None else "a process of another user"


def port_variables(components: Iterable[Component]) -> tuple[str, ...]:
    """All port variables of the components, in their order."""
    return tuple(variable for component in components for variable in component.ports)


def configured_ports(variables: Iterable[str], settings: Mapping[str, str]) -> dict[str, int]:
    """The ports that `.env` or the environment give. Raises `SettingsError` naming the variable."""
    ports: dict[str, int] = {}
    owner: dict[int, str] = {}
    for variable in variables:
        text = settings.get(variable)
        if text is None:
            raise SettingsError(f"{variable} is not set: expected a port in .env or the environment")
        if not text.isdecimal() or not 0 < int(text) < 65_536:
            raise SettingsError(f"{variable}={text!r}: expected a port from 1 to 65535")
        port = int(text)
        if port in owner:
            raise SettingsError(f"{variable} and {owner[port]} are both {port}: each needs a port of its own")
        owner[port] = variable
        ports[variable] = port
    return ports


def free_ports(variables: Iterable[str]) -> dict[str, int]:
    """A free port for each variable, all different."""
    names = list(variables)
    ports: dict[str, int] = {}
    with ExitStack() as held:
        for port in random.SystemRandom().sample(FREE_PORT_RANGE, k=len(FREE_PORT_RANGE)):
            if len(ports) == len(names):
                return ports
            sock = held.enter_context(socket.socket())
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports[names[len(ports)]] = port
    raise PortTaken(f"no {len(names)} free ports in {FREE_PORT_RANGE.start}-{FREE_PORT_RANGE.stop - 1}")


def is_free(port: int) -> bool:
    """Whether a program could listen on the port now, on the loopback address."""
    with socket.socket() as sock:
        # As the components do: a connection of an earlier life that still times out does not count as taken.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def holder(port: int) -> Holder:
    """Who listens on the port, as far as this user may know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return Holder(None, None)
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.pid is None:
            continue
        if connection.laddr.port == port:
            try:
                return Holder(connection.pid, psutil.Process(connection.pid).name())
            except psutil.NoSuchProcess:
                break
    return Holder(None, None)


def require_free(components: Iterable[Component], ports: Mapping[str, int]) -> None:
    """Raises `PortTaken` with every taken port, its holder, and the variable that moves it."""
    taken = []
    for component in components:
        for variable in component.ports:
            port = ports[variable]
            if not is_free(port):
                other = port + 10_000 if port < 50_000 else port - 10_000
                taken.append(
                    f"port {port} for {component.name} is held by {holder(port)}. "
                    f"Stop it, or move the port: {variable}={other}"
                )
    if taken:
        raise PortTaken("\n".join(taken))
