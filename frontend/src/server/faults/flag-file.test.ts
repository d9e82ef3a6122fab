import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlagFile } from './flag-file';

// A busy machine is slow: this is for all the waits of one test, and more than the 5 s that bun allows.
setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), 'flags-'));
const path = join(folder, 'flags.json');
const said: string[] = [];
const log = { info: (message: string) => said.push(message), warn: (message: string) => said.push(message) };
let opened: FlagFile | undefined;

afterEach(async () => {
  await opened?.onClose();
  opened = undefined;
  said.length = 0;
  rmSync(path, { force: true });
});

afterAll(() => rmSync(folder, { recursive: true }));

function flag(defaultVariant: string, targeting: unknown = {}): string {
  const broken = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant, targeting };
  return JSON.stringify({ flags: { broken } });
}

/** Puts a file in the place of another, as who switches flags does. */
function replace(text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

async function open(text: string): Promise<FlagFile> {
  replace(text);
  opened = new FlagFile(path, log);
  await opened.initialize();
  return opened;
}

async function isOn(file: FlagFile, context: Record<string, string> = {}): Promise<boolean> {
  return (await file.resolveBooleanEvaluation('broken', false, context)).value;
}

async function eventually(happened: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await happened())) {
    if (performance.now() > deadline) throw new Error(`not within 10 s; the log says: ${said.join(', ') || 'nothing'}`);
    await Bun.sleep(10);
  }
}

test('a flag is for those it targets', async () => {
  const file = await open(flag('off', { if: [{ in: [{ var: 'tenant' }, ['acme']] }, 'on', 'off'] }));
  expect(await isOn(file, { tenant: 'acme' })).toBe(true);
  expect(await isOn(file, { tenant: 'globex' })).toBe(false);
  expect(await isOn(file)).toBe(false);
});

test('a change is seen, and a broken file changes nothing', async () => {
  const file = await open(flag('off'));
  replace(flag('on'));
  await eventually(() => isOn(file));
  replace('{');
  await eventually(() => said.length === 2);
  rmSync(path);
  await eventually(() => said.length === 3);
  expect(await isOn(file)).toBe(true);
  replace(flag('off'));
  await eventually(async () => !(await isOn(file)));
  const told = 'flags not read; the last ones stay';
  expect(said).toEqual(['flags read', told, told, 'flags read']);
});

test('a change right after the reading is seen', async () => {
  replace(flag('off'));
  opened = new FlagFile(path, log);
  replace(flag('on'));
  await opened.initialize();
  const file = opened;
  await eventually(() => isOn(file));
});

test.each(['{', '{}', '{"flags": {}}', flag('maybe'), flag('off', { perhaps: [1] })])(
  'an unusable file is named at the start: %s',
  (text) => {
    replace(text);
    expect(() => new FlagFile(path, log)).toThrow('flags.json');
  },
);

test('a missing file is named at the start', () => {
  expect(() => new FlagFile(join(folder, 'gone.json'), log)).toThrow('gone.json');
});

test('a flag is boolean only', async () => {
  const file = await open(flag('on'));
  await expect(file.resolveStringEvaluation('broken')).rejects.toThrow('boolean');
});
