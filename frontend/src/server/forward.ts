// `/api/services/<service>/data` and `…/error`: one service's own answer, status and body passed on.
import { callBackend } from './backend';
import { log } from './log';
import { Problem } from './problem';
import { SERVICES, type ServiceName } from './settings';
import { requestFailed } from './telemetry/request';

/** Throws a 404 `Problem` for a service that is not in the fleet. */
export async function forward(service: string, what: 'data' | 'error'): Promise<Response> {
  if (!isService(service)) throw new Problem(404, `There is no service "${service.slice(0, 64)}".`);
  const answer = await callBackend({ service, method: 'GET', path: `/${what}` });
  const fields = { backend: service, 'http.response.status_code': answer.status };
  if (answer.status >= 500) {
    requestFailed(String(answer.status));
    log.error(`${what} of ${service} failed`, fields);
  } else {
    log.info(`${what} of ${service} fetched`, fields);
  }
  return new Response(answer.body, { status: answer.status, headers: { 'content-type': answer.contentType } });
}

function isService(name: string): name is ServiceName {
  return (SERVICES as readonly string[]).includes(name);
}
