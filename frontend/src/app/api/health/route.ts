// Readiness: this server can do its job when the gateway behind it can. Neither traced nor logged.
import { handler, methodNotAllowed } from '@/server/http';
import { settings } from '@/server/settings';

export const dynamic = 'force-dynamic';

const CHECK_TIMEOUT_MS = 2_000;

export const GET = handler(async () => {
  const { services, telemetry } = settings();
  const gateway = await check(services['go-service']);
  const ready = gateway === 'ok';
  const body = {
    service: telemetry.resource['service.name'],
    version: telemetry.resource['service.version'],
    status: ready ? 'ok' : 'unavailable',
    checks: { 'go-service': gateway },
  };
  return Response.json(body, { status: ready ? 200 : 503, headers: { 'cache-control': 'no-store' } });
});

export const { POST, PUT, PATCH, DELETE } = methodNotAllowed('GET');

async function check(url: string): Promise<'ok' | 'unavailable' | 'unreachable'> {
  try {
    const response = await fetch(new URL('/', url), {
      cache: 'no-store',
      signal: AbortSignal.timeout(CHECK_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.ok ? 'ok' : 'unavailable';
  } catch {
    return 'unreachable'; // which is the answer to the question; why is in the gateway's own log
  }
}
