"""The parts of an agent that are arithmetic."""

from __future__ import annotations

from decimal import Decimal
from time import monotonic

import pytest
from python_service.agent import ANSWER_STEPS, SEARCH_TERMS_MAX, compose, search_terms
from python_service.knowledge import Entry
from python_service.llm import MODELS, Completion, SimulatedLLM
from python_service.telemetry.instruments import Instruments


@pytest.mark.parametrize(
    ("question", "terms"),
    [
        ("How do orphan spans happen?", "orphan spans happen"),
        ("Spans, spans and SPANS", "spans"),
        ("Why is it?", "Why is it?"),
        ("???", "???"),
        ("Où est la mémoire", "où est la mémoire"),
    ],
)
def test_search_terms_are_the_words_that_carry_meaning(question: str, terms: str) -> None:
    assert search_terms(question) == terms


def test_search_terms_are_bounded() -> None:
    assert len(search_terms(" ".join(f"word{n}" for n in range(500))).split()) == SEARCH_TERMS_MAX


def test_answer_without_entries_says_so() -> None:
    assert "nothing on this" in compose("researcher", [])


def test_answer_names_its_entries() -> None:
    answer = compose("analyst", [Entry("trace", "What a trace is", "The story.", 1.0)])
    assert "What a trace is: The story. [trace]" in answer


def test_prices_are_exact() -> None:
    assert MODELS["sim-large"].cost_usd(1_000_000, 1_000_000) == Decimal("18.00")
    assert MODELS["sim-small"].cost_usd(1, 1) == Decimal("0.00000075")


async def _chat(seed: int = 7, latency_scale: float = 0, step: str = "draft") -> Completion:
    llm = SimulatedLLM(
        seed=seed, latency_scale=latency_scale, capture_content=False, instruments=Instruments()
    )
    return await llm.chat(
        model="sim-large",
        agent_id="researcher",
        tenant_id="acme",
        step=step,
        question="why?",
        prompt="p" * 9,
        reply="r",
    )


async def test_completion_is_a_function_of_seed_question_agent_and_step() -> None:
    assert await _chat() == await _chat()
    output_tokens = {(await _chat(seed, step=step)).output_tokens for seed in range(5) for step in ("a", "b")}
    assert len(output_tokens) > 3
    assert (await _chat()).input_tokens == 3


async def test_latency_is_simulated_and_scaled() -> None:
    started_s = monotonic()
    await _chat(latency_scale=0.5)
    assert monotonic() - started_s >= MODELS["sim-large"].latency_min_s * 0.5


def test_run_at_full_scale_takes_between_300_and_600_milliseconds() -> None:
    small, large = MODELS["sim-small"], MODELS["sim-large"]
    steps = len(ANSWER_STEPS["researcher"])
    assert small.latency_min_s + steps * large.latency_min_s > 0.25
    longest = max(len(steps) for steps in ANSWER_STEPS.values())
    assert small.latency_max_s + longest * large.latency_max_s <= 0.6
