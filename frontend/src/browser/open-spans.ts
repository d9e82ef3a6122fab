// Knows the spans that have started and not ended, to end them when the page goes.
import { type Span as ApiSpan, SpanStatusCode } from '@opentelemetry/api';
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace';

const STATUS_CODE = 'http.response.status_code';

export class OpenSpans implements SpanProcessor {
  private readonly open = new Set<Span>();
  private readonly answeredAtMs = new WeakMap<ApiSpan, number>();

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

  /** The answer is complete now. The fetch instrumentation ends its span only 300 ms later, which a page that goes does not wait for. */
  answered(span: ApiSpan): void {
    this.answeredAtMs.set(span, Date.now());
  }

  /** Ends every open span, children first: at its answer if it has one, else now, and says so. */
  endAll(): void {
    for (const span of [...this.open].reverse()) {
      const answeredAtMs = this.answeredAtMs.get(span);
      if (answeredAtMs === undefined) span.setAttribute('tracewright.page_left', true);
      span.end(answeredAtMs);
    }
  }

  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
