// W3C baggage: which keys we accept, and their copy onto every span and log record.
import { type Attributes, type Baggage, type Context, propagation } from '@opentelemetry/api';
import type { LogRecordProcessor, SdkLogRecord } from '@opentelemetry/sdk-logs';
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace';

/** The only keys that are kept, copied and sent on. This server is the edge: what else a client sends stops here. */
export const BAGGAGE_KEYS = ['tenant.id', 'test.id', 'session.id'] as const;
export type BaggageKey = (typeof BAGGAGE_KEYS)[number];

const MAX_VALUE_CHARS = 128;

/** Keeps the allowed keys with values of a sane length. */
export function allowed(baggage: Baggage | undefined): Baggage {
  const entries = BAGGAGE_KEYS.flatMap((key) => {
    const value = baggage?.getEntry(key)?.value;
    return value && value.length <= MAX_VALUE_CHARS ? [[key, { value }] as const] : [];
  });
  return propagation.createBaggage(Object.fromEntries(entries));
}

/** The allowed keys of a context's baggage as attributes. */
export function baggageAttributes(context: Context): Attributes {
  return Object.fromEntries(
    allowed(propagation.getBaggage(context))
      .getAllEntries()
      .map(([key, { value }]) => [key, value]),
  );
}

export function withBaggage(context: Context, key: BaggageKey, value: string): Context {
  const baggage = propagation.getBaggage(context) ?? propagation.createBaggage();
  return propagation.setBaggage(context, baggage.setEntry(key, { value }));
}

export class BaggageSpanProcessor implements SpanProcessor {
  onStart(span: Span, parent: Context): void {
    span.setAttributes(baggageAttributes(parent));
  }
  onEnd(): void {}
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

export class BaggageLogProcessor implements LogRecordProcessor {
  onEmit(record: SdkLogRecord, context?: Context): void {
    if (context) record.setAttributes(baggageAttributes(context));
  }
  enabled(): boolean {
    return true;
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
