"""Runs uvicorn, under `opentelemetry-instrument` (see `__main__`).

Not uvicorn's own command, for two reasons: after a SIGTERM that one ends by the signal, not with 0, and
without the exit handlers of the SDK; and a database that does not come must be one line, not a traceback.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from types import FrameType

import uvicorn
from openfeature import api

from python_service.app import create_app
from python_service.errors import DependencyError
from python_service.flagfile import FlagFile, FlagFileError
from python_service.settings import SERVICE, Settings, SettingsError
from python_service.store import Store
from python_service.telemetry import logs
from python_service.telemetry.flush import flush

SHUTDOWN_TIMEOUT_S = 5
FLUSH_TIMEOUT_S = 4
DATABASE_RETRY_S = 0.2


def main() -> None:
    """Serve until SIGTERM or SIGINT, deliver what was recorded, exit with 0 (1 or 3: a failed start)."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    logs.configure()
    code = 0
    try:
        _serve()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
    if not flush(FLUSH_TIMEOUT_S):
        sys.stderr.write(f"{SERVICE}: telemetry could not be delivered within {FLUSH_TIMEOUT_S} s\n")
        # The exporters still try, in threads that the interpreter would wait for.
        os._exit(code)
    sys.exit(code)


def _serve() -> None:
    try:
        settings = Settings.from_env(os.environ)
        if settings.flags_file is not None:
            api.set_provider_and_wait(FlagFile(settings.flags_file))
        asyncio.run(wait_for_database(settings))
    except FlagFileError as exc:
        sys.stderr.write(f"{SERVICE}: FLAGS_FILE: {exc}\n")
        sys.exit(1)
    except (SettingsError, DependencyError) as exc:
        sys.stderr.write(f"{SERVICE}: {exc}\n")
        sys.exit(1)
    config = uvicorn.Config(
        create_app,
        factory=True,
        host=settings.host,
        port=settings.port,
        # Access lines would double the lines that handlers write, and have no trace.
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    uvicorn.Server(config).run()


async def wait_for_database(settings: Settings) -> None:
    """Return when PostgreSQL answers. Raises `DependencyError` when it does not within its time."""
    store = Store.connect(settings)
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + settings.database_start_timeout_s
    try:
        while True:
            try:
                await store.check()
                return
            except DependencyError:
                if loop.time() > deadline_s:
                    raise
            await asyncio.sleep(DATABASE_RETRY_S)
    finally:
        await store.close()


def _exit(_signal: int, _frame: FrameType | None) -> None:
    # uvicorn handles signals itself while it runs, and raises them again when it is done: that ends here.
    raise SystemExit(0)


if __name__ == "__main__":
    main()
