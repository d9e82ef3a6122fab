// All links between pages are made and read here.

/** The page of one trace, with a span marked if one is given. */
export function traceHref(traceId: string, spanId?: string): string {
  return spanId ? `/traces/${traceId}?span=${spanId}` : `/traces/${traceId}`;
}

const TRACE_ID = /^[0-9a-f]{1,32}$/;
const SPAN_ID = /^[0-9a-f]{16}$/;

/** A trace id as typed or pasted (any case, leading zeros left out) → 32 lowercase digits; `undefined` when it is none. */
export function parseTraceId(text: string): string | undefined {
  const id = text.trim().toLowerCase();
  return TRACE_ID.test(id) && !/^0+$/.test(id) ? id.padStart(32, '0') : undefined;
}

export function parseSpanId(text: unknown): string | undefined {
  return typeof text === 'string' && SPAN_ID.test(text.toLowerCase()) ? text.toLowerCase() : undefined;
}
