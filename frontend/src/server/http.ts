// What all route handlers share: errors become problem+json, other methods 405, bodies have a limit.
import { exceptionFields, log } from './log';
import { Problem } from './problem';
import { requestFailed } from './telemetry/request';

// biome-ignore lint/suspicious/noExplicitAny: the context's type differs by route; Next checks it against the path
type Handler = (request: Request, context: any) => Promise<Response> | Response;

/** Wraps a handler: a thrown `Problem` is the answer, any other error is recorded, logged and answered with a bare 500. */
export function handler<H extends Handler>(work: H): H {
  const handle: Handler = async (request, context) => {
    try {
      return await work(request, context);
    } catch (error) {
      if (error instanceof Problem) {
        if (error.status < 500)
          log.info('request refused', { 'http.response.status_code': error.status, reason: error.detail });
        return error.toResponse();
      }
      const cause = error instanceof Error ? error : new Error(String(error));
      requestFailed(cause.name, cause);
      log.error('request failed', exceptionFields(cause));
      return new Problem(500, 'The request could not be served.').toResponse();
    }
  };
  return handle as H;
}

/** Handlers for the methods that a route does not have: `export const { PUT, … } = methodNotAllowed('GET')`. */
export function methodNotAllowed(
  ...allow: string[]
): Record<'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', () => Response> {
  const refuse = (): Response => new Problem(405, `Use ${allow.join(' or ')}.`).toResponse({ allow: allow.join(', ') });
  return { GET: refuse, POST: refuse, PUT: refuse, PATCH: refuse, DELETE: refuse };
}

/** Reads a body of at most `limitBytes`; throws a 413 `Problem` as soon as it is longer, without reading the rest. */
export async function readBody(request: Request, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = new Problem(413, `The body must have at most ${limitBytes} bytes.`);
  if (Number(request.headers.get('content-length') ?? 0) > limitBytes) throw tooLarge;
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limitBytes) {
      await reader.cancel();
      throw tooLarge;
    }
    chunks.push(value);
  }
  const body = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

/** Reads a JSON body; throws a `Problem`: 413 when too long, 400 when it is not JSON in UTF-8. */
export async function readJson(request: Request, limitBytes: number): Promise<unknown> {
  const body = await readBody(request, limitBytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new Problem(400, 'The body is not valid JSON.');
  }
}
