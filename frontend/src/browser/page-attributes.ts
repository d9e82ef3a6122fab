// What is true of the whole page view (session, test) on every span and log record, and in the baggage of the page's own requests.
import {
  type Attributes,
  type Context,
  propagation,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import type { LogRecordProcessor, ReadWriteLogRecord } from '@opentelemetry/sdk-logs';
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace';
import { pageFaultIsOn } from '@/telemetry/page-faults';

/** Read at each use: a session may end while the page stays. */
export type PageAttributes = () => Record<string, string>;

export class PageSpanProcessor implements SpanProcessor {
  constructor(private readonly page: PageAttributes) {}
  onStart(span: Span): void {
    span.setAttributes(this.page());
  }
  onEnd(): void {}
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

export class PageLogProcessor implements LogRecordProcessor {
  constructor(private readonly page: PageAttributes) {}

  onEmit(record: ReadWriteLogRecord): void {
    record.setAttributes(this.page());
    // Events come with neither text nor level; log stores list records by both.
    if (record.severityText === undefined) {
      record.setSeverityText((record.severityNumber ?? 0) >= SeverityNumber.ERROR ? 'ERROR' : 'INFO');
    }
    if (record.body === undefined) record.setBody(describe(record.eventName, record.attributes as Attributes));
  }
  enabled(): boolean {
    return true;
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

function describe(eventName: string | undefined, attributes: Attributes): string {
  if (eventName === 'exception') {
    return `${attributes['exception.type'] ?? 'Error'}: ${attributes['exception.message'] ?? ''}`;
  }
  if (eventName === 'browser.web_vital') {
    const [name, value, rating] = ['name', 'value', 'rating'].map((key) => attributes[`browser.web_vital.${key}`]);
    return `web vital ${name} ${Number(value).toFixed(name === 'cls' ? 3 : 0)} (${rating})`;
  }
  return eventName ?? 'event';
}

/** Sends `traceparent`, unless a deliberate defect is on. */
export class PageTraceContextPropagator extends W3CTraceContextPropagator {
  override inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const tenant = propagation.getBaggage(context)?.getEntry('tenant.id')?.value;
    if (!pageFaultIsOn('telemetry-browser-traceparent-missing', tenant)) super.inject(context, carrier, setter);
  }
}

/** Sends the page's attributes as W3C baggage, together with what the context carries. */
export class PageBaggagePropagator implements TextMapPropagator {
  private readonly w3c = new W3CBaggagePropagator();
  constructor(private readonly page: PageAttributes) {}

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    let baggage = propagation.getBaggage(context) ?? propagation.createBaggage();
    for (const [key, value] of Object.entries(this.page())) baggage = baggage.setEntry(key, { value });
    this.w3c.inject(propagation.setBaggage(context, baggage), carrier, setter);
  }
  extract(context: Context): Context {
    return context;
  }
  fields(): string[] {
    return this.w3c.fields();
  }
}
