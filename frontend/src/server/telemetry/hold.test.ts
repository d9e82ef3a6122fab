import { expect, test } from 'bun:test';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor, type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace';
import { held } from './hold';

const HOLD_MS = 60_000;
const away = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
const done: ExportResult = { code: ExportResultCode.SUCCESS };

/** An exporter that finds no collector for the first tries; the default is all of them. */
function failing(times = Number.POSITIVE_INFINITY) {
  const tries: string[][] = [];
  return {
    tries,
    export(batch: string[], answer: (result: ExportResult) => void) {
      tries.push(batch);
      answer(tries.length <= times ? { code: ExportResultCode.FAILED, error: away } : done);
    },
    shutdown: async () => undefined,
  };
}

function exported(exporter: ReturnType<typeof held<string>>): Promise<ExportResult> {
  return new Promise((resolve) => exporter.export(['span'], resolve));
}

/** A collector that gives these answers in turn, and 200 after them; `bodies` are the requests that it took. */
function collector(...answers: { status: number; headers?: Record<string, string> }[]) {
  const bodies: string[] = [];
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const body = await request.text();
      const { status, headers = {} } = answers[asked++] ?? { status: 200 };
      if (status === 200) bodies.push(body);
      return new Response(null, { status, headers });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1/traces`,
    bodies,
    asked: () => asked,
    stop: () => server.stop(true),
  };
}

/** One span each through the SDK's own exporter and batch processor; ends when all are exported, or given up. */
async function send(url: string, ...names: string[]) {
  const results: ExportResult[] = [];
  const exporter = held<ReadableSpan>(new OTLPTraceExporter({ url }), HOLD_MS, 1);
  const noting = {
    ...exporter,
    export: (spans: ReadableSpan[], answer: (result: ExportResult) => void) =>
      exporter.export(spans, (result) => {
        results.push(result);
        answer(result);
      }),
  };
  const processor = new BatchSpanProcessor({ exporter: noting, maxExportBatchSize: 1, exportTimeoutMillis: HOLD_MS });
  const tracer = new TracerProvider({ spanProcessors: [processor] }).getTracer('test');
  for (const name of names) tracer.startSpan(name).end();
  await processor.forceFlush().catch(() => undefined);
  while (results.length < names.length) await Bun.sleep(5);
  return results;
}

test('a batch is kept while the collector is away, and sent when it is back', async () => {
  const exporter = failing(3);
  expect(await exported(held(exporter, HOLD_MS, 1))).toEqual(done);
  expect(exporter.tries).toEqual([['span'], ['span'], ['span'], ['span']]);
});

test('what the collector cannot take yet arrives later, each batch once', async () => {
  // The SDK's own exporter gives up at once when it is told to come later than it may.
  const notNow = { status: 503, headers: { 'retry-after': '3600' } };
  const taking = collector(notNow, notNow, notNow);
  expect(await send(taking.url, 'first span', 'second span')).toEqual([done, done]);
  expect(taking.bodies.filter((body) => body.includes('first span'))).toHaveLength(1);
  expect(taking.bodies.filter((body) => body.includes('second span'))).toHaveLength(1);
  expect(taking.asked()).toBe(5);
  await taking.stop();
});

test('what the collector refuses for good is given up at once', async () => {
  const refusing = collector({ status: 400 });
  expect(await send(refusing.url, 'a span')).toMatchObject([{ code: ExportResultCode.FAILED, error: { code: 400 } }]);
  expect(refusing.asked()).toBe(1);
  await refusing.stop();
});

test('a batch is given up when its time is over', async () => {
  const exporter = failing();
  expect(await exported(held(exporter, 20, 1))).toMatchObject({ error: away });
  expect(exporter.tries.length).toBeGreaterThan(1);
});

test('at the shutdown what waits is tried a last time, and then given up', async () => {
  const exporter = failing();
  const holding = held(exporter, HOLD_MS, HOLD_MS);
  const result = exported(holding);
  await holding.shutdown();
  expect(await result).toMatchObject({ error: away });
  expect(exporter.tries).toHaveLength(2);
});

test('at the shutdown what waits is delivered where the collector is back', async () => {
  const exporter = failing(1);
  const holding = held(exporter, HOLD_MS, HOLD_MS);
  const result = exported(holding);
  await holding.shutdown();
  expect(await result).toEqual(done);
});
