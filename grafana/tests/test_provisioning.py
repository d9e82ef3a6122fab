"""The provisioning files against their schemas: a key that Grafana would ignore in silence is an error here.

Grafana publishes no schema for them. The models below hold the keys that its documentation and data sources
name, as far as these files use them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tracewright.grafana.connections import load_sources
from tracewright.grafana.model import load_dashboards

FOLDER = Path(__file__).parents[1]
PROVISIONING = FOLDER / "provisioning"
UIDS = ("prometheus", "tempo", "quickwit", "alertmanager")
Uid = Literal["prometheus", "tempo", "quickwit", "alertmanager"]
# Data sources for which tracesToLogsV2 builds queries; for any other there is no link, and no error.
LINKED_FROM_TRACES = {"loki", "elasticsearch", "grafana-splunk-datasource", "grafana-opensearch-datasource"}


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Exemplars(Strict):
    name: str
    datasourceUid: Literal["tempo"]
    urlDisplayLabel: str = ""


class PrometheusSettings(Strict):
    httpMethod: Literal["GET", "POST"]
    prometheusType: Literal["Prometheus", "Mimir", "Cortex", "Thanos"]
    prometheusVersion: str
    timeInterval: str = Field(pattern=r"^\d+s$")
    manageAlerts: bool
    exemplarTraceIdDestinations: list[Exemplars]


class Tag(Strict):
    key: str
    value: str = ""


class MetricQuery(Strict):
    name: str
    query: str


class TracesToMetrics(Strict):
    datasourceUid: Literal["prometheus"]
    spanStartTimeShift: str = Field(pattern=r"^-\d+[smh]$")
    spanEndTimeShift: str = Field(pattern=r"^\d+[smh]$")
    tags: list[Tag]
    queries: list[MetricQuery]


class ServiceMap(Strict):
    datasourceUid: Literal["prometheus"]


class Enabled(Strict):
    enabled: bool


class Hidden(Strict):
    hide: bool


class Streaming(Strict):
    search: Literal[False]
    metrics: Literal[False]


class TraceQuery(Strict):
    timeShiftEnabled: bool


class SpanBar(Strict):
    type: Literal["None", "Duration", "Tag"]
    tag: str = ""


class TempoSettings(Strict):
    httpMethod: Literal["GET"]
    serviceMap: ServiceMap
    nodeGraph: Enabled
    search: Hidden
    streamingEnabled: Streaming
    traceQuery: TraceQuery
    spanBar: SpanBar
    tracesToMetrics: TracesToMetrics


class DataLink(Strict):
    field: str
    url: str
    urlDisplayLabel: str
    datasourceUid: Literal["tempo"]


class QuickwitSettings(Strict):
    index: str
    logMessageField: str
    logLevelField: str
    dataLinks: list[DataLink]


class AlertmanagerSettings(Strict):
    implementation: Literal["prometheus", "mimir", "cortex"]
    handleGrafanaManagedAlerts: bool


class CorrelationConfig(Strict):
    field: Literal["traceID", "spanID", "serviceName"]
    target: dict[str, Any]


class Correlation(Strict):
    """Without `type`: the default is `query`, and some versions of Grafana stop at a `type` in a file."""

    targetUID: Uid
    label: str = Field(min_length=1)
    description: str = Field(min_length=1)
    config: CorrelationConfig


class Source(Strict):
    name: str
    access: Literal["proxy"]
    url: str = Field(pattern=r"^http://[a-z]+:\d+(/api/v1)?$")
    isDefault: bool = False
    editable: Literal[False]
    correlations: list[Correlation] = []


class PrometheusSource(Source):
    type: Literal["prometheus"]
    uid: Literal["prometheus"]
    jsonData: PrometheusSettings


class TempoSource(Source):
    type: Literal["tempo"]
    uid: Literal["tempo"]
    jsonData: TempoSettings


class QuickwitSource(Source):
    type: Literal["quickwit-quickwit-datasource"]
    uid: Literal["quickwit"]
    url: str = Field(pattern=r"/api/v1$")
    jsonData: QuickwitSettings


class AlertmanagerSource(Source):
    type: Literal["alertmanager"]
    uid: Literal["alertmanager"]
    jsonData: AlertmanagerSettings


AnySource = Annotated[
    PrometheusSource | TempoSource | QuickwitSource | AlertmanagerSource, Field(discriminator="type")
]


class Sources(Strict):
    apiVersion: Literal[1]
    prune: bool
    datasources: list[AnySource]


class ProviderOptions(Strict):
    path: str = Field(pattern=r"^/")


class Provider(Strict):
    name: str
    orgId: Literal[1]
    folder: str
    folderUid: str
    type: Literal["file"]
    disableDeletion: bool
    allowUiUpdates: Literal[False]
    updateIntervalSeconds: int = Field(ge=10)
    options: ProviderOptions


class Providers(Strict):
    apiVersion: Literal[1]
    providers: list[Provider]


SCHEMAS: dict[str, type[Strict]] = {"datasources": Sources, "dashboards": Providers}
FILES = sorted(PROVISIONING.rglob("*.y*ml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_keeps_its_schema(path: Path) -> None:
    SCHEMAS[path.parent.name].model_validate(read(path))


def test_unknown_key_is_an_error() -> None:
    source = read(PROVISIONING / "datasources" / "tracewright.yaml")
    source["datasources"][0]["jsonData"]["exemplarTraceIdDestination"] = []
    with pytest.raises(ValidationError, match="exemplarTraceIdDestination"):
        TypeAdapter(Sources).validate_python(source)


def test_every_folder_is_one_that_grafana_reads() -> None:
    assert {path.parent.name for path in FILES} == set(SCHEMAS)


def test_sources_are_the_four_and_one_is_the_default() -> None:
    sources = load_sources(PROVISIONING / "datasources")
    assert sorted(source["uid"] for source in sources) == sorted(UIDS)
    assert [source["uid"] for source in sources if source.get("isDefault")] == ["prometheus"]


def test_dollars_are_doubled_so_that_the_environment_does_not_replace_them() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8").replace("$$", "")
        assert "$" not in "".join(line.split("#")[0] for line in text.splitlines())


def test_no_trace_to_logs_setting_that_would_make_no_link() -> None:
    for source in load_sources(PROVISIONING / "datasources"):
        target = source["jsonData"].get("tracesToLogsV2", {}).get("datasourceUid")
        kinds = {other["uid"]: other["type"] for other in load_sources(PROVISIONING / "datasources")}
        assert target is None or kinds[target] in LINKED_FROM_TRACES


def test_index_and_fields_are_those_of_the_log_index() -> None:
    index = read(FOLDER.parent / "quickwit" / "tracewright-logs.yaml")
    fields = {mapping["name"] for mapping in index["doc_mapping"]["field_mappings"]}
    (quickwit,) = (s for s in load_sources(PROVISIONING / "datasources") if s["uid"] == "quickwit")
    assert quickwit["jsonData"]["index"] == index["index_id"]
    assert quickwit["jsonData"]["logMessageField"].split(".")[0] in fields
    assert quickwit["jsonData"]["logLevelField"] in fields
    assert {link["field"] for link in quickwit["jsonData"]["dataLinks"]} <= fields


def test_dashboards_use_no_other_sources() -> None:
    used = {
        target["datasource"]["uid"]
        for page in load_dashboards(FOLDER / "dashboards")
        for panel in page.panels
        for target in panel.targets
    }
    assert used <= set(UIDS)
