// The built server against a fake fleet: what it answers, and what it tells about it. Needs `bun run build`.
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { BuiltServer, PATIENCE_MS, runToEnd, until } from './built-server';
import { FakeFleet, type KeyValue, type SunkSpan } from './fake-fleet';

// Hooks included; more than one wait, so that the wait says what was missing and not bun, which allows 5 s by itself.
setDefaultTimeout(3 * PATIENCE_MS);

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` };
const RUN = { tenant: 'acme', agent: 'researcher', question: 'why?' };

let fleet: FakeFleet;
let server: BuiltServer;

beforeAll(async () => {
  fleet = new FakeFleet();
  server = await BuiltServer.start(fleet, { DEPENDENCY_TIMEOUT_MS: String(PATIENCE_MS) });
});
afterAll(async () => {
  await server.stop();
  await fleet.stop();
});
afterEach(() => {
  fleet.misbehave = undefined;
  fleet.collectorDown = false;
});

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(server.url + path, { headers });
}

function postRun(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}/api/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** The trace id of an answer, from `traceresponse`. */
function traceOf(response: Response): string {
  return response.headers.get('traceresponse')?.split('-')[1] ?? '';
}

/** This server's spans of an answer's trace, once its SERVER span has arrived, and a span of that name, which may end after it. */
async function spansOf(response: Response, name?: string): Promise<Record<string, SunkSpan>> {
  const mine = () =>
    fleet.spans.filter((s) => s.service === 'frontend' && s.record.traceId === traceOf(response)).map((s) => s.record);
  await until('the SERVER span has arrived', () => mine().some(({ kind }) => kind === 2));
  if (name) await until(`the span ${name} has arrived`, () => mine().some((span) => span.name === name));
  return Object.fromEntries(mine().map((span) => [span.name, span]));
}

function attributeOf(attributes: KeyValue[], key: string): unknown {
  const value = attributes.find((attribute) => attribute.key === key)?.value;
  return value && Object.values(value)[0];
}

async function expectProblem(response: Response, status: number): Promise<Record<string, unknown>> {
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const body = (await response.json()) as Record<string, unknown>;
  expect(body).toMatchObject({ type: 'about:blank', status, trace_id: traceOf(response) });
  return body;
}

describe('POST /api/runs', () => {
  test('passes the gateway’s answer on, under the trace of the request', async () => {
    const response = await postRun(RUN, CALLER);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      trace_id: TRACE_ID,
      tokens: { input: 412, output: 96 },
      cost_usd: 0.00231,
    });
    expect(response.headers.get('traceresponse')).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`));
  });

  test('is one SERVER span with a CLIENT span below, both with the tenant, under stable names', async () => {
    const spans = await spansOf(await postRun(RUN));
    const [serving, calling] = [spans['POST /api/runs'], spans['POST /runs']];
    expect(Object.keys(spans)).toHaveLength(2);
    expect(calling?.parentSpanId).toBe(serving?.spanId ?? '');
    expect([serving?.kind, calling?.kind]).toEqual([2, 3]);
    for (const span of [serving, calling]) {
      expect(attributeOf(span?.attributes ?? [], 'tenant.id')).toBe('acme');
      expect(attributeOf(span?.attributes ?? [], 'http.request.method')).toBe('POST');
      expect(attributeOf(span?.attributes ?? [], 'http.response.status_code')).toBe(200);
    }
    const keys = [...(serving?.attributes ?? []), ...(calling?.attributes ?? [])].map(({ key }) => key);
    expect(keys).not.toContain('http.method');
    expect(keys).not.toContain('http.status_code');
  });

  test('sends trace and allowed baggage on, with the tenant of the body, and nothing else', async () => {
    const response = await postRun(RUN, { baggage: 'test.id=t1,session.id=s1,tenant.id=globex,secret=x' });
    await response.text();
    const { headers } = fleet.requests.at(-1) ?? { headers: {} as Record<string, string> };
    expect(headers.traceparent?.split('-')[1]).toBe(traceOf(response));
    expect((headers.baggage ?? '').split(',').sort()).toEqual(['session.id=s1', 'tenant.id=acme', 'test.id=t1']);
  });

  test('logs inside of its span, with the same ids and baggage', async () => {
    const response = await postRun(RUN, { baggage: 'test.id=t2' });
    const spans = await spansOf(response);
    const logs = () =>
      fleet.logs.filter(({ service, record }) => service === 'frontend' && record.traceId === traceOf(response));
    await until('both records have arrived', () => logs().length === 2);
    for (const { record } of logs()) {
      expect(record.spanId).toBe(spans['POST /api/runs']?.spanId);
      expect(attributeOf(record.attributes, 'test.id')).toBe('t2');
      expect(attributeOf(record.attributes, 'tenant.id')).toBe('acme');
    }
    expect(logs().map(({ record }) => record.body?.stringValue)).toEqual(['run requested', 'run finished']);
  });

  test('malformed JSON is a 400, which is no error of the server', async () => {
    const response = await postRun('{');
    await expectProblem(response, 400);
    expect((await spansOf(response))['POST /api/runs']?.status?.code ?? 0).toBe(0);
  });

  test('a wrong field is a 422 that names it', async () => {
    const { errors } = await expectProblem(await postRun({ ...RUN, question: '' }), 422);
    expect(errors).toEqual([{ field: 'question', message: 'must not be empty' }]);
  });

  test('a body over 64 KiB is a 413, sent with or without its length', async () => {
    await expectProblem(await postRun(' '.repeat(64 * 1024 + 1)), 413);
    const stream = new Blob([' '.repeat(100 * 1024)]).stream();
    const unsized = await fetch(`${server.url}/api/runs`, {
      method: 'POST',
      body: stream,
      duplex: 'half',
    } as RequestInit);
    await expectProblem(unsized, 413);
  });

  test('an unknown tenant is the gateway’s 404, and “unknown” in metrics', async () => {
    const response = await postRun({ ...RUN, tenant: 'nobody-7' });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ detail: 'unknown tenant "nobody-7"' });
    await until('the metric has arrived', () => JSON.stringify(fleet.metrics.at(-1) ?? {}).includes('"unknown"'));
    expect(JSON.stringify(fleet.metrics)).not.toContain('nobody-7');
  });

  test.each([
    [500, 502],
    [503, 503],
    [504, 502],
  ])('the gateway’s %p is our %p, with no exception: it did not happen here', async (theirs, ours) => {
    fleet.misbehave = { status: theirs, body: 'stack trace and secrets' };
    const response = await postRun(RUN);
    const body = await expectProblem(response, ours);
    expect(JSON.stringify(body)).not.toContain('secrets');
    const spans = await spansOf(response);
    expect(attributeOf(spans['POST /api/runs']?.attributes ?? [], 'error.type')).toBe(String(ours));
    expect(attributeOf(spans['POST /runs']?.attributes ?? [], 'error.type')).toBe(String(theirs));
    expect(Object.values(spans).flatMap(({ events }) => events ?? [])).toEqual([]);
  });

  test('a gateway that hangs is a 503 in time, with one exception on the CLIENT span', async () => {
    const hasty = await BuiltServer.start(fleet, { DEPENDENCY_TIMEOUT_MS: '400' });
    fleet.misbehave = 'hang';
    const response = await fetch(`${hasty.url}/api/runs`, { method: 'POST', body: JSON.stringify(RUN) });
    await expectProblem(response, 503); // the fake hangs for longer than this test may take
    const spans = await spansOf(response);
    await hasty.stop();
    expect(spans['POST /runs']?.events?.map(({ name }) => name)).toEqual(['exception']);
    expect(attributeOf(spans['POST /runs']?.attributes ?? [], 'error.type')).toBe('TimeoutError');
    expect(spans['POST /api/runs']?.events ?? []).toEqual([]);
    expect(spans['POST /api/runs']?.status?.code).toBe(2);
  });

  test('an answer that is not JSON is a 502', async () => {
    fleet.misbehave = { status: 200, body: '<html>' };
    await expectProblem(await postRun(RUN), 502);
  });
});

