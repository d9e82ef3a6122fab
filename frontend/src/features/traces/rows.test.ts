import { describe, expect, test } from 'bun:test';
import { nanos, type Span } from './model';
import { ancestorsOf, summaryOf, ticks, treeOf, visibleRows } from './rows';

/** `id<parent start` in a line, as in `b<a 5`; `!` marks a failed span. */
function spansOf(...lines: string[]): Span[] {
  return lines.map((line) => {
    const [, id = '', parent, start = '0', failed] = /^(\w+)(?:<(\w+))? ?(\d*)(!?)$/.exec(line) ?? [];
    return span(id, parent, Number(start), failed === '!');
  });
}

function span(id: string, parentId: string | undefined, start: number, failed = false): Span {
  return {
    id,
    ...(parentId ? { parentId } : {}),
    name: id,
    service: 'go-service',
    kind: 'internal',
    start: nanos(start),
    duration: nanos(10),
    failed,
    scope: '',
    attributes: [],
    events: [],
    links: [],
    resource: [],
  };
}

/** The tree as text: two spaces a level, `?` before an orphan, `@` where a cycle was opened. */
function drawn(spans: Span[]): string[] {
  const marks = { 'parent-missing': '?', cycle: '@' } as const;
  return treeOf({ spans }).rows.map(
    ({ span, depth, orphan }) => `${'  '.repeat(depth)}${orphan ? marks[orphan] : ''}${span.id}`,
  );
}

describe('treeOf', () => {
  test('children stand under their parent, siblings by start', () => {
    expect(drawn(spansOf('c<a 7', 'b<a 3', 'a 0', 'd<b 4'))).toEqual([
      'a', //
      '  b',
      '    d',
      '  c',
    ]);
  });

  test('siblings that start together stand by id, so that the order never changes', () => {
    expect(drawn(spansOf('z<a 1', 'y<a 1', 'a'))).toEqual(['a', '  y', '  z']);
  });

  test('a span whose parent is missing stands at the top, marked, with its children', () => {
    expect(drawn(spansOf('a 0', 'lost<gone 2', 'child<lost 3'))).toEqual([
      'a', //
      '?lost',
      '  child',
    ]);
  });

  test('a cycle is opened at its earliest span, and nothing is lost', () => {
    expect(drawn(spansOf('a 0', 'x<z 5', 'y<x 6', 'z<y 7'))).toEqual([
      'a', //
      '@x',
      '  y',
      '    z',
    ]);
  });

  test('a span that is its own parent is a cycle', () => {
    expect(drawn(spansOf('a<a 1'))).toEqual(['@a']);
  });

  test('several roots stand by start', () => {
    expect(drawn(spansOf('b 5', 'a 9'))).toEqual(['b', 'a']);
  });

  test('rows count what is below them, and what failed there', () => {
    const { rows } = treeOf({ spans: spansOf('a 0', 'b<a 1', 'c<b 2!', 'd<a 3!') });
    expect(rows.map(({ span, descendants, failedDescendants }) => [span.id, descendants, failedDescendants])).toEqual([
      ['a', 3, 2],
      ['b', 1, 1],
      ['c', 0, 0],
      ['d', 0, 0],
    ]);
  });

  test('20,000 spans, as a chain or as siblings, take well under a second', () => {
    const id = (index: number): string => index.toString(16).padStart(16, '0');
    const chain = Array.from({ length: 20_000 }, (_, i) => span(id(i), i > 0 ? id(i - 1) : undefined, i));
    const wide = Array.from({ length: 20_000 }, (_, i) => span(id(i), i > 0 ? id(0) : undefined, i));
    // Of this process alone, and the fastest of some: what else the machine does meanwhile is no fault of it.
    const triesMs: number[] = [];
    while (triesMs.length < 5 && Math.min(...triesMs) >= 1_000) {
      const before = process.cpuUsage();
      expect(treeOf({ spans: chain }).rows.at(-1)?.depth).toBe(19_999);
      expect(treeOf({ spans: wide }).rows[0]?.descendants).toBe(19_999);
      const { user, system } = process.cpuUsage(before);
      triesMs.push((user + system) / 1_000);
    }
    expect(Math.min(...triesMs)).toBeLessThan(1_000);
  }, 60_000);
});

describe('visibleRows', () => {
  const tree = treeOf({ spans: spansOf('a 0', 'b<a 1', 'c<b 2', 'd<a 3') });
  const shown = (...collapsed: string[]): string[] => visibleRows(tree, new Set(collapsed)).map(({ span }) => span.id);

  test('a folded span stays, what is below it goes', () => {
    expect(shown('b')).toEqual(['a', 'b', 'd']);
  });
  test('folding the root leaves the root', () => {
    expect(shown('a', 'b')).toEqual(['a']);
  });
  test('nothing folded shows all', () => {
    expect(shown()).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('ancestorsOf', () => {
  const tree = treeOf({ spans: spansOf('a 0', 'b<a 1', 'x<b 1', 'c<b 2', 'd<c 3') });

  test('lists the way up, nearest first', () => {
    expect(ancestorsOf(tree, 'd')).toEqual(['c', 'b', 'a']);
  });
  test('is empty for a root and for a span that is not there', () => {
    expect(ancestorsOf(tree, 'a')).toEqual([]);
    expect(ancestorsOf(tree, 'nope')).toEqual([]);
  });
});

describe('summaryOf', () => {
  test('takes the first true root, and counts errors and orphans', () => {
    const summary = summaryOf(treeOf({ spans: spansOf('lost<gone 0!', 'a 1') }));
    expect(summary).toMatchObject({ root: { id: 'a' }, failed: 1, orphans: 1, services: ['go-service'] });
  });
  test('takes an orphan where no root has arrived', () => {
    expect(summaryOf(treeOf({ spans: spansOf('lost<gone 0') }))?.root.id).toBe('lost');
  });
  test('is undefined without spans', () => {
    expect(summaryOf(treeOf({ spans: [] }))).toBeUndefined();
  });
});

describe('ticks', () => {
  test('are round and no more than asked for', () => {
    expect(ticks(265e6, 6)).toEqual([0, 50e6, 100e6, 150e6, 200e6, 250e6]);
    expect(ticks(6, 6)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(ticks(999, 3)).toEqual([0, 500]);
  });
  test('are a single 0 for a trace without length', () => {
    expect(ticks(0, 6)).toEqual([0]);
  });
});
