// A trace as the page shows it. Times are nanoseconds since the trace's first start: they fit a number, epoch nanoseconds do not.

declare const nanoseconds: unique symbol;
/** A span of time in ns, exact up to 104 days. */
export type Nanoseconds = number & { readonly [nanoseconds]: true };

export function nanos(value: number): Nanoseconds {
  return value as Nanoseconds;
}

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer' | 'unspecified';

export type AttributeValue = string | number | boolean | null | readonly AttributeValue[];
/** Sorted by key. */
export type Attributes = readonly (readonly [key: string, value: AttributeValue])[];

export interface SpanEvent {
  name: string;
  at: Nanoseconds;
  attributes: Attributes;
}

export interface SpanLink {
  traceId: string;
  spanId: string;
  attributes: Attributes;
}

export interface Span {
  /** 16 lowercase hex digits, like `parentId`. */
  id: string;
  /** Absent for a root. */
  parentId?: string;
  name: string;
  service: string;
  kind: SpanKind;
  start: Nanoseconds;
  duration: Nanoseconds;
  failed: boolean;
  statusMessage?: string;
  scope: string;
  attributes: Attributes;
  events: readonly SpanEvent[];
  links: readonly SpanLink[];
  resource: Attributes;
}

export interface Trace {
  /** 32 lowercase hex digits. */
  id: string;
  /** Start of the first span, ISO 8601 with milliseconds. */
  startedAt: string;
  /** The same in nanoseconds since the epoch, as digits. */
  startNs: string;
  /** From the first start to the last end. */
  duration: Nanoseconds;
  spans: readonly Span[];
}

export interface LogLine {
  /** Position in time order, unique in the list. */
  key: number;
  /** Since the trace's start; negative before it. */
  at: Nanoseconds;
  service: string;
  level: string;
  message: string;
  /** Absent when the record names no span. */
  spanId?: string;
  attributes: Attributes;
}

/** Another trace that this one is linked with. */
export interface LinkedTrace {
  traceId: string;
  /** `to`: a span here links there. `from`: a span there links here. */
  direction: 'to' | 'from';
  /** What is known of it, e.g. "go-service: process usage_events". */
  title: string;
}

/** What one backend answered: its data, or that it could not be asked. */
export type Answer<T> = { ok: true; value: T } | { ok: false; reason: string };

export interface Logs {
  lines: readonly LogLine[];
  /** All that the store has; more than `lines` when the list was cut. */
  total: number;
}