describe('GET /api/services/…', () => {
  test('data passes the service’s answer on', async () => {
    const response = await get('/api/services/rust-service/data');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ count: 1 });
    expect(Object.keys(await spansOf(response)).sort()).toEqual(['GET /api/services/[service]/data', 'GET /data']);
  });

  test('error passes status and body on, and both spans are errors without an exception of their own', async () => {
    const response = await get('/api/services/go-service/error');
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ detail: 'raised on request' });
    const spans = Object.values(await spansOf(response));
    expect(spans.map(({ status }) => status?.code)).toEqual([2, 2]);
    expect(spans.flatMap(({ events }) => events ?? [])).toEqual([]);
  });

  test('a service that is not of the fleet is a 404', async () => {
    await expectProblem(await get('/api/services/passwd/data'), 404);
  });
});

describe('what is not there', () => {
  test('an unknown path is a 404 named GET /*', async () => {
    const response = await get('/no/such/path?q=1');
    await expectProblem(response, 404);
    expect(attributeOf((await spansOf(response))['GET /*']?.attributes ?? [], 'http.route')).toBe('/*');
  });

  test('people get a page', async () => {
    const response = await get('/no/such/path', { accept: 'text/html,*/*' });
    expect(response.status).toBe(404);
    expect(await response.text()).toContain('There is nothing at this address');
  });

  test.each([
    ['DELETE', '/api/runs'],
    ['GET', '/api/runs'],
    ['POST', '/api/services/go-service/data'],
    ['PUT', '/api/health'],
    ['POST', '/'],
    ['DELETE', '/traces/0af7651916cd43dd8448eb211c80319c'],
  ])('%s %s is a 405', async (method, path) => {
    const response = await fetch(server.url + path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toMatch(/GET|POST/);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
  });
});

describe('pages', () => {
  test('carry the trace of their rendering, and the test id that the request named', async () => {
    const response = await get('/', { baggage: 'test.id=t%203,secret=x' });
    const html = await response.text();
    const meta = (name: string): string | undefined =>
      new RegExp(`<meta name="${name}" content="([^"]*)"`).exec(html)?.[1];
    const name = 'render route (app) /';
    const rendering = (await spansOf(response, name))[name];
    expect(meta('traceparent')).toBe(`00-${traceOf(response)}-${rendering?.spanId}-01`);
    expect(meta('baggage')).toBe('test.id=t%203');
  });

  test('load nothing from elsewhere', async () => {
    const html = await (await get('/')).text();
    const sources = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source);
    expect(sources.length).toBeGreaterThan(3);
    expect(sources.filter((source) => !source?.startsWith('/'))).toEqual([]);
  });
});

