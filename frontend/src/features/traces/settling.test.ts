import { expect, test } from 'bun:test';
import { nanos } from './model';
import { isSettling } from './settling';

const trace = { startNs: '1795272549000000000', duration: nanos(500e6) };
const endMs = 1795272549500;

test('a trace that has just ended may still grow, an old one does not', () => {
  expect(isSettling(trace, 0, endMs + 1_000)).toBe(true);
  expect(isSettling(trace, 0, endMs + 12_000)).toBe(false);
});

test('an orphan is waited for longer, not for ever', () => {
  expect(isSettling(trace, 1, endMs + 30_000)).toBe(true);
  expect(isSettling(trace, 1, endMs + 45_000)).toBe(false);
});
