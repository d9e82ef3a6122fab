// All links between pages are made here.

/** The page of one trace. */
export function traceHref(traceId: string): string {
  return `/traces/${traceId}`;
}
