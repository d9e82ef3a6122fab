import { describe, expect, test } from 'bun:test';
import { readSettings, SettingsError } from './settings';

test('an empty environment gives the defaults of a local stack', () => {
  const settings = readSettings({});
  expect(settings.services['go-service']).toBe('http://127.0.0.1:8002');
  expect(settings.quickwitIndex).toBe('tracewright-logs');
  expect(settings.telemetry).toMatchObject({ otlpUrl: 'http://127.0.0.1:4318', encoding: 'protobuf', disabled: false });
  expect(settings.telemetry.resource).toMatchObject({ 'service.name': 'frontend', 'service.namespace': 'tracewright' });
});

test('resource attributes are read with percent-encoded values; OTEL_SERVICE_NAME wins', () => {
  const { resource } = readSettings({
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=other, service.version=1.2,deployment.environment.name=a%20b',
    OTEL_SERVICE_NAME: 'frontend',
  }).telemetry;
  expect(resource).toMatchObject({
    'service.name': 'frontend',
    'service.version': '1.2',
    'deployment.environment.name': 'a b',
  });
});

test('flags are read where a file is named', () => {
  expect(readSettings({}).flagsFile).toBeUndefined();
  expect(readSettings({ FLAGS_FILE: '' }).flagsFile).toBeUndefined();
  expect(readSettings({ FLAGS_FILE: 'flags.json' }).flagsFile).toBe('flags.json');
});

test('base URLs lose their trailing slash', () => {
  expect(readSettings({ TEMPO_URL: 'http://tempo:3200/' }).tempoUrl).toBe('http://tempo:3200');
});

describe('a wrong value is refused by name', () => {
  test.each([
    ['GO_SERVICE_URL', 'nowhere'],
    ['TEMPO_URL', 'ftp://tempo'],
    ['QUICKWIT_INDEX', '../logs'],
    ['DEPENDENCY_TIMEOUT_MS', '0'],
    ['DEPENDENCY_TIMEOUT_MS', 'soon'],
    ['OTEL_BSP_SCHEDULE_DELAY', '-1'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '0'],
    ['OTEL_BLRP_MAX_QUEUE_SIZE', 'endless'],
    ['OTEL_METRIC_EXPORT_INTERVAL', '1.5'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_PROPAGATORS', 'b3'],
    ['OTEL_TRACES_SAMPLER', 'sometimes'],
    ['OTEL_TRACES_SAMPLER_ARG', '2'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'novalue'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%zz'],
  ])('%s=%s', (name, value) => {
    expect(() => readSettings({ [name]: value })).toThrow(SettingsError);
    expect(() => readSettings({ [name]: value })).toThrow(name);
  });
});
