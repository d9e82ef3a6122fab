// The spans and logs that the services behind the gateway would send for one run:
//   go-service      POST /runs                                    (server, child of the caller's span)
//   python-service  └ POST /executions                            (server)
//                      └ invoke_agent researcher
//                         ├ execute_tool knowledge_search
//                         │  └ GET /search                        (rust-service, server)
//                         ├ chat sim-large                        (client)
//                         ├ INSERT executions                     (client)
//                         └ send usage_events                     (producer)
//   go-service      process usage_events                          (consumer, a trace of its own, linked to the producer)
import type { KeyValue, Received, SunkLog, SunkSpan } from './fake-fleet';

interface Sketch {
  key: string;
  parent?: string;
  service: string;
  name: string;
  kind: number;
  fromMs: number;
  toMs: number;
  attributes?: Record<string, string | number>;
}

const [INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER] = [1, 2, 3, 4, 5];
const go = 'go-service';
const python = 'python-service';

const RUN: Sketch[] = [
  {
    key: 'go',
    service: go,
    name: 'POST /runs',
    kind: SERVER,
    fromMs: 1,
    toMs: 117,
    attributes: { 'http.route': '/runs' },
  },
  { key: 'call', parent: 'go', service: go, name: 'POST /executions', kind: CLIENT, fromMs: 3, toMs: 115 },
  { key: 'py', parent: 'call', service: python, name: 'POST /executions', kind: SERVER, fromMs: 5, toMs: 114 },
  {
    key: 'agent',
    parent: 'py',
    service: python,
    name: 'invoke_agent researcher',
    kind: INTERNAL,
    fromMs: 8,
    toMs: 110,
  },
  {
    key: 'tool',
    parent: 'agent',
    service: python,
    name: 'execute_tool knowledge_search',
    kind: INTERNAL,
    fromMs: 9,
    toMs: 27,
  },
  { key: 'http', parent: 'tool', service: python, name: 'GET', kind: CLIENT, fromMs: 10, toMs: 26 },
  { key: 'rust', parent: 'http', service: 'rust-service', name: 'GET /search', kind: SERVER, fromMs: 12, toMs: 25 },
  {
    key: 'chat',
    parent: 'agent',
    service: python,
    name: 'chat sim-large',
    kind: CLIENT,
    fromMs: 28,
    toMs: 92,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'simulated',
      'gen_ai.usage.input_tokens': 412,
    },
  },
  {
    key: 'insert',
    parent: 'agent',
    service: python,
    name: 'INSERT executions',
    kind: CLIENT,
    fromMs: 93,
    toMs: 99,
    attributes: {
      'db.system.name': 'postgresql',
      'db.query.text': 'INSERT INTO executions (run_id, …) VALUES ($1, …)',
    },
  },
  { key: 'send', parent: 'agent', service: python, name: 'send usage_events', kind: PRODUCER, fromMs: 100, toMs: 104 },
];

/** All of it for a run whose caller sent `traceparent`; nothing without one. */
export function downstreamOf(
  traceparent: string | undefined,
  tenant: string,
): { spans: Received<SunkSpan>[]; logs: Received<SunkLog>[] } {
  const [, traceId, callerId] = traceparent?.split('-') ?? [];
  if (!traceId || !callerId) return { spans: [], logs: [] };
  const startNs = BigInt(Date.now()) * 1_000_000n;
  const at = (ms: number): string => String(startNs + BigInt(Math.round(ms * 1e6)));
  const ids = new Map(RUN.map(({ key }) => [key, hex(8)]));
  const spans = RUN.map((sketch): Received<SunkSpan> => {
    const attributes = pairs({ 'tenant.id': tenant, ...sketch.attributes });
    return received(sketch.service, {
      traceId,
      spanId: ids.get(sketch.key) ?? '',
      parentSpanId: sketch.parent ? (ids.get(sketch.parent) ?? '') : callerId,
      name: sketch.name,
      kind: sketch.kind,
      startTimeUnixNano: at(sketch.fromMs),
      endTimeUnixNano: at(sketch.toMs),
      attributes,
    });
  });
  const consumer: SunkSpan = {
    traceId: hex(16),
    spanId: hex(8),
    name: 'process usage_events',
    kind: CONSUMER,
    startTimeUnixNano: at(120),
    endTimeUnixNano: at(126),
    attributes: pairs({ 'tenant.id': tenant, 'messaging.system': 'postgresql' }),
    links: [{ traceId, spanId: ids.get('send') ?? '' }],
  };
  const logOf = (key: string, service: string, ms: number, text: string): Received<SunkLog> =>
    received(service, {
      timeUnixNano: at(ms),
      traceId,
      spanId: ids.get(key) ?? '',
      severityText: 'INFO',
      body: { stringValue: text },
      attributes: pairs({ 'tenant.id': tenant }),
    });
  return {
    spans: [...spans, received(go, consumer)],
    logs: [
      logOf('go', go, 2, 'run accepted'),
      logOf('tool', python, 26, 'knowledge searched'),
      logOf('rust', 'rust-service', 20, 'search answered'),
      logOf('agent', python, 109, 'execution finished'),
    ],
  };
}

function received<T>(service: string, record: T): Received<T> {
  return { service, resource: pairs({ 'service.name': service, 'service.namespace': 'tracewright' }), record };
}

function pairs(attributes: Record<string, string | number>): KeyValue[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
}

function hex(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('hex');
}
