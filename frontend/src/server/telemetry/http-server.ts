// One SERVER span and one duration for each request, opened where Node hands the request over, before Next sees it. So it covers pages, handlers,
// 404s and errors alike, its route names are ours, and the `traceresponse` header can go on every answer.
import http from 'node:http';
import {
  context,
  type Histogram,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
} from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { allowed } from '@/telemetry/baggage';
import { type Fields, log } from '../log';
import { requestFailed, type ServedRequest, tagTenant, withRequest } from './request';
import { methodOf, routeOf } from './routes';

/** Seconds, as the semantic conventions advise. */
const DURATION_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Starts recording for every HTTP server of this process. Call once, after the providers are set. */
export function recordHttpServers(): void {
  const duration = metrics.getMeter('tracewright.frontend').createHistogram('http.server.request.duration', {
    description: 'Duration of HTTP server requests.',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS_S },
  });
  const emit = http.Server.prototype.emit as Emit;
  http.Server.prototype.emit = function (this: http.Server, ...args: Parameters<Emit>): boolean {
    const [event, request, response] = args;
    if (event !== 'request') return emit.apply(this, args);
    const next = (): boolean => emit.apply(this, args);
    return serve(request as http.IncomingMessage, response as http.ServerResponse, duration, next);
  };
}

type Emit = (event: string | symbol, ...args: unknown[]) => boolean;

function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  duration: Histogram,
  next: () => boolean,
): boolean {
  const [path = '/', query] = (request.url ?? '/').split('?', 2);
  const route = routeOf(path);
  // `rsc` marks a page that reads itself again (a trace that is still arriving): no visit of its own.
  if (route === 'untraced' || request.headers.rsc) return context.with(suppressTracing(ROOT_CONTEXT), next);

  const startedMs = performance.now();
  const remote = propagation.extract(ROOT_CONTEXT, request.headers);
  const baggage = allowed(propagation.getBaggage(remote));
  const parent = propagation.setBaggage(remote, baggage);
  const method = methodOf(request.method);
  const span = trace
    .getTracer('tracewright.frontend')
    .startSpan(
      `${method === '_OTHER' ? 'HTTP' : method} ${route.template}`,
      { kind: SpanKind.SERVER, attributes: requestAttributes(request, method, route.template, path, query) },
      parent,
    );
  const served: ServedRequest = {
    span,
    metricAttributes: { 'http.request.method': method, 'http.route': route.template, 'url.scheme': 'http' },
    failed: false,
    logged: false,
  };
  const tenant = baggage.getEntry('tenant.id')?.value;
  if (tenant) tagTenant(served, tenant);
  response.setHeader('traceresponse', traceresponse(span));

  const serving = withRequest(trace.setSpan(parent, span), served);
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    if (response.headersSent) {
      span.setAttribute('http.response.status_code', response.statusCode);
      served.metricAttributes['http.response.status_code'] = response.statusCode;
      if (response.statusCode >= 500) context.with(serving, () => requestFailed(String(response.statusCode)));
    }
    if (!served.logged) context.with(serving, () => log.info('request served', requestFields(served, response)));
    span.end();
    duration.record((performance.now() - startedMs) / 1_000, served.metricAttributes, serving);
  };
  // `prefinish` comes when the handler has ended the response; `finish` would add the wait for the event loop, after the client has it all.
  response.once('prefinish', end);
  response.once('close', end); // the client has gone before the answer
  return context.with(serving, next);
}

/** For requests whose handler has nothing to say (pages, unknown paths): each traced request can be found in the logs. */
function requestFields({ metricAttributes }: ServedRequest, response: http.ServerResponse): Fields {
  return {
    'http.request.method': String(metricAttributes['http.request.method']),
    'http.route': String(metricAttributes['http.route']),
    ...(response.headersSent ? { 'http.response.status_code': response.statusCode } : {}),
  };
}

function requestAttributes(
  request: http.IncomingMessage,
  method: string,
  route: string,
  path: string,
  query: string | undefined,
): Record<string, string | number> {
  const origin = `http://${request.headers.host ?? ''}`;
  const host = URL.canParse(origin) ? new URL(origin) : undefined;
  return {
    'http.request.method': method,
    'http.route': route,
    'url.path': path,
    'url.scheme': 'http',
    ...(query ? { 'url.query': query } : {}),
    ...(host ? { 'server.address': host.hostname, 'server.port': Number(host.port || 80) } : {}),
    ...(request.headers['user-agent'] ? { 'user_agent.original': request.headers['user-agent'] } : {}),
    ...(request.socket.remoteAddress ? { 'client.address': request.socket.remoteAddress } : {}),
    'network.protocol.version': request.httpVersion,
  };
}

function traceresponse(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}
