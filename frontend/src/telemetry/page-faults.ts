// The deliberate defects of the page's telemetry (flags/faults.yaml): evaluated by the server, handed to the page with its document.
import { PAGE_FAULTS_META, readMeta } from './page-meta';

export const PAGE_FAULTS = [
  'telemetry-browser-traceparent-missing',
  'telemetry-browser-web-vitals-lost',
  'telemetry-browser-error-status-missing',
] as const;
export type PageFault = (typeof PAGE_FAULTS)[number];

/** The tenants that each defect is on for; a defect that is off is left out. */
export type PageFaults = Partial<Record<PageFault, string[]>>;

/** Whether a defect is on in this page: for the tenant, or, without one, for any. */
export function pageFaultIsOn(fault: PageFault, tenant?: string): boolean {
  const tenants = (JSON.parse(readMeta(PAGE_FAULTS_META) ?? '{}') as PageFaults)[fault];
  return tenants !== undefined && (tenant === undefined || tenants.includes(tenant));
}
