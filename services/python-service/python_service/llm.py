"""A simulated language model: the same seed, question, agent and step give the same tokens and latency.

It knows no HTTP and no database. Its spans follow the GenAI semantic conventions, so that a real client could
take its place.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from python_service import faults
from python_service.faults import Fault
from python_service.telemetry.instruments import Instruments

PROVIDER = "simulated"
CHARACTERS_PER_TOKEN = 4

_tracer = trace.get_tracer(__name__)


@dataclass(frozen=True)
class Model:
    """Prices are USD per million tokens; latencies are seconds."""

    input_price_usd: Decimal
    output_price_usd: Decimal
    latency_min_s: float
    latency_max_s: float

    def cost_usd(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Exact; rounding is left to whoever stores a sum."""
        return (self.input_price_usd * input_tokens + self.output_price_usd * output_tokens) / 1_000_000


MODELS = {
    "sim-small": Model(Decimal("0.15"), Decimal("0.60"), 0.050, 0.090),
    "sim-large": Model(Decimal("3.00"), Decimal("15.00"), 0.110, 0.170),
}


@dataclass(frozen=True)
class Completion:
    """One answer of the model and what it took."""

    text: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


class SimulatedLLM:
    """Answers with the text that it is given, after the time and for the price that its seed says."""

    def __init__(
        self, *, seed: int, latency_scale: float, capture_content: bool, instruments: Instruments
    ) -> None:
        self._seed = seed
        self._latency_scale = latency_scale
        self._capture_content = capture_content
        self._instruments = instruments

    async def chat(
        self, *, model: str, agent_id: str, tenant_id: str, step: str, question: str, prompt: str, reply: str
    ) -> Completion:
        """One call: `prompt` goes in, `reply` comes out. Raises `KeyError` for an unknown model."""
        traits = MODELS[model]
        dice = _Dice(self._seed, question, agent_id, step)
        latency_s = traits.latency_min_s + (traits.latency_max_s - traits.latency_min_s) * dice.fraction()
        input_tokens = _count_tokens(prompt)
        # Models think before they speak: some tokens are paid that the text does not show.
        output_tokens = _count_tokens(reply) + dice.below(24)
        with _tracer.start_as_current_span(
            f"chat {model}",
            kind=SpanKind.CLIENT,
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": PROVIDER,
                "gen_ai.request.model": model,
                "gen_ai.request.seed": self._seed,
                "gen_ai.output.type": "text",
            },
        ) as span:
            await asyncio.sleep(latency_s * self._latency_scale)
            span.set_attributes(
                {
                    "gen_ai.response.id": dice.hex_id(),
                    "gen_ai.response.model": model,
                    "gen_ai.response.finish_reasons": ["stop"],
                    "gen_ai.usage.input_tokens": input_tokens,
                    "gen_ai.usage.output_tokens": output_tokens,
                }
            )
            if self._capture_content:
                span.set_attribute("gen_ai.input.messages", _messages("user", prompt))
                span.set_attribute("gen_ai.output.messages", _messages("assistant", reply))
            for _ in range(2 if faults.on(Fault.TOKENS_COUNTED_TWICE) else 1):
                self._instruments.tokens_used(
                    provider=PROVIDER,
                    model=model,
                    tenant_id=tenant_id,
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                )
        return Completion(reply, input_tokens, output_tokens, traits.cost_usd(input_tokens, output_tokens))


class _Dice:
    """Numbers that depend on nothing but the parts; the same on every machine and Python version."""

    def __init__(self, *parts: object) -> None:
        self._digest = sha256(json.dumps([str(part) for part in parts]).encode()).digest()

    def fraction(self) -> float:
        return int.from_bytes(self._digest[:4], "big") / 2**32

    def below(self, limit: int) -> int:
        return int.from_bytes(self._digest[4:8], "big") % limit

    def hex_id(self) -> str:
        return self._digest[8:16].hex()


def _count_tokens(text: str) -> int:
    return max(1, -(-len(text) // CHARACTERS_PER_TOKEN))


def _messages(role: str, text: str) -> str:
    messages: Sequence[dict[str, Any]] = [{"role": role, "parts": [{"type": "text", "content": text}]}]
    return json.dumps(messages)
