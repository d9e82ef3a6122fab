import { expect, test } from 'bun:test';
import { linesFromHits } from './quickwit';

const START_NS = '1768471205000000000';

test('a hit becomes a line, placed from the start of the trace', () => {
  const [line] = linesFromHits(
    [
      {
        timestamp_nanos: Number('1768471205001123457'),
        service_name: 'go-service',
        severity_text: 'info',
        body: { message: 'payment authorized' },
        attributes: { 'http.route': '/runs', gen_ai: { usage: { input_tokens: 3 } } },
        span_id: '79cf8015d4b35739',
      },
    ],
    START_NS,
  );
  expect(line).toMatchObject({
    service: 'go-service',
    level: 'INFO',
    message: 'payment authorized',
    spanId: '79cf8015d4b35739',
    attributes: [
      ['gen_ai.usage.input_tokens', 3],
      ['http.route', '/runs'],
    ],
  });
  // JSON numbers of this size are exact to 256 ns.
  expect(Math.abs((line?.at ?? 0) - 1_123_457)).toBeLessThan(256);
});

test('a record without body, level, service or span still makes a line', () => {
  expect(linesFromHits([{ timestamp_nanos: 1768471205000000000 }], START_NS)).toMatchObject([
    { key: 0, service: 'unknown', level: 'INFO', message: '', attributes: [] },
  ]);
});

test('an all-zero span id names no span', () => {
  const [line] = linesFromHits([{ timestamp_nanos: 1768471205000000000, span_id: '0000000000000000' }], START_NS);
  expect(line?.spanId).toBeUndefined();
});

test('a structured body is shown as JSON', () => {
  const [line] = linesFromHits([{ timestamp_nanos: 1768471205000000000, body: { order: 7 } }], START_NS);
  expect(line?.message).toBe('{"order":7}');
});
