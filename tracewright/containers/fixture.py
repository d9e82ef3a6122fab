"""The containers of a test session: started at the first question, gone at its end."""

from __future__ import annotations

import pytest

from tracewright.containers.stack import ContainersMissing, ContainerStack

CONTAINERS = pytest.StashKey[ContainerStack]()


def containers_of(config: pytest.Config) -> ContainerStack:
    """The session's containers. Where there can be none the test fails with the reason and the way out."""
    if CONTAINERS not in config.stash:
        try:
            started = ContainerStack().__enter__()
        except (ContainersMissing, TimeoutError) as error:
            pytest.fail(f"no containers: {error}", pytrace=False)
        config.stash[CONTAINERS] = started
        config.add_cleanup(lambda: started.__exit__(None, None, None))
    return config.stash[CONTAINERS]


@pytest.fixture(scope="session")
def tracewright_containers(pytestconfig: pytest.Config) -> ContainerStack:
    """A collector, Tempo and Quickwit in containers: `tracewright_containers.endpoints.otlp_http` is where
    services export to. Needs Docker and `pip install 'tracewright[containers]'`.
    """
    return containers_of(pytestconfig)
