// The deliberate telemetry defects of this server and of its pages, described in flags/faults.yaml. Off, which they are unless somebody
// switches them, nothing changes.

import { OpenFeature } from '@openfeature/server-sdk';
import { context, propagation, type Span } from '@opentelemetry/api';
import { TENANTS } from '@/features/run/catalog';
import { BAGGAGE_KEYS, baggageAttributes } from '@/telemetry/baggage';
import { PAGE_FAULTS, type PageFaults } from '@/telemetry/page-faults';

export type ServerFault = 'telemetry-frontend-secret-in-attribute' | 'telemetry-frontend-baggage-leak';

/** Whether a defect is on for the request that is served: for its tenant, its test, its session. */
export function faultIsOn(fault: ServerFault): Promise<boolean> {
  return OpenFeature.getClient().getBooleanValue(fault, false, subject());
}

/** The page's defects, for each tenant that a person may choose in it. */
export async function pageFaults(): Promise<PageFaults> {
  const client = OpenFeature.getClient();
  const faults: PageFaults = {};
  for (const fault of PAGE_FAULTS) {
    const tenants: string[] = [];
    for (const { id } of TENANTS) {
      if (await client.getBooleanValue(fault, false, { ...subject(), tenant: id })) tenants.push(id);
    }
    if (tenants.length > 0) faults[fault] = tenants;
  }
  return faults;
}

/** What a hurried developer records of a request: who is logged in, and all that came as baggage. */
export async function recordTooMuch(request: Request, span: Span | undefined): Promise<void> {
  const cookie = request.headers.get('cookie');
  if (cookie && (await faultIsOn('telemetry-frontend-secret-in-attribute'))) span?.setAttribute('app.session', cookie);
  const baggage = request.headers.get('baggage');
  if (!baggage || !(await faultIsOn('telemetry-frontend-baggage-leak'))) return;
  const all = propagation.extract(context.active(), { baggage });
  for (const [key, { value }] of propagation.getBaggage(all)?.getAllEntries() ?? []) span?.setAttribute(key, value);
}

/** `tenant.id` in baggage is `tenant` in targeting: there a dot would lead into an object. */
function subject(): Record<string, string> {
  const carried = baggageAttributes(context.active());
  return Object.fromEntries(
    BAGGAGE_KEYS.flatMap((key) => (carried[key] ? [[key.replace('.id', ''), String(carried[key])]] : [])),
  );
}
