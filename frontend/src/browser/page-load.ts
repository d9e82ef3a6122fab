// Joins what the page logs outside of any action (web vitals, stray errors) to the trace of the page's load.
import { type Context, context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { type LoggerProvider, logs } from '@opentelemetry/api-logs';
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace';
import { readMeta, TRACEPARENT_META } from '@/telemetry/page-meta';

const DOCUMENT_LOAD = 'documentLoad';

export class PageLoad implements SpanProcessor {
  private span: Context | undefined;

  /** `onLoaded` runs once, when the load has been recorded. */
  constructor(private readonly onLoaded: () => void) {}

  onStart(span: Span): void {
    if (span.name === DOCUMENT_LOAD) this.span ??= trace.setSpanContext(ROOT_CONTEXT, span.spanContext());
  }

  onEnd(span: { name: string }): void {
    if (span.name === DOCUMENT_LOAD) this.onLoaded();
  }

  /** The global loggers, but a record that belongs to no action gets the `documentLoad` span, or before it the server's rendering span. */
  readonly loggers: LoggerProvider = {
    getLogger: (...scope) => {
      const logger = logs.getLogger(...scope);
      return {
        emit: (record) =>
          logger.emit({ context: trace.getSpan(context.active()) ? context.active() : this.context(), ...record }),
        enabled: (options) => logger.enabled(options),
      };
    },
  };

  private context(): Context {
    return this.span ?? propagation.extract(ROOT_CONTEXT, { traceparent: readMeta(TRACEPARENT_META) ?? '' });
  }

  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
