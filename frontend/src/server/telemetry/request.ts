// The request being served: its SERVER span, kept in the context so that handlers deep in the call tree can say more about it.
import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  type Span,
  SpanStatusCode,
} from '@opentelemetry/api';
import { isTenant } from '@/features/run/catalog';
import { withBaggage } from '@/telemetry/baggage';

export interface ServedRequest {
  readonly span: Span;
  /** Added to the request's metrics. */
  readonly metricAttributes: Attributes;
  failed: boolean;
  /** Whether a log record has been written for this request. */
  logged: boolean;
}

const KEY = createContextKey('tracewright.served-request');

export function withRequest(parent: Context, request: ServedRequest): Context {
  return parent.setValue(KEY, request);
}

/** The request that the current code serves, or `undefined` outside of one (or in one that is not recorded). */
export function servedRequest(): ServedRequest | undefined {
  return context.active().getValue(KEY) as ServedRequest | undefined;
}

/** Marks the request as this tenant's (span, metrics) and runs `work` with `tenant.id` in baggage, which takes it to the next service. */
export function asTenant<T>(tenant: string, work: () => T): T {
  const request = servedRequest();
  if (request) tagTenant(request, tenant);
  return context.with(withBaggage(context.active(), 'tenant.id', tenant), work);
}

/** Metrics get known tenants only: their labels must stay bounded whatever a client sends. */
export function tagTenant(request: ServedRequest, tenant: string): void {
  request.span.setAttribute('tenant.id', tenant);
  request.metricAttributes['tenant.id'] = isTenant(tenant) ? tenant : 'unknown';
}

/**
 * Marks the SERVER span as failed. `errorType` is a short bounded word: a status code or the error's class.
 * The exception event belongs on the span where the error happened: pass `exception` only if that is this one.
 */
export function requestFailed(errorType: string, exception?: Error): void {
  const request = servedRequest();
  if (!request || request.failed) return;
  request.failed = true;
  request.metricAttributes['error.type'] = errorType;
  request.span.setAttribute('error.type', errorType);
  request.span.setStatus({ code: SpanStatusCode.ERROR });
  if (exception) request.span.recordException(exception);
}
