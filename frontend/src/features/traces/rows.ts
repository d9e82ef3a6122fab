// Spans → rows of the waterfall. Pure; every step is linear or n log n in the spans (held to 20,000 by the test).
import type { Span, Trace } from './model';

export interface Row {
  span: Span;
  /** 0 for roots. */
  depth: number;
  /** Spans below this one, at any depth. */
  descendants: number;
  /** How many of those failed. */
  failedDescendants: number;
  /** Why this span stands at the top although it names a parent. */
  orphan?: 'parent-missing' | 'cycle';
}

export interface Tree {
  /** All rows, depth first; siblings by start, then id. */
  rows: readonly Row[];
  indexById: ReadonlyMap<string, number>;
}

/**
 * Lays the spans out as a tree. A span whose parent is not in the trace stands at the top, marked; so does the earliest span of a cycle, which
 * opens the cycle there. No span is lost, none is there twice.
 */
export function treeOf(trace: Pick<Trace, 'spans'>): Tree {
  const byId = new Map(trace.spans.map((span) => [span.id, span]));
  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  const orphans = new Map<string, Row['orphan']>();
  for (const span of [...byId.values()].sort(byStart)) {
    if (span.parentId === undefined) {
      roots.push(span);
    } else if (!byId.has(span.parentId)) {
      roots.push(span);
      orphans.set(span.id, 'parent-missing');
    } else {
      const siblings = children.get(span.parentId);
      if (siblings) siblings.push(span);
      else children.set(span.parentId, [span]);
    }
  }

  const rows: Row[] = [];
  const indexById = new Map<string, number>();
  for (const root of roots) append(root);
  // What no root leads to runs in a circle.
  for (const span of [...byId.values()].sort(byStart)) {
    if (indexById.has(span.id)) continue;
    orphans.set(span.id, 'cycle');
    append(span);
  }
  countDescendants(rows);
  return { rows, indexById };

  function append(root: Span): void {
    const open: { span: Span; depth: number }[] = [{ span: root, depth: 0 }];
    for (let next = open.pop(); next; next = open.pop()) {
      const { span, depth } = next;
      if (indexById.has(span.id)) continue;
      indexById.set(span.id, rows.length);
      const orphan = orphans.get(span.id);
      rows.push({ span, depth, descendants: 0, failedDescendants: 0, ...(orphan ? { orphan } : {}) });
      for (const child of (children.get(span.id) ?? []).toReversed()) open.push({ span: child, depth: depth + 1 });
    }
  }
}

function byStart(a: Span, b: Span): number {
  return a.start - b.start || (a.id < b.id ? -1 : 1);
}

/** One pass down to find each row's parent, one pass up to add what is below. */
function countDescendants(rows: Row[]): void {
  const parents: (Row | undefined)[] = [];
  const path: Row[] = [];
  for (const row of rows) {
    path.length = row.depth;
    parents.push(path.at(-1));
    path.push(row);
  }
  for (let index = rows.length - 1; index >= 0; index--) {
    const row = rows[index] as Row;
    const parent = parents[index];
    if (!parent) continue;
    parent.descendants += row.descendants + 1;
    parent.failedDescendants += row.failedDescendants + (row.span.failed ? 1 : 0);
  }
}

/** The rows that are seen when the subtrees of `collapsed` (span ids) are folded away. */
export function visibleRows(tree: Tree, collapsed: ReadonlySet<string>): readonly Row[] {
  if (collapsed.size === 0) return tree.rows;
  const seen: Row[] = [];
  for (let index = 0; index < tree.rows.length; ) {
    const row = tree.rows[index] as Row;
    seen.push(row);
    index += collapsed.has(row.span.id) ? row.descendants + 1 : 1;
  }
  return seen;
}

/** The span ids above a span, nearest first: what must be unfolded for it to be seen. */
export function ancestorsOf(tree: Tree, spanId: string): string[] {
  const index = tree.indexById.get(spanId);
  if (index === undefined) return [];
  const ancestors: string[] = [];
  let depth = tree.rows[index]?.depth ?? 0;
  for (let above = index - 1; above >= 0 && depth > 0; above--) {
    const row = tree.rows[above] as Row;
    if (row.depth < depth) {
      ancestors.push(row.span.id);
      depth = row.depth;
    }
  }
  return ancestors;
}

export interface Summary {
  /** The first root, or what stands in its place. */
  root: Span;
  services: readonly string[];
  failed: number;
  orphans: number;
  /** `tenant.id` of the spans; several in a trace are a fault worth seeing. */
  tenants: readonly string[];
}

/** The trace's head line. `undefined` for a tree without rows. */
export function summaryOf(tree: Tree): Summary | undefined {
  const first = tree.rows.find((row) => row.orphan === undefined) ?? tree.rows[0];
  if (!first) return undefined;
  const services = new Set<string>();
  const tenants = new Set<string>();
  for (const { span } of tree.rows) {
    services.add(span.service);
    const tenant = span.attributes.find(([key]) => key === 'tenant.id')?.[1];
    if (tenant !== undefined) tenants.add(String(tenant));
  }
  return {
    root: first.span,
    services: [...services],
    failed: tree.rows.filter(({ span }) => span.failed).length,
    orphans: tree.rows.filter(({ orphan }) => orphan !== undefined).length,
    tenants: [...tenants],
  };
}

/** Round positions for the time axis: at most `most` steps of 1, 2 or 5 times a power of ten, in ns, the first at 0. */
export function ticks(durationNs: number, most: number): number[] {
  if (durationNs <= 0) return [0];
  const rough = durationNs / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => durationNs / size <= most) ?? durationNs;
  const count = Math.floor(durationNs / step);
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}
