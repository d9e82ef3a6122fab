// Prometheus text of this process only (CPU, memory, event loop, GC): request metrics go out once, by OTLP.
import { collectDefaultMetrics, Registry } from 'prom-client';
import { handler, methodNotAllowed } from '@/server/http';

export const dynamic = 'force-dynamic';

const registry = new Registry();
collectDefaultMetrics({ register: registry });

export const GET = handler(async () => {
  return new Response(await registry.metrics(), { headers: { 'content-type': registry.contentType } });
});

export const { POST, PUT, PATCH, DELETE } = methodNotAllowed('GET');
