// Knows the spans that have started and not ended, to end them when the page goes.
import { SpanStatusCode } from '@opentelemetry/api';
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace';

const STATUS_CODE = 'http.response.status_code';

export class OpenSpans implements SpanProcessor {
  private readonly open = new Set<Span>();

  onStart(span: Span): void {
    this.open.add(span);
  }

  onEnding(span: Span): void {
    // The fetch instrumentation writes status 0 where there was no answer: say what happened instead.
    if (span.attributes[STATUS_CODE] !== 0) return;
    delete span.attributes[STATUS_CODE];
    if (span.attributes['error.type'] === undefined) span.setAttribute('error.type', 'network');
    span.setStatus({ code: SpanStatusCode.ERROR });
  }

  onEnd(span: { spanContext(): { spanId: string } }): void {
    this.open.delete(span as Span);
  }

  /** Ends every open span now, children first. Those that still waited for an answer say so. */
  endAll(): void {
    for (const span of [...this.open].reverse()) {
      if (span.attributes[STATUS_CODE] === undefined) span.setAttribute('tracewright.page_left', true);
      span.end();
    }
  }

  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
