// Errors as clients see them: RFC 9457 problem details with the trace id. Causes are logged, never sent.
import { isSpanContextValid, trace } from '@opentelemetry/api';
import type { FieldError } from '@/features/run/model';

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

/** Thrown by a handler to end the request with this status. `detail` is for the client. */
export class Problem extends Error {
  override name = 'Problem';
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly errors?: FieldError[],
  ) {
    super(`${status} ${detail}`);
  }

  toResponse(headers: Record<string, string> = {}): Response {
    const span = trace.getActiveSpan()?.spanContext();
    const body = {
      type: 'about:blank',
      title: TITLES[this.status] ?? 'Error',
      status: this.status,
      detail: this.detail,
      ...(span && isSpanContextValid(span) ? { trace_id: span.traceId } : {}),
      ...(this.errors ? { errors: this.errors } : {}),
    };
    return Response.json(body, {
      status: this.status,
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    });
  }
}
