// Paths → route templates, for span names and metrics. The set is closed: whatever a client asks, the names stay bounded.

/** What a request is to telemetry: a route template, or nothing where the request is not recorded (health, metrics, assets, browser telemetry). */
export type Route = { template: string } | 'untraced';

const UNTRACED = [/^\/api\/health$/, /^\/metrics$/, /^\/otlp(\/|$)/, /^\/_next\//, /^\/favicon\.ico$/, /^\/icon\.svg$/];

const ROUTES: readonly (readonly [RegExp, string])[] = [
  [/^\/$/, '/'],
  [/^\/traces\/[^/]+$/, '/traces/[traceId]'],
  [/^\/api\/runs$/, '/api/runs'],
  [/^\/api\/services\/[^/]+\/data$/, '/api/services/[service]/data'],
  [/^\/api\/services\/[^/]+\/error$/, '/api/services/[service]/error'],
];

/** The template of an unknown path. */
export const UNKNOWN = '/*';

/** Finds the route of a request target's path (no query). */
export function routeOf(pathname: string): Route {
  if (UNTRACED.some((pattern) => pattern.test(pathname))) return 'untraced';
  const found = ROUTES.find(([pattern]) => pattern.test(pathname));
  return { template: found?.[1] ?? UNKNOWN };
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

/** The method as the semantic conventions want it: known ones as they are, any other is `_OTHER`. */
export function methodOf(method: string | undefined): string {
  return method !== undefined && METHODS.has(method) ? method : '_OTHER';
}
