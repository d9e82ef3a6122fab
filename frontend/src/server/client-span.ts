// One traced HTTP request: a CLIENT span, a time limit, the whole answer. What an answer means is the caller's business.
import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';

export interface HttpCall {
  method: 'GET' | 'POST';
  url: URL;
  /** The path with its variable parts named: `/api/v2/traces/{id}`. It is the span's name, so it must be bounded. */
  template: string;
  timeoutMs: number;
  json?: unknown;
  /** Sends `traceparent` and `baggage` on. Only for services of the fleet. */
  propagate?: boolean;
}

export interface HttpAnswer {
  status: number;
  contentType: string;
  body: string;
}

/** There was no answer: refused, reset, or silent for `timeoutMs`. The exception is on the CLIENT span. */
export class NoAnswer extends Error {
  override name = 'NoAnswer';
  constructor(
    /** A short bounded word: the system's code (`ECONNREFUSED`) or the error's class (`TimeoutError`). */
    readonly errorType: string,
    override readonly cause: Error,
  ) {
    super(cause.message);
  }
}

/** Sends the request and reads the answer, whatever its status. Throws `NoAnswer`. */
export function request(call: HttpCall): Promise<HttpAnswer> {
  const attributes = {
    'http.request.method': call.method,
    'url.full': call.url.href,
    'url.template': call.template,
    'server.address': call.url.hostname,
    'server.port': Number(call.url.port || (call.url.protocol === 'https:' ? 443 : 80)),
  };
  const tracer = trace.getTracer('tracewright.frontend');
  return tracer.startActiveSpan(
    `${call.method} ${call.template}`,
    { kind: SpanKind.CLIENT, attributes },
    async (span) => {
      try {
        return await send(call, span);
      } catch (thrown) {
        throw noAnswer(thrown, span);
      } finally {
        span.end();
      }
    },
  );
}

async function send(call: HttpCall, span: Span): Promise<HttpAnswer> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (call.json !== undefined) headers['content-type'] = 'application/json';
  if (call.propagate) propagation.inject(context.active(), headers);
  const response = await fetch(call.url, {
    method: call.method,
    headers,
    cache: 'no-store',
    redirect: 'manual',
    signal: AbortSignal.timeout(call.timeoutMs),
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

function noAnswer(thrown: unknown, span: Span): NoAnswer {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = error.cause instanceof Error ? Reflect.get(error.cause, 'code') : undefined;
  const errorType = typeof code === 'string' ? code : error.name;
  span.recordException(error);
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  return new NoAnswer(errorType, error);
}
