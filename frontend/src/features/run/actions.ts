// What the buttons do: a request to our own server (or a thrown error) as a user action.
import { type ActionResult, userAction } from '@/browser/action';
import type { FieldError, RunAnswer, RunRequest } from './model';

/** An action that can be clicked. `id` is stable (tests and links), `label` names the trace's root span. */
export interface Action {
  id: string;
  label: string;
}

export const RUN_AGENT: Action = { id: 'run-agent', label: 'Run agent' };
export const THROW: Action = { id: 'browser-error', label: 'Throw in the browser' };

export function serviceAction(service: string, what: 'data' | 'error'): Action {
  return { id: `${what}-${service}`, label: `${service} ${what}` };
}

/** What came back over HTTP. `failed` is the status of an answer that is not a success. */
export interface Reply {
  status: number;
  failed?: string;
  body: unknown;
}

export interface ProblemBody {
  title?: string;
  detail?: string;
  errors?: FieldError[];
}

export function runAgent(request: RunRequest): Promise<ActionResult<Reply>> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  };
  return userAction(RUN_AGENT.label, request.tenant, () => call('/api/runs', init));
}

export function callService(service: string, what: 'data' | 'error', tenant: string): Promise<ActionResult<Reply>> {
  const path = `/api/services/${encodeURIComponent(service)}/${what}`;
  return userAction(serviceAction(service, what).label, tenant, () => call(path, { method: 'GET' }));
}

export class DemonstrationError extends Error {
  override name = 'DemonstrationError';
}

export function throwInBrowser(tenant: string): Promise<ActionResult<Reply>> {
  return userAction(THROW.label, tenant, async () => {
    throw new DemonstrationError('Thrown in the browser by its button');
  });
}

async function call(path: string, init: RequestInit): Promise<Reply> {
  const response = await fetch(path, init);
  const text = await response.text();
  const reply = { status: response.status, body: parsed(text) };
  return response.ok ? reply : { ...reply, failed: String(response.status) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function isRunAnswer(body: unknown): body is RunAnswer {
  return typeof body === 'object' && body !== null && 'answer' in body && 'tokens' in body;
}
