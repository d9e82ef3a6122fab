// The only reader of the environment. A missing or wrong value is a SettingsError that names the variable.
import { randomUUID } from 'node:crypto';
import packageJson from '../../package.json';

export class SettingsError extends Error {
  override name = 'SettingsError';
}

export const SERVICES = ['go-service', 'python-service', 'rust-service'] as const;
export type ServiceName = (typeof SERVICES)[number];

export interface Settings {
  /** Base URLs without a trailing slash. */
  services: Record<ServiceName, string>;
  tempoUrl: string;
  quickwitUrl: string;
  quickwitIndex: string;
  /** Longest wait for a service, in ms. */
  dependencyTimeoutMs: number;
  telemetry: TelemetrySettings;
  /** Flags of deliberate telemetry faults, in flagd's format; without it there are none. */
  flagsFile: string | undefined;
}

export interface TelemetrySettings {
  /** Resource attributes, complete: the same on traces, logs and metrics. */
  resource: Record<string, string>;
  /** Base URL of the collector's OTLP/HTTP receiver, without a trailing slash. */
  otlpUrl: string;
  /** Encoding of what this server exports; the browser's bytes go through as they come. */
  encoding: 'protobuf' | 'json';
  headers: Record<string, string>;
  traceDelayMs: number;
  logDelayMs: number;
  /** Spans, and log records, that wait while the collector is slow or away; what comes then is dropped. */
  traceQueue: number;
  logQueue: number;
  metricIntervalMs: number;
  sampler: { name: string; ratio: number };
  disabled: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads and checks all settings; throws `SettingsError` at the first one that is wrong. */
export function readSettings(env: Environment): Settings {
  return {
    services: {
      'go-service': url(env, 'GO_SERVICE_URL', 'http://127.0.0.1:8002'),
      'python-service': url(env, 'PYTHON_SERVICE_URL', 'http://127.0.0.1:8001'),
      'rust-service': url(env, 'RUST_SERVICE_URL', 'http://127.0.0.1:8003'),
    },
    tempoUrl: url(env, 'TEMPO_URL', 'http://127.0.0.1:3200'),
    quickwitUrl: url(env, 'QUICKWIT_URL', 'http://127.0.0.1:7280'),
    quickwitIndex: quickwitIndex(env),
    dependencyTimeoutMs: positiveInteger(env, 'DEPENDENCY_TIMEOUT_MS', 10_000),
    telemetry: readTelemetry(env),
    flagsFile: env.FLAGS_FILE || undefined,
  };
}

let current: Settings | undefined;

/** The settings of this process, read once. Throws `SettingsError`; the start of the server has called it before any request. */
export function settings(): Settings {
  current ??= readSettings(process.env);
  return current;
}

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
];

function readTelemetry(env: Environment): TelemetrySettings {
  const protocol = oneOf(env, 'OTEL_EXPORTER_OTLP_PROTOCOL', ['http/protobuf', 'http/json'], 'http/protobuf');
  oneOf(env, 'OTEL_PROPAGATORS', ['tracecontext,baggage', 'baggage,tracecontext'], 'tracecontext,baggage');
  const sampler = oneOf(env, 'OTEL_TRACES_SAMPLER', SAMPLERS, 'parentbased_always_on');
  const resource = pairs(env, 'OTEL_RESOURCE_ATTRIBUTES');
  return {
    resource: {
      'service.namespace': 'tracewright',
      'service.version': packageJson.version,
      'service.instance.id': randomUUID(),
      'deployment.environment.name': 'local',
      ...resource,
      'service.name': env.OTEL_SERVICE_NAME || resource['service.name'] || 'frontend',
    },
    otlpUrl: url(env, 'OTEL_EXPORTER_OTLP_ENDPOINT', 'http://127.0.0.1:4318'),
    encoding: protocol === 'http/json' ? 'json' : 'protobuf',
    headers: pairs(env, 'OTEL_EXPORTER_OTLP_HEADERS'),
    traceDelayMs: positiveInteger(env, 'OTEL_BSP_SCHEDULE_DELAY', 5_000),
    logDelayMs: positiveInteger(env, 'OTEL_BLRP_SCHEDULE_DELAY', 1_000),
    traceQueue: positiveInteger(env, 'OTEL_BSP_MAX_QUEUE_SIZE', 2_048),
    logQueue: positiveInteger(env, 'OTEL_BLRP_MAX_QUEUE_SIZE', 2_048),
    metricIntervalMs: positiveInteger(env, 'OTEL_METRIC_EXPORT_INTERVAL', 60_000),
    sampler: { name: sampler, ratio: ratio(env, 'OTEL_TRACES_SAMPLER_ARG') },
    disabled: env.OTEL_SDK_DISABLED?.toLowerCase() === 'true',
  };
}

function url(env: Environment, name: string, fallback: string): string {
  const value = env[name] || fallback;
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:') {
    throw new SettingsError(`${name} must be an http(s) URL, got "${value}"`);
  }
  return value.replace(/\/+$/, '');
}

function quickwitIndex(env: Environment): string {
  const value = env.QUICKWIT_INDEX || 'tracewright-logs';
  if (!/^[A-Za-z][A-Za-z0-9_.-]*$/.test(value))
    throw new SettingsError(`QUICKWIT_INDEX must be an index id, got "${value}"`);
  return value;
}

function positiveInteger(env: Environment, name: string, fallback: number): number {
  const value = env[name] || String(fallback);
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new SettingsError(`${name} must be a whole number over 0, got "${value}"`);
  return number;
}

function ratio(env: Environment, name: string): number {
  const number = Number(env[name] || '1');
  if (!(number >= 0 && number <= 1)) throw new SettingsError(`${name} must be between 0 and 1, got "${env[name]}"`);
  return number;
}

function oneOf(env: Environment, name: string, allowed: readonly string[], fallback: string): string {
  const value = env[name]?.replaceAll(' ', '') || fallback;
  if (!allowed.includes(value))
    throw new SettingsError(`${name} must be one of ${allowed.join(' | ')}, got "${value}"`);
  return value;
}

/** `a=b,c=d` with percent-encoded values, the form of OTEL_RESOURCE_ATTRIBUTES. */
function pairs(env: Environment, name: string): Record<string, string> {
  const entries: [string, string][] = [];
  for (const pair of (env[name] ?? '').split(',').map((text) => text.trim())) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 1) throw new SettingsError(`${name} must be key=value pairs, got "${pair}"`);
    entries.push([pair.slice(0, equals).trim(), decoded(name, pair.slice(equals + 1).trim())]);
  }
  return Object.fromEntries(entries);
}

function decoded(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new SettingsError(`${name} must have percent-encoded values, got "${value}"`);
  }
}
