// One colour per service, the same on every page. Ours are fixed; any other gets one of four by its name.
const OWN = new Set(['frontend-web', 'frontend', 'go-service', 'python-service', 'rust-service']);
const OTHERS = 4;

/** A CSS colour for a service's name. */
export function serviceColor(service: string): string {
  if (OWN.has(service)) return `var(--svc-${service})`;
  let hash = 0;
  for (const char of service) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return `var(--svc-${hash % OTHERS})`;
}
