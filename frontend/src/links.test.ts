import { expect, test } from 'bun:test';
import { parseSpanId, parseTraceId, traceHref } from './links';

test('a trace id is taken in any case, and filled up', () => {
  expect(parseTraceId(' 5D241A136D9F407222B685F8282E21AE ')).toBe('5d241a136d9f407222b685f8282e21ae');
  expect(parseTraceId('1a')).toBe('0000000000000000000000000000001a');
});

test.each([[''], ['zz'], ['0'], ['0'.repeat(32)], ['a'.repeat(33)], ['%20']])('%p is no trace id', (text) => {
  expect(parseTraceId(text)).toBeUndefined();
});

test('links are read back', () => {
  const url = new URL(traceHref('a'.repeat(32), 'b'.repeat(16)), 'http://frontend');
  expect(parseTraceId(url.pathname.split('/').at(-1) ?? '')).toBe('a'.repeat(32));
  expect(parseSpanId(url.searchParams.get('span'))).toBe('b'.repeat(16));
  expect(parseSpanId(['b'])).toBeUndefined();
});
