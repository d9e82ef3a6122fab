'use client';
// The waterfall: one row per span, drawn only where it is looked at, so that its size does not matter.
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import type { Trace } from '../model';
import { type Row, type Tree, ticks, visibleRows } from '../rows';
import { formatNanoseconds } from '../time';
import { KEYS, type Key, keyOf } from './keys';
import { SpanRow } from './span-row';

type Size = 'wide' | 'narrow';
const ROW_PX: Record<Size, number> = { wide: 32, narrow: 46 };
/** Rows drawn beyond both edges. A trace of some 60 spans is thus in the document whole, for the browser's own search. */
const OVERSCAN = 40;
const FIRST_VIEW_PX = 800;
const NARROW = '(width < 40rem)';
const TICKS: Record<Size, number> = { wide: 6, narrow: 3 };

interface Props {
  trace: Trace;
  tree: Tree;
  collapsed: ReadonlySet<string>;
  onCollapsed: (collapsed: ReadonlySet<string>) => void;
  selectedId: string | undefined;
  onSelect: (spanId: string | undefined) => void;
}

export function Waterfall({ trace, tree, collapsed, onCollapsed, selectedId, onSelect }: Props) {
  const size = useSyncExternalStore<Size>(
    watchNarrow,
    () => (matchMedia(NARROW).matches ? 'narrow' : 'wide'),
    () => 'wide',
  );
  const rowPx = ROW_PX[size];
  const rows = useMemo(() => visibleRows(tree, collapsed), [tree, collapsed]);
  const selectedIndex = useMemo(() => rows.findIndex(({ span }) => span.id === selectedId), [rows, selectedId]);
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: FIRST_VIEW_PX });
  const marks = useMemo(() => ticks(trace.duration, TICKS[size]), [trace.duration, size]);

  useEffect(() => {
    const element = scroller.current;
    if (!element || selectedIndex < 0) return;
    const top = selectedIndex * rowPx;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowPx > element.scrollTop + element.clientHeight)
      element.scrollTop = top + rowPx - element.clientHeight;
  }, [selectedIndex, rowPx]);

  const fold = (spanId: string, folded: boolean): void => {
    const next = new Set(collapsed);
    if (folded) next.add(spanId);
    else next.delete(spanId);
    onCollapsed(next);
  };
  const act = (key: Key): void => {
    const row = rows[selectedIndex];
    const isFolded = row !== undefined && collapsed.has(row.span.id);
    const go = (index: number): void => onSelect(rows[Math.max(0, Math.min(rows.length - 1, index))]?.span.id);
    if (key === 'ArrowDown') go(selectedIndex + 1);
    if (key === 'ArrowUp') go(selectedIndex < 0 ? rows.length - 1 : selectedIndex - 1);
    if (key === 'Home') go(0);
    if (key === 'End') go(rows.length - 1);
    if (key === 'Escape') onSelect(undefined);
    if (key === 'ArrowRight' && row && row.descendants > 0) isFolded ? fold(row.span.id, false) : go(selectedIndex + 1);
    if (key === 'ArrowLeft' && row) {
      if (row.descendants > 0 && !isFolded) fold(row.span.id, true);
      else if (row.span.parentId && tree.indexById.has(row.span.parentId)) onSelect(row.span.parentId);
    }
  };

  const first = Math.max(0, Math.floor(view.top / rowPx) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / rowPx) + OVERSCAN);
  return (
    <section
      aria-label="Waterfall"
      className="panel min-w-0 overflow-hidden [--name:38%] has-[[role=treegrid]:focus-visible]:ring-2 has-[[role=treegrid]:focus-visible]:ring-accent"
    >
      <Axis marks={marks} durationNs={trace.duration}>
        <FoldAll tree={tree} onCollapsed={onCollapsed} />
      </Axis>
      <div
        ref={scroller}
        role="treegrid"
        aria-label="Spans"
        aria-rowcount={rows.length}
        aria-activedescendant={selectedIndex < 0 ? undefined : rowId(rows[selectedIndex])}
        aria-describedby="waterfall-keys"
        tabIndex={0}
        onKeyDown={(event) => {
          const key = keyOf(event);
          if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
          event.preventDefault();
          act(key);
        }}
        onScroll={({ currentTarget }) => setView({ top: currentTarget.scrollTop, height: currentTarget.clientHeight })}
        className="max-h-[max(24rem,calc(100dvh-19rem))] overflow-y-auto overscroll-contain focus-visible:outline-none"
      >
        <div className="relative" style={{ height: rows.length * rowPx }}>
          {rows.slice(first, last).map((row, offset) => (
            <SpanRow
              key={row.span.id}
              id={rowId(row)}
              row={row}
              index={first + offset}
              heightPx={rowPx}
              durationNs={trace.duration}
              marks={marks}
              state={{ selected: row.span.id === selectedId, folded: collapsed.has(row.span.id) }}
              onSelect={onSelect}
              onFold={fold}
            />
          ))}
        </div>
      </div>
      <p
        id="waterfall-keys"
        className="hidden flex-wrap gap-x-5 gap-y-1 border-line border-t px-4 py-2 text-ink-faint text-xs sm:flex"
      >
        {KEYS.map(({ shown, does }) => (
          <span key={shown}>
            <kbd className="font-mono">{shown}</kbd> {does}
          </span>
        ))}
      </p>
    </section>
  );
}

function Axis({ marks, durationNs, children }: { marks: number[]; durationNs: number; children: React.ReactNode }) {
  return (
    <div className="flex flex-col border-line border-b bg-sunken text-xs sm:h-9 sm:flex-row">
      <div className="flex h-9 shrink-0 items-center justify-between gap-2 px-3 sm:h-full sm:w-[var(--name)]">
        <span className="font-medium text-ink-soft">Span</span>
        {children}
      </div>
      <div aria-hidden="true" className="relative mr-16 ml-3 h-6 text-ink-faint sm:ml-0 sm:h-full sm:flex-1">
        {marks.map((mark) => (
          <span
            key={mark}
            className="absolute top-0 flex h-full items-center whitespace-nowrap border-line-strong border-l pl-1.5 tabular-nums"
            style={{ left: `${share(mark, durationNs)}%` }}
          >
            {formatNanoseconds(mark)}
          </span>
        ))}
      </div>
    </div>
  );
}

function FoldAll({ tree, onCollapsed }: Pick<Props, 'tree' | 'onCollapsed'>) {
  const foldable = tree.rows.filter(({ descendants }) => descendants > 0).map(({ span }) => span.id);
  if (foldable.length === 0) return null;
  return (
    <span className="flex gap-1">
      <button
        type="button"
        className="rounded px-1.5 py-0.5 text-ink-soft hover:bg-line"
        onClick={() => onCollapsed(new Set(foldable))}
      >
        Fold all
      </button>
      <button
        type="button"
        className="rounded px-1.5 py-0.5 text-ink-soft hover:bg-line"
        onClick={() => onCollapsed(new Set())}
      >
        Unfold
      </button>
    </span>
  );
}

function share(ns: number, durationNs: number): number {
  return durationNs > 0 ? (ns / durationNs) * 100 : 0;
}

function rowId(row: Row | undefined): string | undefined {
  return row && `span-${row.span.id}`;
}

function watchNarrow(changed: () => void): () => void {
  const query = matchMedia(NARROW);
  query.addEventListener('change', changed);
  return () => query.removeEventListener('change', changed);
}
