// Next calls `register` once, before the server takes requests, and `onRequestError` for each error that leaves a page or a handler.
import type { Instrumentation } from 'next';

export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return;
  const { start } = await import('@/server/telemetry/start');
  await start();
}

export const onRequestError: Instrumentation.onRequestError = async (error, request) => {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return;
  const { pageFailed } = await import('@/server/telemetry/page-error');
  pageFailed(error, request.method);
};
