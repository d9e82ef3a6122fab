// A user action: one root span `click <label>` for what a click sets off. Requests made by the action are its children.
import { context, propagation, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { logs, SeverityNumber } from '@opentelemetry/api-logs';
import { pageFaultIsOn } from '@/telemetry/page-faults';

/** Event of the Browser SDK's user-action instrumentation; here it also names the span that the click began. */
const CLICK_EVENT = 'browser.user_action.click';

export interface ActionResult<T> {
  traceId: string;
  durationMs: number;
  /** The action's own result, or the error that it threw. */
  outcome: { value: T } | { error: Error };
}

/**
 * Runs `work` as a user action and never rejects. `work` must make its requests before its first `await`: the browser has no async context, so
 * what comes later would not be part of the trace. A thrown error is recorded on the span and reported to the page's error handlers.
 */
export async function userAction<T extends { failed?: string }>(
  label: string,
  tenant: string,
  work: () => Promise<T>,
): Promise<ActionResult<T>> {
  const baggage = propagation.createBaggage({ 'tenant.id': { value: tenant } });
  const parent = propagation.setBaggage(ROOT_CONTEXT, baggage);
  const span = trace
    .getTracer('tracewright.page')
    .startSpan(`click ${label}`, { kind: SpanKind.INTERNAL, attributes: { 'app.widget.name': label } }, parent);
  const active = trace.setSpan(parent, span);
  const startedMs = performance.now();
  const { traceId } = span.spanContext();
  logs.getLogger('tracewright.page').emit({
    eventName: CLICK_EVENT,
    severityNumber: SeverityNumber.INFO,
    body: `clicked ${label}`,
    attributes: { 'app.widget.name': label },
    context: active,
  });
  try {
    const value = await context.with(active, work);
    if (value.failed && !pageFaultIsOn('telemetry-browser-error-status-missing', tenant)) fail(span, value.failed);
    return { traceId, durationMs: performance.now() - startedMs, outcome: { value } };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    span.recordException(error);
    fail(span, error.name);
    context.with(active, () => reportError(error)); // reaches the error instrumentation inside of the action's context
    return { traceId, durationMs: performance.now() - startedMs, outcome: { error } };
  } finally {
    span.end();
  }
}

function fail(span: Span, errorType: string): void {
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
