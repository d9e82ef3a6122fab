import { expect, test } from 'bun:test';
import { traceFromWire, type WireSpan, type WireTrace } from './wire';

const TRACE_ID = '5d241a136d9f407222b685f8282e21ae';
const SERVER = 'C+PU87YTt2g='; // 0be3d4f3b613b768
const CHILD = 'FQ7/a38w4Ec='; // 150eff6b7f30e047

function wireOf(...spans: WireSpan[]): WireTrace {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'rust-service' } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'axum', version: '0.8' }, spans }] }] };
}

test('ids become hex, times become offsets from the first start', () => {
  const trace = traceFromWire(
    TRACE_ID,
    wireOf(
      {
        spanId: CHILD,
        parentSpanId: SERVER,
        name: 'persist',
        kind: 'SPAN_KIND_INTERNAL',
        startTimeUnixNano: '1795272549350000123',
        endTimeUnixNano: '1795272549350001123',
        status: { code: 'STATUS_CODE_ERROR', message: 'full' },
      },
      {
        spanId: SERVER,
        name: 'GET /search',
        kind: 'SPAN_KIND_SERVER',
        startTimeUnixNano: '1795272549350000023',
        endTimeUnixNano: '1795272549350002023',
        status: {},
      },
    ),
  );
  expect(trace).toMatchObject({
    id: TRACE_ID,
    startedAt: '2026-11-21T14:49:09.350Z',
    startNs: '1795272549350000023',
    duration: 2000,
  });
  expect(trace?.spans).toMatchObject([
    {
      id: '150eff6b7f30e047',
      parentId: '0be3d4f3b613b768',
      start: 100,
      duration: 1000,
      failed: true,
      statusMessage: 'full',
    },
    {
      id: '0be3d4f3b613b768',
      start: 0,
      duration: 2000,
      failed: false,
      kind: 'server',
      service: 'rust-service',
      scope: 'axum 0.8',
    },
  ]);
  expect(trace?.spans[1]?.parentId).toBeUndefined();
});

test('attributes of every type are read and sorted', () => {
  const attributes = [
    { key: 'z', value: { intValue: '42' } },
    { key: 'big', value: { intValue: '9223372036854775807' } },
    { key: 'ok', value: { boolValue: false } },
    { key: 'ratio', value: { doubleValue: 0.5 } },
    { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: '1' }] } } },
    { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { stringValue: 'v' } }] } } },
    { key: 'none' },
  ];
  const trace = traceFromWire(TRACE_ID, wireOf({ spanId: SERVER, attributes }));
  expect(trace?.spans[0]?.attributes).toEqual([
    ['big', '9223372036854775807'],
    ['list', ['a', 1]],
    ['map', '{"k":"v"}'],
    ['none', null],
    ['ok', false],
    ['ratio', 0.5],
    ['z', 42],
  ]);
});

test('links and events keep their ids and places', () => {
  const trace = traceFromWire(
    TRACE_ID,
    wireOf({
      spanId: SERVER,
      startTimeUnixNano: '1000',
      endTimeUnixNano: '3000',
      events: [{ name: 'exception', timeUnixNano: '1500' }],
      links: [{ traceId: 'XSQaE22fQHIitoX4KC4hrg==', spanId: CHILD }],
    }),
  );
  expect(trace?.spans[0]).toMatchObject({
    events: [{ name: 'exception', at: 500 }],
    links: [{ traceId: TRACE_ID, spanId: '150eff6b7f30e047' }],
  });
});

test('a span sent twice counts once', () => {
  const span = { spanId: SERVER, startTimeUnixNano: '1', endTimeUnixNano: '2' };
  expect(traceFromWire(TRACE_ID, wireOf(span, span))?.spans).toHaveLength(1);
});

test('a trace without spans is none', () => {
  expect(traceFromWire(TRACE_ID, {})).toBeUndefined();
});
