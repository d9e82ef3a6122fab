"""Ports and settings: where they come from, and what is said when they are wrong."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tracewright.stack.errors import SettingsError
from tracewright.stack.fleet import fleet
from tracewright.stack.ports import FREE_PORT_RANGE, configured_ports, free_ports, is_free, port_variables
from tracewright.stack.settings import child_environment, load_settings, read_env_file, sampling


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# ports\nWEB_PORT=3001\n\nexport DB_PORT='15432'\nSEED=7 # of the model\n"
    )
    assert load_settings(tmp_path, {"WEB_PORT": "4001", "OTHER": "x"}) == {
        "WEB_PORT": "4001",
        "DB_PORT": "15432",
        "SEED": "7",
    }


def test_a_line_that_is_no_assignment_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nnonsense\n")
    with pytest.raises(SettingsError, match=r"\.env:2: expected NAME=value, found 'nonsense'"):
        read_env_file(tmp_path / ".env")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.env is missing"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize("value", ["all", "-1", "101", "nan"])
def test_a_value_that_is_no_share_is_named_with_its_variable(value: str) -> None:
    with pytest.raises(SettingsError, match=f"SAMPLING_PERCENT='{value}': expected a number from 0 to 100"):
        sampling({"SAMPLING_PERCENT": value})


def test_everything_is_kept_unless_the_settings_say_otherwise() -> None:
    assert sampling({}) == (100.0, 2000)
    assert sampling({"SAMPLING_PERCENT": ""}) == (100.0, 2000)
    assert sampling({"SAMPLING_PERCENT": "12.5", "SAMPLING_SLOW_MS": "500"}) == (12.5, 500)


@pytest.mark.parametrize("value", ["", "http", "0", "65536", "-1"])
def test_a_value_that_is_no_port_is_named_with_its_variable(value: str) -> None:
    with pytest.raises(SettingsError, match=f"WEB_PORT='{value}': expected a port from 1 to 65535"):
        configured_ports(["WEB_PORT"], {"WEB_PORT": value})


def test_a_port_without_a_value_is_named() -> None:
    with pytest.raises(SettingsError, match="WEB_PORT is not set"):
        configured_ports(["WEB_PORT"], {})


def test_two_variables_with_one_port_are_named() -> None:
    with pytest.raises(SettingsError, match="B_PORT and A_PORT are both 80"):
        configured_ports(["A_PORT", "B_PORT"], {"A_PORT": "80", "B_PORT": "80"})


def test_free_ports_are_different_free_and_outside_of_what_connections_get() -> None:
    names = [f"P{number}_PORT" for number in range(30)]
    ports = free_ports(names)
    assert len(set(ports.values())) == 30
    assert all(port in FREE_PORT_RANGE and is_free(port) for port in ports.values())


def test_a_port_on_all_addresses_is_taken_for_the_loopback_address() -> None:
    with socket.create_server(("0.0.0.0", 0)) as holder:
        assert not is_free(holder.getsockname()[1])


def test_children_inherit_the_basics_and_the_fleets_settings_only() -> None:
    environ = {
        "PATH": "/bin",
        "HTTP_PROXY": "http://proxy",
        "OTEL_TRACES_SAMPLER": "always_off",
        "LATENCY_SCALE": "0",
    }
    compose = {"COMPOSE_PROFILES": "default", "DB_IMAGE": "db:1.2", "TRACEWRIGHT_VERSION": "1"}
    env = child_environment({"LLM_SEED": "7", "WEB_PORT": "3001", "EMPTY": "", **compose}, environ)
    assert env == {
        "PATH": "/bin",
        "LATENCY_SCALE": "0",
        "LLM_SEED": "7",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def test_the_file_of_the_repository_has_every_port_of_the_table() -> None:
    root = Path(__file__).resolve().parents[3]
    settings = read_env_file(root / ".env")
    assert set(port_variables(fleet())) <= set(settings)
    configured_ports(port_variables(fleet()), settings)
