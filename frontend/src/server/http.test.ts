import { expect, test } from 'bun:test';
import { readBody, readJson } from './http';

function post(body: BodyInit): Request {
  return new Request('http://frontend/', { method: 'POST', body });
}

/** A body that says nothing of its length and counts how much of it was asked for. */
function endless(): { body: ReadableStream<Uint8Array>; sentBytes: () => number } {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 1_024;
      controller.enqueue(new Uint8Array(1_024));
    },
  });
  return { body, sentBytes: () => sent };
}

test('a body of exactly the limit is read', async () => {
  expect((await readBody(post('x'.repeat(100)), 100)).byteLength).toBe(100);
});

test('a byte more is refused', async () => {
  await expect(readBody(post('x'.repeat(101)), 100)).rejects.toMatchObject({ status: 413 });
});

test('an endless body is refused at the limit, not read on', async () => {
  const { body, sentBytes } = endless();
  await expect(readBody(post(body), 4_096)).rejects.toMatchObject({ status: 413 });
  expect(sentBytes()).toBeLessThan(20_000);
});

test('what is not JSON, or not UTF-8, is a 400', async () => {
  await expect(readJson(post('{'), 100)).rejects.toMatchObject({ status: 400 });
  await expect(readJson(post(''), 100)).rejects.toMatchObject({ status: 400 });
  await expect(readJson(post(new Uint8Array([0x22, 0xff, 0x22])), 100)).rejects.toMatchObject({ status: 400 });
});
