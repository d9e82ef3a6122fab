"""Trace contracts: proves that traces, logs and metrics are complete and agree.

    from tracewright import Endpoints, ProbePlan, verify

    report = verify(Endpoints.load(path), [ProbePlan("agent-run", tenant="acme")])
    assert report.ok, report.render()

What is not listed in `__all__` is private by convention.
"""

from tracewright.contracts.findings import Finding, Verdict
from tracewright.contracts.judge import CheckResult
from tracewright.contracts.load import ContractError, load_contract, load_contracts
from tracewright.contracts.model import Contract
from tracewright.contracts.settle import Deadlines
from tracewright.endpoints import Endpoints
from tracewright.verify import ProbePlan, Report, verify

__all__ = [
    "CheckResult",
    "Contract",
    "ContractError",
    "Deadlines",
    "Endpoints",
    "Finding",
    "ProbePlan",
    "Report",
    "Verdict",
    "load_contract",
    "load_contracts",
    "verify",
]
