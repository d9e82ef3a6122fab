import { expect, test } from 'bun:test';
import { parseRunRequest } from './model';

const good = { tenant: 'acme', agent: 'researcher', question: 'why?' };

test('a complete request is taken, and nothing but its fields', () => {
  expect(parseRunRequest({ ...good, more: 1 })).toEqual({ ok: true, value: good });
});

test('every wrong field is named at once', () => {
  expect(parseRunRequest({ agent: 7, question: ' ' })).toEqual({
    ok: false,
    errors: [
      { field: 'tenant', message: 'is required' },
      { field: 'agent', message: 'must be a string' },
      { field: 'question', message: 'must not be empty' },
    ],
  });
});

test('a question has at most 2,000 characters, counted as people count them', () => {
  expect(parseRunRequest({ ...good, question: '🦉'.repeat(2_000) }).ok).toBe(true);
  expect(parseRunRequest({ ...good, question: 'x'.repeat(2_001) })).toEqual({
    ok: false,
    errors: [{ field: 'question', message: 'must have at most 2000 characters' }],
  });
});

test.each([[null], [[]], ['text'], [3]])('%p is no request', (body) => {
  expect(parseRunRequest(body)).toEqual({ ok: false, errors: [{ field: 'body', message: 'must be a JSON object' }] });
});

test('an unknown tenant is the backend’s to refuse', () => {
  expect(parseRunRequest({ ...good, tenant: 'nobody' }).ok).toBe(true);
});
