"""The client of rust-service's search."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, ValidationError

from python_service.errors import DependencyFailed, DependencyRefused, DependencyUnavailable

DEPENDENCY = "rust-service"


@dataclass(frozen=True)
class Entry:
    """One result: an entry of the knowledge base and how well it fits (higher is better)."""

    id: str
    title: str
    snippet: str
    score: float


class _Result(BaseModel):
    id: str
    title: str
    snippet: str
    score: float


class _Answer(BaseModel):
    results: list[_Result]


class KnowledgeClient:
    """Searches, within `timeout_s` in all."""

    def __init__(self, http: httpx.AsyncClient, *, base_url: str, timeout_s: float) -> None:
        self._http = http
        self._url = f"{base_url}/search"
        self._timeout_s = timeout_s

    async def search(self, query: str, *, limit: int) -> list[Entry]:
        """Best first. Raises a `DependencyError` when there is no answer, or none that can be used."""
        try:
            # httpx limits each step (connect, read, …), the outer one their sum. The inner one is the
            # shorter, so that a silent server ends as an httpx error, which the client span records; a
            # cancellation it would not.
            async with asyncio.timeout(self._timeout_s):
                response = await self._http.get(
                    self._url, params={"q": query, "limit": limit}, timeout=self._timeout_s * 0.9
                )
        except httpx.TransportError as exc:
            raise DependencyUnavailable(DEPENDENCY, "is not available", recorded=True) from exc
        except TimeoutError as exc:
            raise DependencyUnavailable(DEPENDENCY, "did not answer in time") from exc
        # An error that rust-service answers with happened there, and is recorded there.
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise DependencyUnavailable(DEPENDENCY, "is not available", recorded=True)
        if response.is_server_error:
            raise DependencyFailed(DEPENDENCY, f"failed with {response.status_code}", recorded=True)
        if response.is_client_error:
            raise DependencyRefused(DEPENDENCY, response.status_code)
        try:
            answer = _Answer.model_validate_json(response.content)
        except ValidationError as exc:
            raise DependencyFailed(DEPENDENCY, "gave an answer that is not its contract") from exc
        return [Entry(result.id, result.title, result.snippet, result.score) for result in answer.results]
