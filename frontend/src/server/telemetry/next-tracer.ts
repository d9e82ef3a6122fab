// Next opens a dozen spans a request under old attribute names. Its SERVER span would double ours, most others repeat the route: we keep the one that
// shows work of its own, the rendering of a page. A dropped span hands its parent's context on, so nothing is orphaned.
import {
  type Context,
  context,
  type Span,
  type SpanOptions,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';

const NEXT_TRACER = 'next.js';
const KEPT_TYPES = new Set(['AppRender.getBodyResult']);

/** A provider that gives Next a tracer for the kept spans only, and everybody else the real thing. */
export class FilteringTracerProvider implements TracerProvider {
  constructor(private readonly provider: TracerProvider) {}

  getTracer(name: string, version?: string, options?: { schemaUrl?: string }): Tracer {
    const tracer = this.provider.getTracer(name, version, options);
    return name === NEXT_TRACER ? new NextTracer(tracer) : tracer;
  }
}

class NextTracer implements Tracer {
  constructor(private readonly tracer: Tracer) {}

  startSpan(name: string, options: SpanOptions = {}, parent: Context = context.active()): Span {
    if (KEPT_TYPES.has(String(options.attributes?.['next.span_type'])))
      return this.tracer.startSpan(name, options, parent);
    const parentContext = trace.getSpanContext(parent);
    return parentContext ? trace.wrapSpanContext(parentContext) : trace.wrapSpanContext(NO_SPAN);
  }

  startActiveSpan<F extends (span: Span) => unknown>(
    name: string,
    ...rest: [F] | [SpanOptions, F] | [SpanOptions, Context, F]
  ): ReturnType<F> {
    const work = rest[rest.length - 1] as F;
    const options = rest.length > 1 ? (rest[0] as SpanOptions) : {};
    const parent = rest.length > 2 ? (rest[1] as Context) : context.active();
    const span = this.startSpan(name, options, parent);
    return context.with(trace.setSpan(parent, span), () => work(span)) as ReturnType<F>;
  }
}

const NO_SPAN = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 };
