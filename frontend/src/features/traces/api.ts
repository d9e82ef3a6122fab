// What the trace page reads: Tempo for spans and links, Quickwit for logs. Runs on the server. The only place that knows their APIs.
import { type HttpAnswer, NoAnswer, request } from '@/server/client-span';
import { exceptionFields, log } from '@/server/log';
import { settings } from '@/server/settings';
import type { Answer, LinkedTrace, Logs, Trace } from './model';
import { linesFromHits, type QuickwitHit } from './quickwit';
import { traceFromWire, type WireTrace } from './wire';

const TIMEOUT_MS = 5_000;
const MAX_LOGS = 1_000;
const MAX_LINKED = 20;
/** How far from the trace a linking trace is looked for: a queue's consumer comes soon, a replay may come the next day. */
const LINK_BEFORE_S = 60;
const LINK_AFTER_S = 24 * 60 * 60;

/** The trace, or `undefined` in `value` when Tempo does not know it (yet). */
export function fetchTrace(traceId: string): Promise<Answer<Trace | undefined>> {
  return answerOf('Tempo', async () => {
    const url = new URL(`/api/v2/traces/${traceId}`, settings().tempoUrl);
    const answer = await request({ method: 'GET', url, template: '/api/v2/traces/{trace_id}', timeoutMs: TIMEOUT_MS });
    if (answer.status === 404) return undefined;
    const { trace } = parsed<{ trace?: WireTrace }>(answer);
    return trace && traceFromWire(traceId, trace);
  });
}

/** The trace's log records in time order, the first 1,000. Their times are relative to `startNs`, the trace's start in epoch ns. */
export function fetchLogs(traceId: string, startNs: string): Promise<Answer<Logs>> {
  return answerOf('Quickwit', async () => {
    const { quickwitUrl, quickwitIndex } = settings();
    const answer = await request({
      method: 'POST',
      url: new URL(`/api/v1/${quickwitIndex}/search`, quickwitUrl),
      template: '/api/v1/{index}/search',
      timeoutMs: TIMEOUT_MS,
      json: { query: `trace_id:${traceId}`, max_hits: MAX_LOGS, sort_by: '-timestamp_nanos' },
    });
    const { hits, num_hits } = parsed<{ hits: QuickwitHit[]; num_hits: number }>(answer);
    return { lines: linesFromHits(hits, startNs), total: num_hits };
  });
}

/** Traces with a span that links to this one. */
export function fetchLinking(trace: Trace): Promise<Answer<LinkedTrace[]>> {
  return answerOf('Tempo', async () => {
    const startS = Math.floor(Number(BigInt(trace.startNs) / 1_000_000_000n));
    const url = new URL('/api/search', settings().tempoUrl);
    url.search = new URLSearchParams({
      q: `{ link:traceID = "${trace.id}" }`,
      limit: String(MAX_LINKED),
      start: String(startS - LINK_BEFORE_S),
      end: String(startS + LINK_AFTER_S),
    }).toString();
    const answer = await request({ method: 'GET', url, template: '/api/search', timeoutMs: TIMEOUT_MS });
    const { traces } = parsed<{ traces?: { traceID: string; rootServiceName?: string; rootTraceName?: string }[] }>(
      answer,
    );
    return (traces ?? [])
      .map(
        ({ traceID, rootServiceName, rootTraceName }): LinkedTrace => ({
          traceId: traceID.padStart(32, '0'),
          direction: 'from',
          title: [rootServiceName, rootTraceName].filter(Boolean).join(': ') || 'a trace whose root has not arrived',
        }),
      )
      .filter(({ traceId }) => traceId !== trace.id);
  });
}

class BadAnswer extends Error {
  override name = 'BadAnswer';
}

function parsed<T>(answer: HttpAnswer): T {
  if (answer.status !== 200) throw new BadAnswer(`status ${answer.status}: ${answer.body.slice(0, 200)}`);
  try {
    return JSON.parse(answer.body) as T;
  } catch {
    throw new BadAnswer(`not JSON: ${answer.body.slice(0, 200)}`);
  }
}

/** A backend's failure is part of the page, not the end of it: what went wrong is logged, the page says which backend. */
async function answerOf<T>(backend: string, ask: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await ask() };
  } catch (error) {
    if (error instanceof NoAnswer) {
      log.error(`${backend} does not answer`, { 'error.type': error.errorType, ...exceptionFields(error.cause) });
      return { ok: false, reason: `${backend} does not answer.` };
    }
    if (error instanceof BadAnswer) {
      log.error(`${backend} answered with an error`, exceptionFields(error));
      return { ok: false, reason: `${backend} answered with an error.` };
    }
    throw error;
  }
}
