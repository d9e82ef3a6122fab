import { expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { methodOf, routeOf } from './routes';

test.each([
  ['/', '/'],
  ['/traces/0af7651916cd43dd8448eb211c80319c', '/traces/[traceId]'],
  ['/api/runs', '/api/runs'],
  ['/api/services/go-service/data', '/api/services/[service]/data'],
  ['/api/services/anything/error', '/api/services/[service]/error'],
  ['/api/services/go-service/other', '/*'],
  ['/api/not-found', '/*'],
  ['/wp-login.php', '/*'],
  ['/traces/a/b', '/*'],
])('%s is the route %s', (path, template) => {
  expect(routeOf(path)).toEqual({ template });
});

test.each([
  ['/api/health'],
  ['/metrics'],
  ['/otlp/v1/traces'],
  ['/_next/static/chunks/a.js'],
  ['/icon.svg'],
  ['/favicon.ico'],
])('%s is not traced', (path) => {
  expect(routeOf(path)).toBe('untraced');
});

test('every page and handler of the app has a route of its own', () => {
  const app = new URL('../../app/', import.meta.url);
  const folders = readdirSync(app, { recursive: true, encoding: 'utf8' })
    .filter((file) => /(^|\/)(page\.tsx|route\.ts)$/.test(file))
    .map((file) => `/${file.replace(/\/?(page\.tsx|route\.ts)$/, '')}`)
    .filter((path) => path !== '/api/not-found');
  expect(folders.length).toBeGreaterThan(6);
  for (const path of folders) {
    const route = routeOf(path);
    if (route !== 'untraced') expect(route.template).toBe(path);
  }
});

test('a method that HTTP does not know stays out of names', () => {
  expect(methodOf('GET')).toBe('GET');
  expect(methodOf('PROPFIND')).toBe('_OTHER');
  expect(methodOf(undefined)).toBe('_OTHER');
});
