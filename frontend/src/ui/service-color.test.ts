import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { serviceColor } from './service-color';

test('our services have colours of their own, others one by their name', () => {
  expect(serviceColor('go-service')).toBe('var(--svc-go-service)');
  expect(serviceColor('checkout')).toMatch(/^var\(--svc-[0-3]\)$/);
  expect(serviceColor('checkout')).toBe(serviceColor('checkout'));
});

test('every colour is defined in both themes', () => {
  const css = readFileSync(new URL('../app/globals.css', import.meta.url), 'utf8');
  const names = ['frontend-web', 'frontend', 'go-service', 'python-service', 'rust-service', '0', '1', '2', '3'];
  for (const name of names) expect(css.split(`--svc-${name}:`)).toHaveLength(3);
});
