// Errors that leave a page's rendering. Next has recorded the exception on its rendering span; here the SERVER span and the log learn of it.
import { exceptionFields, log } from '../log';
import { requestFailed } from './request';

export function pageFailed(thrown: unknown, method: string): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  requestFailed(error.name);
  log.error('page failed', { 'http.request.method': method, ...exceptionFields(error) });
}
