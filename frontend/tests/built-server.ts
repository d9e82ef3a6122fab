// Starts the built server (`bun run build` first) as people do, on a free port, against a fake fleet.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { FakeFleet } from './fake-fleet';

const ENTRY = fileURLToPath(
  new URL(
    'start.mjs',
    process.env.FRONTEND_BUILD
      ? `file://${process.env.FRONTEND_BUILD}/`
      : new URL('../.next/standalone/', import.meta.url),
  ),
);
/** For a busy machine: nothing that works takes so long. */
export const PATIENCE_MS = 60_000;
const POLL_MS = 25;

export class BuiltServer {
  private constructor(
    readonly url: string,
    private readonly child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>,
  ) {}

  static async start(fleet: FakeFleet, environment: Record<string, string> = {}): Promise<BuiltServer> {
    const port = await freePort();
    const child = spawn({ ...fleet.environment(), ...environment, PORT: String(port) });
    const server = new BuiltServer(`http://127.0.0.1:${port}`, child);
    await until('the server answers', async () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode} instead of answering`);
      return (await fetch(`${server.url}/api/health`).catch(() => undefined))?.ok;
    });
    return server;
  }

  /** Sends SIGTERM; resolves with the exit code and all of stdout. */
  async stop(): Promise<{ exitCode: number; stdout: string }> {
    this.child.kill('SIGTERM');
    const stdout = await new Response(this.child.stdout).text();
    return { exitCode: await this.child.exited, stdout };
  }
}

/** Runs the server to its end: for starts that must fail. */
export async function runToEnd(environment: Record<string, string>): Promise<{ exitCode: number; stderr: string }> {
  const child = spawn({ PORT: String(await freePort()), ...environment });
  const stderr = await new Response(child.stderr).text();
  return { exitCode: await child.exited, stderr };
}

/** Waits for a condition; throws with its name when it does not come true in time. */
export async function until(name: string, holds: () => unknown): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${name}`);
    await Bun.sleep(POLL_MS);
  }
}

function spawn(environment: Record<string, string>): Bun.Subprocess<'ignore', 'pipe', 'pipe'> {
  const { PATH = '' } = process.env;
  return Bun.spawn(['node', ENTRY], { env: { PATH, ...environment }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
}

/** Not one that the system would give to another connection before the server listens (from 32768). */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().on('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
