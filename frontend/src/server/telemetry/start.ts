// Wires the OpenTelemetry SDK: traces, logs and metrics over OTLP/HTTP, one resource for all three.
import { OpenFeature } from '@openfeature/server-sdk';
import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { logs } from '@opentelemetry/api-logs';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as JsonMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { BaggageLogProcessor, BaggageSpanProcessor } from '@/telemetry/baggage';
import { FlagFile } from '../faults/flag-file';
import { log } from '../log';
import { SettingsError, settings, type TelemetrySettings } from '../settings';
import { HOLD_MS, held } from './hold';
import { recordHttpServers } from './http-server';
import { FilteringTracerProvider } from './next-tracer';

/** Where the process' entry point (scripts/start.mjs, outside of our bundles) finds the flush that it must await before it exits. */
const SHUTDOWN = Symbol.for('tracewright.telemetry.shutdown');

/** Checks the settings and starts telemetry. A wrong setting ends the process with one line that names it. */
export async function start(): Promise<void> {
  let telemetry: TelemetrySettings;
  try {
    telemetry = settings().telemetry;
    await readFlags(settings().flagsFile);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    process.stderr.write(`frontend: ${error.message}\n`);
    process.exit(1);
  }
  if (telemetry.disabled) return;
  const shutdown = startProviders(telemetry);
  recordHttpServers();
  Reflect.set(globalThis, SHUTDOWN, shutdown);
}

async function readFlags(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    await OpenFeature.setProviderAndWait(new FlagFile(path, log));
  } catch (error) {
    throw new SettingsError(`FLAGS_FILE: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function startProviders(telemetry: TelemetrySettings): () => Promise<unknown> {
  const resource = defaultResource().merge(resourceFromAttributes(telemetry.resource));
  const target = (signal: string) => ({ url: `${telemetry.otlpUrl}/v1/${signal}`, headers: telemetry.headers });
  const exporters =
    telemetry.encoding === 'json'
      ? {
          traces: new JsonTraceExporter(target('traces')),
          logs: new JsonLogExporter(target('logs')),
          metrics: new JsonMetricExporter(target('metrics')),
        }
      : {
          traces: new OTLPTraceExporter(target('traces')),
          logs: new OTLPLogExporter(target('logs')),
          metrics: new OTLPMetricExporter(target('metrics')),
        };

  const tracerProvider = new TracerProvider({
    resource,
    sampler: samplerFor(telemetry.sampler),
    spanProcessors: [
      new BaggageSpanProcessor(),
      new BatchSpanProcessor({
        exporter: held(exporters.traces),
        exportTimeoutMillis: HOLD_MS,
        maxQueueSize: telemetry.traceQueue,
        scheduledDelayMillis: telemetry.traceDelayMs,
      }),
    ],
  });
  const loggerProvider = new LoggerProvider({
    resource,
    processors: [
      new BaggageLogProcessor(),
      new BatchLogRecordProcessor({
        exporter: held(exporters.logs),
        exportTimeoutMillis: HOLD_MS,
        maxQueueSize: telemetry.logQueue,
        scheduledDelayMillis: telemetry.logDelayMs,
      }),
    ],
  });
  const meterProvider = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: exporters.metrics,
        exportIntervalMillis: telemetry.metricIntervalMs,
        exportTimeoutMillis: Math.min(telemetry.metricIntervalMs, 10_000),
      }),
    ],
  });

  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
  trace.setGlobalTracerProvider(new FilteringTracerProvider(tracerProvider));
  logs.setGlobalLoggerProvider(loggerProvider);
  metrics.setGlobalMeterProvider(meterProvider);

  return () => Promise.allSettled([tracerProvider.shutdown(), loggerProvider.shutdown(), meterProvider.shutdown()]);
}

function samplerFor({ name, ratio }: TelemetrySettings['sampler']): Sampler {
  const roots: Record<string, Sampler> = {
    always_on: new AlwaysOnSampler(),
    always_off: new AlwaysOffSampler(),
    traceidratio: new TraceIdRatioBasedSampler(ratio),
  };
  const root = roots[name.replace('parentbased_', '')] ?? new AlwaysOnSampler();
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}