describe('health, metrics and browser telemetry', () => {
  test('are not traced', async () => {
    for (const path of ['/api/health', '/metrics', '/icon.svg']) {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('traceresponse')).toBeNull();
    }
    await spansOf(await get('/api/services/go-service/data')); // sent after them: theirs would be here by now
    const paths = fleet.spans.map(
      ({ record }) => attributeOf(record.attributes, 'url.path') ?? attributeOf(record.attributes, 'url.full'),
    );
    expect(paths).toContain('/api/services/go-service/data');
    expect(paths.filter((path) => /health|metrics|icon|otlp|\/$/.test(String(path)) && path !== '/')).toEqual([]);
  });

  test('/metrics has process series and nothing of requests', async () => {
    const text = await (await get('/metrics')).text();
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).not.toContain('http_server');
  });

  test('health follows the gateway', async () => {
    expect(await (await get('/api/health')).json()).toMatchObject({
      service: 'frontend',
      status: 'ok',
      checks: { 'go-service': 'ok' },
    });
  });

  test('/otlp hands the bytes to the collector', async () => {
    const body = JSON.stringify({ resourceSpans: [] });
    const before = fleet.exports;
    const response = await fetch(`${server.url}/otlp/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(200);
    expect(fleet.exports).toBeGreaterThan(before);
  });

  test.each([
    ['/otlp/v1/traces', 'text/plain', 415],
    ['/otlp/v1/profiles', 'application/json', 404],
  ])('%s as %s is a %p', async (path, type, status) => {
    const response = await fetch(server.url + path, { method: 'POST', headers: { 'content-type': type }, body: '{}' });
    expect(response.status).toBe(status);
    expect(await response.json()).not.toHaveProperty('trace_id'); // untraced: there is none to name
  });

  test('/otlp refuses more than 2 MiB', async () => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${server.url}/otlp/v1/logs`, {
      method: 'POST',
      headers,
      body: ' '.repeat(2 * 1024 * 1024 + 1),
    });
    expect(response.status).toBe(413);
  });
});

test('without a collector /otlp is a 503, and the server serves and stops all the same', async () => {
  const other = await BuiltServer.start(fleet, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${other.url}/otlp/v1/logs`, { method: 'POST', headers, body: '{}' });
  expect(response.status).toBe(503);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect((await fetch(`${other.url}/api/runs`, { method: 'POST', body: JSON.stringify(RUN) })).status).toBe(200);
  expect((await other.stop()).exitCode).toBe(0);
});

test('SIGTERM flushes spans, logs and metrics, and the process exits 0', async () => {
  const slow = {
    OTEL_BSP_SCHEDULE_DELAY: '60000',
    OTEL_BLRP_SCHEDULE_DELAY: '60000',
    OTEL_METRIC_EXPORT_INTERVAL: '60000',
  };
  const own = new FakeFleet();
  const other = await BuiltServer.start(own, slow);
  const response = await fetch(`${other.url}/api/runs`, { method: 'POST', body: JSON.stringify(RUN) });
  await response.text();
  expect([own.spans.filter(({ service }) => service === 'frontend').length, own.metrics.length]).toEqual([0, 0]);
  const { exitCode, stdout } = await other.stop();
  expect(exitCode).toBe(0);
  expect(own.spans.filter(({ service }) => service === 'frontend').map(({ record }) => record.name)).toEqual([
    'POST /runs',
    'POST /api/runs',
  ]);
  expect(own.logs.filter(({ service }) => service === 'frontend')).toHaveLength(2);
  expect(JSON.stringify(own.metrics)).toContain('http.server.request.duration');
  const line = stdout.split('\n').find((text) => text.includes('run finished'));
  expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 'INFO', trace_id: traceOf(response), 'tenant.id': 'acme' });
  await own.stop();
});

test('SIGTERM lets a request that is being served finish', async () => {
  const own = new FakeFleet();
  const other = await BuiltServer.start(own);
  const running = fetch(`${other.url}/api/runs`, { method: 'POST', body: JSON.stringify(RUN) });
  await until('the gateway has the request', () => own.requests.length === 1);
  const stopped = other.stop();
  expect((await running).status).toBe(200);
  expect((await stopped).exitCode).toBe(0);
  await own.stop();
});

test.each([
  [{ GO_SERVICE_URL: 'nowhere' }, 'GO_SERVICE_URL'],
  [{ PORT: '99999' }, 'PORT'],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL'],
])('a wrong setting ends the start with one line that names it: %p', async (environment, name) => {
  const { exitCode, stderr } = await runToEnd(environment as Record<string, string>);
  expect(exitCode).toBe(1);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain(name);
});
