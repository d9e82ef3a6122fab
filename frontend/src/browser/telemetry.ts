// Browser telemetry: the OpenTelemetry Browser SDK with the instrumentations we use, exporting to the page's own origin.
// What each signal looks like is in the README; user actions are in action.ts.
import { ErrorsInstrumentation } from '@opentelemetry/browser-instrumentation/experimental/errors';
import { WebVitalsInstrumentation } from '@opentelemetry/browser-instrumentation/experimental/web-vitals';
import { startBrowserSdk } from '@opentelemetry/browser-sdk';
import {
  createDefaultSessionIdGenerator,
  createLocalStorageSessionStore,
  createSessionManager,
} from '@opentelemetry/browser-sdk/session';
import { parseKeyPairsIntoRecord } from '@opentelemetry/core';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { DocumentLoadInstrumentation } from '@opentelemetry/instrumentation-document-load';
import { FetchInstrumentation } from '@opentelemetry/instrumentation-fetch';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
import { BaggageLogProcessor, BaggageSpanProcessor } from '@/telemetry/baggage';
import { pageFaultIsOn } from '@/telemetry/page-faults';
import { BAGGAGE_META, BROWSER_SERVICE, RESOURCE_META, readMeta } from '@/telemetry/page-meta';
import { LogBatch } from './log-batch';
import { OpenSpans } from './open-spans';
import {
  PageBaggagePropagator,
  PageLogProcessor,
  PageSpanProcessor,
  PageTraceContextPropagator,
} from './page-attributes';
import { PageLoad } from './page-load';

const EXPORT_DELAY_MS = 1_000;
const SESSION_MAX_S = 4 * 60 * 60;
const SESSION_INACTIVITY_S = 30 * 60;
/** Our own plumbing: exports, assets, and the re-reads of a page that waits for its data. */
const UNTRACED_URLS = [/\/otlp\/v1\//, /\/_next\//, /[?&]_rsc=/];

let started = false;

/** Starts once per document; must run before the page's own code makes requests. */
export function startTelemetry(): void {
  if (started) return;
  started = true;

  const session = createSessionManager({
    sessionIdGenerator: createDefaultSessionIdGenerator(),
    sessionStore: createLocalStorageSessionStore(),
    maxDuration: SESSION_MAX_S,
    inactivityTimeout: SESSION_INACTIVITY_S,
  });
  void session.start();

  const testId = parseKeyPairsIntoRecord(readMeta(BAGGAGE_META))['test.id'];
  const page = (): Record<string, string> => {
    const sessionId = session.getSessionId();
    return { ...(sessionId ? { 'session.id': sessionId } : {}), ...(testId ? { 'test.id': testId } : {}) };
  };
  // Web vitals start late and see the browser's buffered entries: by then there is a page load to join them to.
  const pageLoad = new PageLoad(() => {
    if (pageFaultIsOn('telemetry-browser-web-vitals-lost')) return;
    registerInstrumentations({
      loggerProvider: pageLoad.loggers,
      instrumentations: [new WebVitalsInstrumentation()],
    });
  });
  const openSpans = new OpenSpans();
  const exportTo = (signal: string) => ({ url: new URL(`/otlp/v1/${signal}`, location.origin).href });
  const spans = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter(exportTo('traces')),
    scheduledDelayMillis: EXPORT_DELAY_MS,
  });
  const records = new LogBatch(new OTLPLogExporter(exportTo('logs')), EXPORT_DELAY_MS);

  startBrowserSdk({
    logLevel: 'WARN',
    serviceName: BROWSER_SERVICE,
    resourceAttributes: JSON.parse(readMeta(RESOURCE_META) ?? '{}'),
    traces: {
      propagators: [new PageTraceContextPropagator(), new PageBaggagePropagator(page)],
      processors: [new BaggageSpanProcessor(), new PageSpanProcessor(page), openSpans, pageLoad, spans],
    },
    logs: { processors: [new BaggageLogProcessor(), new PageLogProcessor(page), records] },
  });
  registerInstrumentations({
    loggerProvider: pageLoad.loggers,
    instrumentations: [
      new DocumentLoadInstrumentation({ ignoreNetworkEvents: true }),
      new FetchInstrumentation({
        ignoreUrls: UNTRACED_URLS,
        ignoreNetworkEvents: true,
        applyCustomAttributesOnSpan: (span, _request, result) => {
          openSpans.answered(span);
          if (result instanceof Error) span.setAttribute('error.type', result.name);
        },
      }),
      new ErrorsInstrumentation(),
    ],
  });

  const flush = (): void => {
    void spans.forceFlush();
    void records.forceFlush();
  };
  addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && flush());
  // The page goes: spans that still wait for an answer end here, or their children on the server would be orphans.
  addEventListener('pagehide', () => {
    openSpans.endAll();
    flush();
  });
}
