import { expect, test } from 'bun:test';
import { formatMilliseconds } from './format';

test.each([
  [0, '0 ms'],
  [0.0004, '400 ns'],
  [0.0425, '42.5 µs'],
  [0.42, '0.42 ms'],
  [9.996, '10.0 ms'],
  [12.34, '12.3 ms'],
  [840.2, '840 ms'],
  [999.6, '1.00 s'],
  [2_310, '2.31 s'],
  [59_999, '1 m 0 s'],
  [72_000, '1 m 12 s'],
  [-3.2, '-3.20 ms'],
])('%p ms reads %p', (ms, text) => {
  expect(formatMilliseconds(ms)).toBe(text);
});
