"""Makes the log index before the first export reaches it."""

from __future__ import annotations

import httpx

from tracewright.stack.component import Setting
from tracewright.stack.errors import StackError

INDEX_FILE = "quickwit/tracewright-logs.yaml"


async def create_index(setting: Setting) -> None:
    """Posts the index file; an index that is already there is left as it is."""
    url = f"http://127.0.0.1:{setting.variables['QUICKWIT_PORT']}/api/v1/indexes"
    body = (setting.paths.root / INDEX_FILE).read_bytes()
    async with httpx.AsyncClient(timeout=10.0, trust_env=False, verify=False) as client:  # noqa: S501 - plain HTTP
        try:
            answer = await client.post(url, content=body, headers={"content-type": "application/yaml"})
        except httpx.HTTPError as error:
            raise StackError(f"{INDEX_FILE}: POST {url} failed: {error or type(error).__name__}") from error
    if answer.is_success or (answer.is_client_error and "already exist" in answer.text):
        return
    raise StackError(
        f"{INDEX_FILE} was refused: POST {url} answered {answer.status_code} {answer.text[:500]}"
    )
