// Calls to the fleet's services: one CLIENT span each, context and baggage sent on, a time limit, and one rule from their answers to ours.
import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { exceptionFields, log } from './log';
import { Problem } from './problem';
import { type ServiceName, settings } from './settings';
import { requestFailed } from './telemetry/request';

export interface BackendAnswer {
  status: number;
  contentType: string;
  body: string;
}

export interface BackendCall {
  service: ServiceName;
  method: 'GET' | 'POST';
  /** Fixed path, without parameters: it is also the span's name. */
  path: string;
  json?: unknown;
}

/**
 * Calls a service and reads its whole answer, whatever the status. Throws a 503 `Problem` when the service cannot be reached or is silent for
 * `DEPENDENCY_TIMEOUT_MS`; the exception is then on the CLIENT span and in the log.
 */
export function callBackend(call: BackendCall): Promise<BackendAnswer> {
  const { services, dependencyTimeoutMs } = settings();
  const url = new URL(call.path, services[call.service]);
  const attributes = {
    'http.request.method': call.method,
    'url.full': url.href,
    'url.template': call.path,
    'server.address': url.hostname,
    'server.port': Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
  };
  const tracer = trace.getTracer('tracewright.frontend');
  return tracer.startActiveSpan(`${call.method} ${call.path}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
    try {
      return await send(call, url, dependencyTimeoutMs, span);
    } catch (thrown) {
      throw unreachable(call.service, thrown, span);
    } finally {
      span.end();
    }
  });
}

async function send(call: BackendCall, url: URL, timeoutMs: number, span: Span): Promise<BackendAnswer> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (call.json !== undefined) headers['content-type'] = 'application/json';
  propagation.inject(context.active(), headers);
  const response = await fetch(url, {
    method: call.method,
    headers,
    cache: 'no-store',
    redirect: 'manual',
    signal: AbortSignal.timeout(timeoutMs),
    ...(call.json === undefined ? {} : { body: JSON.stringify(call.json) }),
  });
  const body = await response.text();
  span.setAttribute('http.response.status_code', response.status);
  if (response.status >= 400) {
    span.setAttribute('error.type', String(response.status));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  return { status: response.status, contentType: response.headers.get('content-type') ?? 'application/json', body };
}

function unreachable(service: ServiceName, thrown: unknown, span: Span): Problem {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const errorType = errorTypeOf(error);
  span.recordException(error);
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  log.error(`${service} does not answer`, {
    'peer.service': service,
    'error.type': errorType,
    ...exceptionFields(error),
  });
  requestFailed('503');
  return new Problem(503, `${service} is not available.`);
}

/** The system's code (`ECONNREFUSED`) where there is one, else the error's class (`TimeoutError`). */
function errorTypeOf(error: Error): string {
  const code = error.cause instanceof Error ? Reflect.get(error.cause, 'code') : undefined;
  return typeof code === 'string' ? code : error.name;
}
