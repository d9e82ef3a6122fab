// Quickwit's documents (its OTLP log mapping) → log lines.
import { type Attributes, type AttributeValue, type LogLine, nanos } from './model';

export interface QuickwitHit {
  /** Epoch ns as a JSON number: JavaScript keeps it to about 256 ns, enough to place it, not to compare two. The order comes from the store. */
  timestamp_nanos: number;
  service_name?: string;
  severity_text?: string;
  body?: { message?: string } | string | Record<string, unknown>;
  attributes?: Record<string, unknown>;
  span_id?: string;
}

const NO_SPAN = /^0*$/;

export function linesFromHits(hits: readonly QuickwitHit[], startNs: string): LogLine[] {
  const start = BigInt(startNs);
  return hits.map((hit, key) => ({
    key,
    at: nanos(Number(BigInt(Math.round(hit.timestamp_nanos)) - start)),
    service: hit.service_name ?? 'unknown',
    level: (hit.severity_text || 'INFO').toUpperCase(),
    message: messageOf(hit.body),
    ...(hit.span_id && !NO_SPAN.test(hit.span_id) ? { spanId: hit.span_id } : {}),
    attributes: flattened(hit.attributes ?? {}),
  }));
}

function messageOf(body: QuickwitHit['body']): string {
  if (body === undefined || typeof body === 'string') return body ?? '';
  return typeof body.message === 'string' ? body.message : JSON.stringify(body);
}

/** Nested objects as dotted keys, which is how they were sent. */
function flattened(attributes: Record<string, unknown>, prefix = ''): Attributes {
  return Object.entries(attributes)
    .flatMap(([key, value]): [string, AttributeValue][] => {
      const path = prefix + key;
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        return [...flattened(value as Record<string, unknown>, `${path}.`)] as [string, AttributeValue][];
      }
      return [[path, value as AttributeValue]];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
