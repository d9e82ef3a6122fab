'use client';
// The trace page: head line, waterfall, and beside it the chosen span and the logs. Holds what the parts share: the chosen span, and what is folded.
import { useCallback, useMemo, useState } from 'react';
import { traceHref } from '@/links';
import type { Answer, LinkedTrace, Logs, Trace } from '../model';
import { ancestorsOf, summaryOf, treeOf } from '../rows';
import { isSettling, REFRESH_MS } from '../settling';
import { LogsPanel } from './logs-panel';
import { SpanDetails } from './span-details';
import { TraceHead } from './trace-head';
import { useRefresh } from './use-refresh';
import { Waterfall } from './waterfall';

interface Props {
  trace: Trace;
  logs: Answer<Logs>;
  linking: Answer<LinkedTrace[]>;
  /** When the server read all this. */
  readAtMs: number;
  initialSpanId: string | undefined;
}

export type LogScope = 'span' | 'trace';

export function TraceView({ trace, logs, linking, readAtMs, initialSpanId }: Props) {
  const tree = useMemo(() => treeOf(trace), [trace]);
  const summary = useMemo(() => summaryOf(tree), [tree]);
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [selectedId, setSelectedId] = useState(initialSpanId);
  const [logScope, setLogScope] = useState<LogScope>(initialSpanId ? 'span' : 'trace');
  const settling = isSettling(trace, summary?.orphans ?? 0, readAtMs);
  useRefresh(settling || !logs.ok, REFRESH_MS);

  const select = useCallback(
    (spanId: string | undefined, scope: LogScope | undefined) => {
      setSelectedId(spanId);
      if (scope) setLogScope(scope);
      if (spanId) setCollapsed((before) => without(before, ancestorsOf(tree, spanId)));
      history.replaceState(history.state, '', traceHref(trace.id, spanId));
    },
    [tree, trace.id],
  );

  const selectedIndex = selectedId === undefined ? undefined : tree.indexById.get(selectedId);
  const selected = selectedIndex === undefined ? undefined : tree.rows[selectedIndex];
  if (!summary) return null;
  return (
    <div data-trace-id={trace.id} data-settling={settling}>
      <TraceHead trace={trace} summary={summary} linking={linking} settling={settling} />
      <div className="mt-5 grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_28rem]">
        <Waterfall
          trace={trace}
          tree={tree}
          collapsed={collapsed}
          onCollapsed={setCollapsed}
          selectedId={selected?.span.id}
          onSelect={(spanId) => select(spanId, spanId ? 'span' : 'trace')}
        />
        <div className="grid min-w-0 gap-5">
          {selected && <SpanDetails row={selected} trace={trace} onClose={() => select(undefined, 'trace')} />}
          <LogsPanel
            logs={logs}
            tree={tree}
            selectedId={selected?.span.id}
            scope={selected ? logScope : 'trace'}
            onScope={setLogScope}
            onSelectSpan={(spanId) => select(spanId, undefined)}
          />
        </div>
      </div>
    </div>
  );
}

function without(set: ReadonlySet<string>, ids: readonly string[]): ReadonlySet<string> {
  if (!ids.some((id) => set.has(id))) return set;
  const gone = new Set(ids);
  return new Set([...set].filter((id) => !gone.has(id)));
}
