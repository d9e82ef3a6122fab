// Numbers as people read them. Units are converted here and nowhere else.

const NANOS_PER_MS = 1e6;

/** 0.42 ms, 12.3 ms, 840 ms, 2.31 s, 1 m 12 s. */
export function formatMilliseconds(ms: number): string {
  if (ms < 0) return `-${formatMilliseconds(-ms)}`;
  if (ms === 0) return '0 ms';
  if (ms < 0.001) return `${Math.round(ms * NANOS_PER_MS)} ns`;
  if (ms < 0.1) return `${threeDigits(ms * 1_000)} µs`;
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  if (ms < 59_995) return `${threeDigits(ms / 1_000)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
}

function threeDigits(value: number): string {
  if (value < 9.995) return value.toFixed(2);
  return value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}
