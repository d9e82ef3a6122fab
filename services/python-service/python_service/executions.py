"""`POST /executions`: run an agent and keep what it answered."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from python_service.dependencies import ServicesDep

router = APIRouter()


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_storable)]


class ExecutionRequest(BaseModel):
    """What the gateway sends. The run id is its own and makes the call repeatable."""

    run_id: UUID
    tenant: Name
    agent: Name
    question: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_storable)]


class SourceResponse(BaseModel):
    """An entry that the answer rests on; a higher score fits better."""

    id: str
    title: str
    score: float


class TokensResponse(BaseModel):
    """Of all calls of models together."""

    input: int
    output: int


class ExecutionResponse(BaseModel):
    """The answer and what it cost."""

    run_id: UUID
    answer: str
    sources: list[SourceResponse]
    tokens: TokensResponse
    cost_usd: float


@router.post("/executions")
async def execute(request: ExecutionRequest, services: ServicesDep) -> ExecutionResponse:
    """Run the agent. The same `run_id` gives the same answer and is paid for once."""
    execution = await services.executions.execute(
        run_id=request.run_id, tenant_id=request.tenant, agent_id=request.agent, question=request.question
    )
    return ExecutionResponse(
        run_id=execution.run_id,
        answer=execution.answer,
        sources=[SourceResponse.model_validate(source) for source in execution.sources],
        tokens=TokensResponse(input=execution.input_tokens, output=execution.output_tokens),
        cost_usd=float(execution.cost_usd),
    )
