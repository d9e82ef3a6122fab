// The server's logger: each record goes to stdout as a JSON line and to the collector over OTLP, both with the ids of the active span.
import { context, trace } from '@opentelemetry/api';
import { type AnyValueMap, logs, SeverityNumber } from '@opentelemetry/api-logs';
import { baggageAttributes } from '@/telemetry/baggage';
import { servedRequest } from './telemetry/request';

export type Fields = Record<string, string | number | boolean | undefined>;

const SEVERITY = { INFO: SeverityNumber.INFO, WARN: SeverityNumber.WARN, ERROR: SeverityNumber.ERROR } as const;

function emit(level: keyof typeof SEVERITY, message: string, fields: Fields): void {
  const timestamp = new Date();
  const active = context.active();
  const request = servedRequest();
  if (request) request.logged = true;
  const span = trace.getSpanContext(active);
  const attributes = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as AnyValueMap;
  logs.getLogger('tracewright.frontend').emit({
    timestamp,
    severityNumber: SEVERITY[level],
    severityText: level,
    body: message,
    attributes,
    context: active,
  });
  const ids = span ? { trace_id: span.traceId, span_id: span.spanId } : {};
  const line = {
    timestamp: timestamp.toISOString(),
    level,
    message,
    ...ids,
    ...baggageAttributes(active),
    ...attributes,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export const log = {
  info: (message: string, fields: Fields = {}): void => emit('INFO', message, fields),
  warn: (message: string, fields: Fields = {}): void => emit('WARN', message, fields),
  error: (message: string, fields: Fields = {}): void => emit('ERROR', message, fields),
};

/** An exception as log fields, under the names of the semantic conventions. */
export function exceptionFields(error: Error): Fields {
  return {
    'exception.type': error.name,
    'exception.message': error.message,
    'exception.stacktrace': error.stack,
  };
}
