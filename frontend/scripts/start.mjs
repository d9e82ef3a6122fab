// Starts the built server: reads HOST and PORT, and owns the end of the process.
// On SIGTERM or SIGINT it stops accepting, lets requests finish, flushes telemetry and exits 0. Next's own handler would exit before the flush.
import http from 'node:http';

const FINISH_TIMEOUT_MS = 5_000;
const FLUSH_TIMEOUT_MS = 5_000;
const IDLE_CHECK_MS = 50;

process.env.NEXT_TELEMETRY_DISABLED = '1';
process.env.NEXT_MANUAL_SIG_HANDLE = 'true';
process.env.HOSTNAME = process.env.HOST || '127.0.0.1'; // Next's name for the address to listen on
process.env.PORT = String(portFrom(process.env.PORT ?? '3001'));

/** @type {http.Server | undefined} The server that Next makes; it does not hand it out. */
let server;
const createServer = http.createServer;
http.createServer = /** @type {typeof createServer} */ (
  (/** @type {Parameters<typeof createServer>} */ ...args) => {
    http.createServer = createServer;
    server = createServer(...args);
    server.on('error', (error) =>
      fail(`cannot listen on ${process.env.HOSTNAME}:${process.env.PORT}: ${error.message}`),
    );
    return server;
  }
);

let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void stop());

// Written by the build beside this file.
await import(new URL('./server.js', import.meta.url).href);

async function stop() {
  if (stopping) return;
  stopping = true;
  if (server) await within(FINISH_TIMEOUT_MS, closed(server));
  // Left there by src/server/telemetry/start.ts, which lives in a bundle of its own.
  const shutdown = Reflect.get(globalThis, Symbol.for('tracewright.telemetry.shutdown'));
  if (shutdown) await within(FLUSH_TIMEOUT_MS, shutdown());
  process.exit(0);
}

/**
 * Resolves when the last request is served. Connections that a client keeps open are not waited for.
 * @param {http.Server} running
 */
function closed(running) {
  const idle = setInterval(() => running.closeIdleConnections(), IDLE_CHECK_MS);
  return new Promise((resolve) => running.close(resolve)).finally(() => clearInterval(idle));
}

/**
 * @param {number} timeoutMs
 * @param {Promise<unknown>} work
 */
function within(timeoutMs, work) {
  return Promise.race([work, new Promise((resolve) => setTimeout(resolve, timeoutMs).unref())]);
}

/** @param {string} value */
function portFrom(value) {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) fail(`PORT must be 1..65535, got "${value}"`);
  return port;
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  process.stderr.write(`frontend: ${message}\n`);
  process.exit(1);
}
