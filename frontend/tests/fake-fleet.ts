// The rest of the fleet, faked for development and tests in one process: services, an OTLP/JSON sink, and Tempo and Quickwit answering from what the
// sink took. Real enough for the page and for assertions about telemetry; not a store.
//   bun tests/fake-fleet.ts [port]      then start the frontend with the variables that it prints; GET /sunk shows what the sink took

import { downstreamOf } from './fake-spans';

type Json = Record<string, unknown>;

export interface SunkSpan extends Json {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValue[];
  status?: { code?: number };
  events?: { name: string; attributes: KeyValue[] }[];
  links?: { traceId: string; spanId: string }[];
}
export interface SunkLog extends Json {
  timeUnixNano: string;
  traceId?: string;
  spanId?: string;
  eventName?: string;
  severityText?: string;
  body?: { stringValue?: string };
  attributes: KeyValue[];
}
export interface KeyValue {
  key: string;
  value: Json;
}
export interface Received<T> {
  service: string;
  resource: KeyValue[];
  record: T;
}

export interface BackendRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

/** What the fake services answer next; `undefined` is the good answer. */
export type Misbehaviour = { status: number; body?: string } | 'hang' | undefined;

export class FakeFleet {
  readonly spans: Received<SunkSpan>[] = [];
  readonly logs: Received<SunkLog>[] = [];
  readonly metrics: Json[] = [];
  readonly requests: BackendRequest[] = [];
  /** Export requests seen, of any signal. */
  exports = 0;
  misbehave: Misbehaviour;
  collectorDown = false;
  private readonly server;

