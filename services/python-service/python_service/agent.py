"""The agent: plan what to look for, look for it, answer from what was found.

It knows no HTTP server and no database.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from python_service import faults
from python_service.domain import Agent
from python_service.faults import Fault
from python_service.knowledge import Entry, KnowledgeClient
from python_service.llm import PROVIDER, Completion, SimulatedLLM
from python_service.telemetry.spans import outer_span

PLANNING_MODEL = "sim-small"
SEARCH_LIMIT = 3
SEARCH_TERMS_MAX = 8
COST_STEP_USD = Decimal("0.000001")

# The calls with which an agent answers, after the plan. An agent that is not named here answers in one.
ANSWER_STEPS = {
    "researcher": ("draft", "verify"),
    "analyst": ("draft", "calculate", "verify"),
    "writer": ("draft",),
}

_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can did do does for from had has have how i in is it me my of on or our"
        " should tell that the their there this to was we were what when where which who why will with"
        " would you your",
    )
)

_logger = logging.getLogger(__name__)
_tracer = trace.get_tracer(__name__)


@dataclass(frozen=True)
class Source:
    """An entry that the answer rests on."""

    id: str
    title: str
    score: float


@dataclass(frozen=True)
class Outcome:
    """What a run gave and what it took. `cost_usd` is rounded to a millionth."""

    answer: str
    sources: list[Source]
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


class AgentRunner:
    """Runs one agent at a time per call; safe to call concurrently."""

    def __init__(self, llm: SimulatedLLM, knowledge: KnowledgeClient, *, capture_content: bool) -> None:
        self._llm = llm
        self._knowledge = knowledge
        self._capture_content = capture_content

    async def run(self, *, agent: Agent, tenant_id: str, run_id: UUID, question: str) -> Outcome:
        """Plan, search, answer.

        Raises a `DependencyError` when the search fails: there is no answer without sources.
        """
        with outer_span(
            _tracer,
            f"invoke_agent {agent.id}",
            SpanKind.INTERNAL,
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.provider.name": PROVIDER,
                "gen_ai.agent.id": agent.id,
                "gen_ai.agent.name": agent.id,
                "gen_ai.request.model": agent.model,
                "gen_ai.conversation.id": str(run_id),
            },
        ) as span:
            completions: list[Completion] = []

            async def chat(model: str, step: str, prompt: str, reply: str) -> str:
                completion = await self._llm.chat(
                    model=model,
                    agent_id=agent.id,
                    tenant_id=tenant_id,
                    step=step,
                    question=question,
                    prompt=prompt,
                    reply=reply,
                )
                completions.append(completion)
                return completion.text

            query = await chat(
                PLANNING_MODEL,
                "plan",
                f"Which words find what answers this? {question}",
                search_terms(question),
            )
            with faults.lost_span():
                _logger.info("search planned", extra={"gen_ai.agent.id": agent.id, "run.id": str(run_id)})
            entries = await self._search(query)
            _logger.info("knowledge searched", extra={"run.id": str(run_id), "search.results": len(entries)})
            draft = compose(agent.id, entries)
            context = "\n".join(f"{entry.title}: {entry.snippet}" for entry in entries)
            for step in ANSWER_STEPS.get(agent.id, ("draft",)):
                draft = await chat(agent.model, step, f"{step}\n{question}\n{context}", draft)
            input_tokens = sum(completion.input_tokens for completion in completions)
            output_tokens = sum(completion.output_tokens for completion in completions)
            span.set_attribute("gen_ai.usage.input_tokens", input_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", output_tokens)
        cost_usd = sum((completion.cost_usd for completion in completions), Decimal(0))
        return Outcome(
            answer=draft,
            sources=[Source(entry.id, entry.title, entry.score) for entry in entries],
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd=cost_usd.quantize(COST_STEP_USD, ROUND_HALF_UP),
        )

    async def _search(self, query: str) -> list[Entry]:
        with outer_span(
            _tracer,
            "execute_tool knowledge_search",
            SpanKind.INTERNAL,
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "knowledge_search",
                "gen_ai.tool.type": "datastore",
            },
            parent=faults.parent_of_tool(),
            ends=not faults.on(Fault.SPAN_NEVER_ENDED),
        ) as span:
            entries = await self._knowledge.search(query, limit=SEARCH_LIMIT)
            if self._capture_content:
                span.set_attribute(
                    "gen_ai.tool.call.arguments", json.dumps({"q": query, "limit": SEARCH_LIMIT})
                )
                span.set_attribute(
                    "gen_ai.tool.call.result", json.dumps([asdict(entry) for entry in entries])
                )
            return entries


def search_terms(question: str) -> str:
    """The words of the question that carry meaning, in order, each once.

    The whole question when there are none.
    """
    words = re.findall(r"\w+", question.lower())
    terms = dict.fromkeys(word for word in words if word not in _STOP_WORDS and len(word) > 1)
    return " ".join(list(terms)[:SEARCH_TERMS_MAX]) or question


def compose(agent_id: str, entries: Sequence[Entry]) -> str:
    """The text of an answer; the same for the same entries."""
    if not entries:
        return (
            "The knowledge base has nothing on this. Ask about traces, metrics, logs, or what connects them."
        )
    opening = {
        "researcher": "Here is what the knowledge base says.",
        "analyst": "Summed up:",
        "writer": "In short:",
    }.get(agent_id, "Here is an answer.")
    points = " ".join(f"{entry.title}: {entry.snippet.strip()} [{entry.id}]" for entry in entries)
    return f"{opening} {points}"
