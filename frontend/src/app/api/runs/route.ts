// Runs an agent: checks the request's structure, names the tenant, and hands it to the gateway.
import { trace } from '@opentelemetry/api';
import { parseRunRequest, type RunRequest } from '@/features/run/model';
import { callBackend } from '@/server/backend';
import type { HttpAnswer } from '@/server/client-span';
import { recordTooMuch } from '@/server/faults/faults';
import { handler, methodNotAllowed, readJson } from '@/server/http';
import { log } from '@/server/log';
import { Problem } from '@/server/problem';
import { asTenant, requestFailed, servedRequest } from '@/server/telemetry/request';

const BODY_LIMIT_BYTES = 64 * 1024;

export const POST = handler(async (request: Request) => {
  const parsed = parseRunRequest(await readJson(request, BODY_LIMIT_BYTES));
  if (!parsed.ok) throw new Problem(422, parsed.errors.map((e) => `${e.field} ${e.message}`).join('; '), parsed.errors);
  return asTenant(parsed.value.tenant, async () => {
    await recordTooMuch(request, servedRequest()?.span);
    return run(parsed.value);
  });
});

export const { GET, PUT, PATCH, DELETE } = methodNotAllowed('POST');

async function run(request: RunRequest): Promise<Response> {
  log.info('run requested', { 'agent.id': request.agent, 'question.chars': request.question.length });
  const answer = await callBackend({ service: 'go-service', method: 'POST', path: '/runs', json: request });
  if (answer.status >= 500) throw gatewayFailed(answer);
  const traceId = trace.getActiveSpan()?.spanContext().traceId;
  if (answer.status !== 200) {
    log.warn('run refused', { 'http.response.status_code': answer.status });
    return new Response(answer.body, { status: answer.status, headers: { 'content-type': answer.contentType } });
  }
  const body = runBody(answer);
  log.info('run finished', { 'run.id': String(body.run_id), 'agent.id': request.agent });
  return Response.json(traceId ? { ...body, trace_id: traceId } : body);
}

/** A gateway that says itself that something is down keeps its 503; its own failures are ours as 502. */
function gatewayFailed(answer: HttpAnswer): Problem {
  const status = answer.status === 503 ? 503 : 502;
  requestFailed(String(status));
  log.error('run failed in the gateway', { 'http.response.status_code': answer.status });
  return new Problem(status, status === 503 ? 'A service behind the gateway is not available.' : 'The gateway failed.');
}

function runBody(answer: HttpAnswer): Record<string, unknown> {
  try {
    return JSON.parse(answer.body) as Record<string, unknown>;
  } catch {
    requestFailed('502');
    log.error('the gateway sent no JSON', { 'http.response.status_code': answer.status });
    throw new Problem(502, 'The gateway sent an answer that cannot be read.');
  }
}