  constructor(port = 0) {
    this.server = Bun.serve({ port, hostname: '127.0.0.1', idleTimeout: 60, fetch: (request) => this.answer(request) });
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.port}`;
  }

  /** The frontend's environment for this fleet. */
  environment(): Record<string, string> {
    return {
      GO_SERVICE_URL: this.url,
      PYTHON_SERVICE_URL: this.url,
      RUST_SERVICE_URL: this.url,
      TEMPO_URL: this.url,
      QUICKWIT_URL: this.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: this.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      OTEL_BLRP_SCHEDULE_DELAY: '100',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
    };
  }

  stop(): Promise<void> {
    return this.server.stop(true);
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const body = await request.text();
    if (pathname.startsWith('/v1/')) return this.sink(pathname, body);
    if (pathname.startsWith('/api/v2/traces/')) return Response.json(this.trace(pathname.split('/').at(-1) ?? ''));
    if (pathname === '/api/search') return Response.json({ traces: this.linking(searchParams.get('q') ?? '') });
    if (pathname === '/sunk') return Response.json({ spans: this.spans, logs: this.logs, metrics: this.metrics });
    if (/^\/api\/v1\/[^/]+\/search$/.test(pathname)) return Response.json(this.search(body));
    return this.service(request, pathname, body);
  }

  private sink(path: string, body: string): Response {
    if (this.collectorDown) return new Response('down', { status: 503 });
    this.exports += 1;
    const data = JSON.parse(body) as Record<string, Json[]>;
    if (path === '/v1/traces') this.spans.push(...flatten<SunkSpan>(data.resourceSpans, 'scopeSpans', 'spans'));
    if (path === '/v1/logs') this.logs.push(...flatten<SunkLog>(data.resourceLogs, 'scopeLogs', 'logRecords'));
    if (path === '/v1/metrics') this.metrics.push(data);
    return Response.json({ partialSuccess: {} });
  }

  private async service(request: Request, path: string, body: string): Promise<Response> {
    if (path !== '/') {
      this.requests.push({ method: request.method, path, headers: Object.fromEntries(request.headers), body });
      if (this.misbehave === 'hang') await new Promise(() => {});
      else if (this.misbehave) return new Response(this.misbehave.body ?? '{}', { status: this.misbehave.status });
    }
    if (path === '/') return Response.json({ service: 'fake', version: '0', status: 'ok', checks: {} });
    if (path === '/data') return Response.json({ service: 'fake', items: [{ id: 'k-1', title: 'Traces' }], count: 1 });
    if (path === '/error') return problem(500, 'raised on request');
    if (path === '/runs') return this.run(JSON.parse(body) as Json, request.headers.get('traceparent') ?? undefined);
    return problem(404, 'no such path');
  }

  private async run({ tenant, agent, question }: Json, traceparent: string | undefined): Promise<Response> {
    if (!['acme', 'globex'].includes(String(tenant))) return problem(404, `unknown tenant "${tenant}"`);
    const { spans, logs } = downstreamOf(traceparent, String(tenant));
    await Bun.sleep(120);
    this.spans.push(...spans);
    this.logs.push(...logs);
    return Response.json({
      run_id: crypto.randomUUID(),
      answer: `As ${agent}: ${question} Tail sampling keeps every error and every slow trace, and one in ten of the rest; decide it in one place for the whole trace.`,
      sources: [
        { id: 'k-tail-sampling', title: 'Tail sampling keeps what matters', score: 0.91 },
        { id: 'k-exemplars', title: 'Exemplars join metrics to traces', score: 0.64 },
      ],
      tokens: { input: 412, output: 96 },
      cost_usd: 0.00231,
      trace_id: '0'.repeat(32),
    });
  }

  private trace(traceId: string): Json {
    const found = this.spans.filter(({ record }) => record.traceId === traceId);
    const resourceSpans = found.map(({ resource, record }) => ({
      resource: { attributes: resource },
      scopeSpans: [{ scope: { name: 'fake' }, spans: [asTempo(record)] }],
    }));
    return resourceSpans.length > 0 ? { trace: { resourceSpans }, metrics: {} } : { trace: {}, metrics: {} };
  }

  private linking(query: string): Json[] {
    const traceId = /"([0-9a-f]{32})"/.exec(query)?.[1];
    const linking = this.spans.filter(({ record }) => record.links?.some((link) => link.traceId === traceId));
    return linking.map(({ service, record }) => ({
      traceID: record.traceId,
      rootServiceName: service,
      rootTraceName: record.name,
      startTimeUnixNano: record.startTimeUnixNano,
      durationMs: 3,
    }));
  }

  private search(body: string): Json {
    const traceId = /trace_id:"?([0-9a-f]{32})/.exec(body)?.[1];
    const hits = this.logs
      .filter(({ record }) => record.traceId === traceId)
      .map(({ service, record }) => ({
        timestamp_nanos: Number(record.timeUnixNano),
        service_name: service,
        severity_text: record.severityText,
        ...(record.body ? { body: { message: record.body.stringValue } } : {}),
        attributes: {
          ...Object.fromEntries(record.attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
          ...(record.eventName ? { event_name: record.eventName } : {}),
        },
        trace_id: record.traceId,
        span_id: record.spanId,
      }));
    return { num_hits: hits.length, hits, elapsed_time_micros: 1, errors: [] };
  }
}

function flatten<T>(resources: Json[] | undefined, scopes: string, records: string): Received<T>[] {
  return (resources ?? []).flatMap((entry) => {
    const resource = ((entry.resource as Json).attributes ?? []) as KeyValue[];
    const service = String(resource.find(({ key }) => key === 'service.name')?.value.stringValue);
    return (entry[scopes] as Json[])
      .flatMap((scope) => scope[records] as T[])
      .map((record) => ({ service, resource, record }));
  });
}

/** Tempo's JSON: ids in base64, enums by name. */
function asTempo(span: SunkSpan): Json {
  const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
  const codes = [undefined, 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'];
  const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
  return {
    ...span,
    traceId: base64(span.traceId),
    spanId: base64(span.spanId),
    ...(span.parentSpanId ? { parentSpanId: base64(span.parentSpanId) } : {}),
    kind: `SPAN_KIND_${kinds[span.kind]}`,
    status: span.status?.code ? { code: codes[span.status.code] } : {},
    links: span.links?.map((link) => ({ ...link, traceId: base64(link.traceId), spanId: base64(link.spanId) })),
  };
}

function problem(status: number, detail: string): Response {
  const body = { type: 'about:blank', title: 'Error', status, detail };
  return Response.json(body, { status, headers: { 'content-type': 'application/problem+json' } });
}

if (import.meta.main) {
  const fleet = new FakeFleet(Number(process.argv[2] ?? 0));
  const environment = Object.entries(fleet.environment()).map(([name, value]) => `${name}=${value}`);
  process.stdout.write(`${environment.join(' ')}\n`);
}
