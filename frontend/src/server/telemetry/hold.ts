// Keeps a batch of spans or log records while the collector is away. The SDK's exporters try again for ten seconds at most; behind this the batch
// processor's queue fills up. Metrics need none of it: the next export has the same counters.
import { setTimeout as pause } from 'node:timers/promises';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';

/** How long a batch is kept, in ms. The batch processors must allow an export as much. */
export const HOLD_MS = 120_000;

const PAUSE_MS = 1_000;

interface Exporter<T> {
  export(batch: T[], done: (result: ExportResult) => void): void;
  forceFlush?(): Promise<void>;
  shutdown(): Promise<void>;
}

/**
 * An exporter that tries again what did not reach the collector, or what it cannot take yet, until `holdMs` are over. At its shutdown every batch that
 * waits is tried a last time, at once.
 */
export function held<T>(exporter: Exporter<T>, holdMs = HOLD_MS, pauseMs = PAUSE_MS): Required<Exporter<T>> {
  const ending = new AbortController();
  const waiting = new Set<Promise<void>>();

  async function keep(batch: T[]): Promise<ExportResult> {
    const deadline = performance.now() + holdMs;
    for (;;) {
      const isLast = ending.signal.aborted || performance.now() > deadline;
      const result = await new Promise<ExportResult>((resolve) => exporter.export(batch, resolve));
      if (result.code === ExportResultCode.SUCCESS || isLast || isRefusal(result.error)) return result;
      await pause(pauseMs, undefined, { ref: false, signal: ending.signal }).catch(() => undefined);
    }
  }

  return {
    export(batch, done) {
      const kept = keep(batch).then(done);
      waiting.add(kept);
      void kept.finally(() => waiting.delete(kept));
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    async shutdown() {
      ending.abort();
      await Promise.allSettled(waiting);
      await exporter.shutdown();
    },
  };
}

/** An answer that says no for good: it comes with its HTTP status. "Not now" comes without, and a lost connection with a name (ECONNREFUSED). */
function isRefusal(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && typeof error.code === 'number';
}
