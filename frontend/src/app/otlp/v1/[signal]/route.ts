// Browser telemetry: the page exports to its own origin, and this hands the bytes to the collector. Untraced, or it would feed itself.
// A page of another origin cannot post here: JSON and protobuf need a CORS preflight, which gets no permission.
import { handler, methodNotAllowed, readBody } from '@/server/http';
import { Problem } from '@/server/problem';
import { settings } from '@/server/settings';

const BODY_LIMIT_BYTES = 2 * 1024 * 1024;
const COLLECTOR_TIMEOUT_MS = 5_000;
const SIGNALS = new Set(['traces', 'logs', 'metrics']);
const TYPES = new Set(['application/json', 'application/x-protobuf']);

export const POST = handler(async (request: Request, { params }: RouteContext<'/otlp/v1/[signal]'>) => {
  const { signal } = await params;
  if (!SIGNALS.has(signal)) throw new Problem(404, 'The signals are traces, logs and metrics.');
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (!TYPES.has(type)) throw new Problem(415, `Send ${[...TYPES].join(' or ')}.`);
  const encoding = request.headers.get('content-encoding');
  const body = await readBody(request, BODY_LIMIT_BYTES);

  const { otlpUrl, headers } = settings().telemetry;
  try {
    const answer = await fetch(`${otlpUrl}/v1/${signal}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': type, ...(encoding ? { 'content-encoding': encoding } : {}) },
      body,
      cache: 'no-store',
      signal: AbortSignal.timeout(COLLECTOR_TIMEOUT_MS),
    });
    return new Response(await answer.arrayBuffer(), {
      status: answer.status,
      headers: { 'content-type': answer.headers.get('content-type') ?? type },
    });
  } catch {
    // The browser's exporter sees the 503 and tries again; the collector's own absence is Prometheus' to report.
    throw new Problem(503, 'The collector is not available.');
  }
});

export const { GET, PUT, PATCH, DELETE } = methodNotAllowed('POST');
