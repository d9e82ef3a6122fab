// Joins the web vitals to the page load they measure: waits for the `documentLoad` span and gives its context to their log records.
import { type Context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { LogRecord } from '@opentelemetry/api-logs';
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace';

const DOCUMENT_LOAD = 'documentLoad';

export class PageLoad implements SpanProcessor {
  private loaded: Context | undefined;

  /** `onLoaded` runs once, when the load has been recorded. */
  constructor(private readonly onLoaded: () => void) {}

  onStart(span: Span): void {
    if (span.name === DOCUMENT_LOAD) this.loaded ??= trace.setSpanContext(ROOT_CONTEXT, span.spanContext());
  }

  onEnd(span: { name: string }): void {
    if (span.name === DOCUMENT_LOAD) this.onLoaded();
  }

  /** Puts a record into the page load's trace. */
  join(record: LogRecord): void {
    if (this.loaded) record.context = this.loaded;
  }

  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
