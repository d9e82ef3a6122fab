// Calls to the fleet's services: context and baggage go along, and a service that does not answer is a 503.
import { type HttpAnswer, NoAnswer, request } from './client-span';
import { exceptionFields, log } from './log';
import { Problem } from './problem';
import { type ServiceName, settings } from './settings';
import { requestFailed } from './telemetry/request';

export interface BackendCall {
  service: ServiceName;
  method: 'GET' | 'POST';
  /** Fixed path, without parameters. */
  path: string;
  json?: unknown;
}

/**
 * Calls a service and reads its whole answer, whatever the status. Throws a 503 `Problem` when the service cannot be reached or is silent for
 * `DEPENDENCY_TIMEOUT_MS`; why is then on the CLIENT span and in the log.
 */
export async function callBackend({ service, method, path, json }: BackendCall): Promise<HttpAnswer> {
  const { services, dependencyTimeoutMs } = settings();
  const url = new URL(path, services[service]);
  try {
    return await request({ method, url, template: path, timeoutMs: dependencyTimeoutMs, propagate: true, json });
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    log.error(`${service} does not answer`, {
      backend: service,
      'error.type': error.errorType,
      ...exceptionFields(error.cause),
    });
    requestFailed('503');
    throw new Problem(503, `${service} is not available.`);
  }
}
