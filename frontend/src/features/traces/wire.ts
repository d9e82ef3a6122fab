// OTLP as Tempo's JSON has it (protobuf-JSON: ids in base64, 64-bit integers as strings, enums by name, empty fields left out) → our model.
import {
  type Attributes,
  type AttributeValue,
  nanos,
  type Span,
  type SpanKind,
  type SpanLink,
  type Trace,
} from './model';

export interface WireValue {
  stringValue?: string;
  intValue?: string | number;
  doubleValue?: number | string;
  boolValue?: boolean;
  bytesValue?: string;
  arrayValue?: { values?: WireValue[] };
  kvlistValue?: { values?: WireAttribute[] };
}

export interface WireAttribute {
  key: string;
  value?: WireValue;
}

export interface WireSpan {
  spanId: string;
  parentSpanId?: string;
  name?: string;
  kind?: string;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: WireAttribute[];
  events?: { name?: string; timeUnixNano?: string; attributes?: WireAttribute[] }[];
  links?: { traceId: string; spanId: string; attributes?: WireAttribute[] }[];
  status?: { code?: string; message?: string };
}

export interface WireTrace {
  resourceSpans?: {
    resource?: { attributes?: WireAttribute[] };
    scopeSpans?: { scope?: { name?: string; version?: string }; spans?: WireSpan[] }[];
  }[];
}

/** Reads a trace; `undefined` when it has no spans. A span that is there twice (sent again after a lost answer) counts once. */
export function traceFromWire(id: string, wire: WireTrace): Trace | undefined {
  const found = new Map<string, { wire: WireSpan; resource: Attributes; scope: string }>();
  for (const { resource, scopeSpans } of wire.resourceSpans ?? []) {
    const resourceAttributes = attributesFromWire(resource?.attributes);
    for (const { scope, spans } of scopeSpans ?? []) {
      const scopeName = [scope?.name, scope?.version].filter(Boolean).join(' ');
      for (const span of spans ?? []) {
        const spanId = hexFromBase64(span.spanId);
        if (!found.has(spanId)) found.set(spanId, { wire: span, resource: resourceAttributes, scope: scopeName });
      }
    }
  }
  if (found.size === 0) return undefined;

  const starts = [...found.values()].map((entry) => BigInt(entry.wire.startTimeUnixNano ?? 0));
  // biome-ignore lint/complexity/useMathMinMax: bigint
  const startNs = starts.reduce((earliest, start) => (start < earliest ? start : earliest));
  const spans = [...found].map(([spanId, entry]) =>
    spanFromWire(spanId, entry.wire, startNs, entry.resource, entry.scope),
  );
  const end = spans.reduce((latest, span) => Math.max(latest, span.start + span.duration), 0);
  return {
    id,
    startedAt: new Date(Number(startNs / 1_000_000n)).toISOString(),
    startNs: String(startNs),
    duration: nanos(end),
    spans,
  };
}

function spanFromWire(id: string, wire: WireSpan, startNs: bigint, resource: Attributes, scope: string): Span {
  const start = BigInt(wire.startTimeUnixNano ?? 0);
  const end = BigInt(wire.endTimeUnixNano ?? 0);
  return {
    id,
    ...(wire.parentSpanId ? { parentId: hexFromBase64(wire.parentSpanId) } : {}),
    name: wire.name ?? '',
    service: String(resource.find(([key]) => key === 'service.name')?.[1] ?? 'unknown'),
    kind: kindFromWire(wire.kind),
    start: nanos(Number(start - startNs)),
    duration: nanos(Math.max(0, Number(end - start))),
    failed: wire.status?.code === 'STATUS_CODE_ERROR',
    ...(wire.status?.message ? { statusMessage: wire.status.message } : {}),
    scope,
    attributes: attributesFromWire(wire.attributes),
    events: (wire.events ?? []).map((event) => ({
      name: event.name ?? '',
      at: nanos(Number(BigInt(event.timeUnixNano ?? 0) - startNs)),
      attributes: attributesFromWire(event.attributes),
    })),
    links: (wire.links ?? []).map(
      (link): SpanLink => ({
        traceId: hexFromBase64(link.traceId),
        spanId: hexFromBase64(link.spanId),
        attributes: attributesFromWire(link.attributes),
      }),
    ),
    resource,
  };
}

const KINDS: Record<string, SpanKind> = {
  SPAN_KIND_INTERNAL: 'internal',
  SPAN_KIND_SERVER: 'server',
  SPAN_KIND_CLIENT: 'client',
  SPAN_KIND_PRODUCER: 'producer',
  SPAN_KIND_CONSUMER: 'consumer',
};

function kindFromWire(kind: string | undefined): SpanKind {
  return KINDS[kind ?? ''] ?? 'unspecified';
}

function attributesFromWire(attributes: WireAttribute[] | undefined): Attributes {
  return (attributes ?? [])
    .map(({ key, value }) => [key, valueFromWire(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function valueFromWire(value: WireValue | undefined): AttributeValue {
  if (value?.stringValue !== undefined) return value.stringValue;
  if (value?.boolValue !== undefined) return value.boolValue;
  if (value?.doubleValue !== undefined) return Number(value.doubleValue);
  if (value?.intValue !== undefined) {
    const number = Number(value.intValue);
    return Number.isSafeInteger(number) ? number : String(value.intValue);
  }
  if (value?.arrayValue) return (value.arrayValue.values ?? []).map(valueFromWire);
  if (value?.kvlistValue) return JSON.stringify(Object.fromEntries(attributesFromWire(value.kvlistValue.values)));
  if (value?.bytesValue !== undefined) return value.bytesValue;
  return null;
}

export function hexFromBase64(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
