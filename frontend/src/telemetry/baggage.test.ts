import { expect, test } from 'bun:test';
import { propagation, ROOT_CONTEXT } from '@opentelemetry/api';
import { allowed, baggageAttributes, withBaggage } from './baggage';

const baggage = propagation.createBaggage({
  'tenant.id': { value: 'acme' },
  'test.id': { value: 't1' },
  secret: { value: 'hunter2' },
});

test('only the allowed keys are kept', () => {
  expect(allowed(baggage).getAllEntries()).toEqual([
    ['tenant.id', { value: 'acme' }],
    ['test.id', { value: 't1' }],
  ]);
});

test('only the allowed keys become attributes', () => {
  expect(baggageAttributes(propagation.setBaggage(ROOT_CONTEXT, baggage))).toEqual({
    'tenant.id': 'acme',
    'test.id': 't1',
  });
  expect(baggageAttributes(ROOT_CONTEXT)).toEqual({});
});

test('a value longer than any id of ours is dropped', () => {
  const long = propagation.createBaggage({ 'test.id': { value: 'x'.repeat(129) } });
  expect(allowed(long).getAllEntries()).toEqual([]);
});

test('a key that is set replaces what came', () => {
  const context = withBaggage(propagation.setBaggage(ROOT_CONTEXT, baggage), 'tenant.id', 'globex');
  expect(baggageAttributes(context)['tenant.id']).toBe('globex');
});
