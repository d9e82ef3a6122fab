// What the server tells the page about telemetry, as <meta> elements: names, and their reader for the browser.

/** W3C traceparent of the span that renders the page: the document load becomes its child. */
export const TRACEPARENT_META = 'traceparent';
/** W3C baggage of the document's request, `test.id` only. */
export const BAGGAGE_META = 'baggage';
/** The resource attributes of the browser's telemetry, as JSON. */
export const RESOURCE_META = 'tracewright:resource';

/** Which deliberate defects are on, as JSON; absent where none is. */
export const PAGE_FAULTS_META = 'tracewright:faults';

export const BROWSER_SERVICE = 'frontend-web';

export function readMeta(name: string): string | undefined {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content || undefined;
}
