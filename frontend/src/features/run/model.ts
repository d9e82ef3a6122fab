// The shapes of a run, and the check of a request's structure. The browser and the server use the same.
import { MAX_QUESTION_CHARS } from './catalog';

export interface RunRequest {
  tenant: string;
  agent: string;
  question: string;
}

export interface RunAnswer {
  run_id: string;
  answer: string;
  sources: { id: string; title: string; score: number }[];
  tokens: { input: number; output: number };
  cost_usd: number;
  trace_id: string;
}

export interface FieldError {
  field: string;
  message: string;
}

export type Parsed<T> = { ok: true; value: T } | { ok: false; errors: FieldError[] };

/** Checks that a parsed JSON body has the fields of a run; names every wrong field at once. Lengths are in characters (code points). */
export function parseRunRequest(body: unknown): Parsed<RunRequest> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { ok: false, errors: [{ field: 'body', message: 'must be a JSON object' }] };
  }
  const fields = body as Record<string, unknown>;
  const limits = { tenant: 64, agent: 64, question: MAX_QUESTION_CHARS };
  const errors = Object.entries(limits).flatMap(([field, max]) => {
    const message = textError(fields[field], max);
    return message ? [{ field, message }] : [];
  });
  if (errors.length > 0) return { ok: false, errors };
  return {
    ok: true,
    value: { tenant: String(fields.tenant), agent: String(fields.agent), question: String(fields.question) },
  };
}

function textError(value: unknown, maxChars: number): string | undefined {
  if (value === undefined || value === null) return 'is required';
  if (typeof value !== 'string') return 'must be a string';
  if (value.trim() === '') return 'must not be empty';
  if ([...value].length > maxChars) return `must have at most ${maxChars} characters`;
  return undefined;
}
