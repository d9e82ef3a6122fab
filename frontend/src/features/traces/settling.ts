// Whether a trace may still grow. Exporters batch, and a browser's last spans come when its batch is due.
import type { Trace } from './model';

export const REFRESH_MS = 2_000;
/** Spans and logs of a finished request arrive within this time of its end. */
const ARRIVAL_MS = 12_000;
/** A missing parent is worth waiting for a little longer; then it is missing. */
const ORPHAN_MS = 45_000;

export function isSettling(trace: Pick<Trace, 'startNs' | 'duration'>, orphans: number, readAtMs: number): boolean {
  const endMs = (Number(trace.startNs) + trace.duration) / 1e6;
  return readAtMs - endMs < (orphans > 0 ? ORPHAN_MS : ARRIVAL_MS);
}
