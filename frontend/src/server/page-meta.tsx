// The <meta> elements that join the browser's telemetry to this server's.
import { context, propagation } from '@opentelemetry/api';
import {
  BAGGAGE_META,
  BROWSER_SERVICE,
  PAGE_FAULTS_META,
  RESOURCE_META,
  TRACEPARENT_META,
} from '@/telemetry/page-meta';
import { pageFaults } from './faults/faults';
import { settings } from './settings';

const SHARED_RESOURCE = [
  'service.namespace',
  'service.version',
  'service.instance.id', // of this server: an id per page would make a new metric series per page
  'deployment.environment.name',
] as const;

export async function TelemetryMeta() {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  const testId = propagation.getActiveBaggage()?.getEntry('test.id')?.value;
  const { resource } = settings().telemetry;
  const browserResource = {
    ...Object.fromEntries(SHARED_RESOURCE.map((key) => [key, resource[key]])),
    'service.name': BROWSER_SERVICE,
  };
  const faults = await pageFaults();
  return (
    <>
      {carrier.traceparent && <meta name={TRACEPARENT_META} content={carrier.traceparent} />}
      {testId && <meta name={BAGGAGE_META} content={`test.id=${encodeURIComponent(testId)}`} />}
      {Object.keys(faults).length > 0 && <meta name={PAGE_FAULTS_META} content={JSON.stringify(faults)} />}
      <meta name={RESOURCE_META} content={JSON.stringify(browserResource)} />
    </>
  );
}
