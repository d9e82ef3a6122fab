// The results, newest first.
import { useEffect, useRef } from 'react';
import type { ActionResult } from '@/browser/action';
import type { Action, Reply } from '../actions';
import { ResultCard } from './result-card';

export interface Result {
  key: number;
  action: Action;
  tenant: string;
  /** Absent while the action is under way. */
  done?: ActionResult<Reply>;
}

export function Activity({ results, onClear }: { results: Result[]; onClear: () => void }) {
  const top = useRef<HTMLElement>(null);
  const newest = results[0]?.key;
  useEffect(() => {
    // In one column the results are below the fold of the button that made them.
    if (newest !== undefined && matchMedia('(width < 64rem)').matches) top.current?.scrollIntoView({ block: 'start' });
  }, [newest]);
  const slowestMs = Math.max(1, ...results.map(({ done }) => done?.durationMs ?? 0));
  return (
    <section ref={top} aria-labelledby="activity-title" className="min-w-0">
      <div className="mb-3 flex h-8 items-center justify-between gap-4">
        <h2 id="activity-title" className="font-semibold">
          Activity
        </h2>
        {results.length > 0 && (
          <button type="button" onClick={onClear} className="button !border-transparent !bg-transparent text-ink-soft">
            Clear
          </button>
        )}
      </div>
      {results.length === 0 ? (
        <Empty />
      ) : (
        <ol aria-live="polite" className="grid gap-3">
          {results.map((result) => (
            <ResultCard key={result.key} result={result} slowestMs={slowestMs} />
          ))}
        </ol>
      )}
    </section>
  );
}

const SKETCH = [
  { start: 0, width: 100, service: 'frontend-web' },
  { start: 6, width: 90, service: 'frontend' },
  { start: 12, width: 80, service: 'go-service' },
  { start: 18, width: 66, service: 'python-service' },
  { start: 30, width: 18, service: 'rust-service' },
  { start: 52, width: 28, service: 'python-service' },
] as const;

function Empty() {
  return (
    <div className="rounded-[0.875rem] border border-line-strong border-dashed px-6 py-12">
      <div aria-hidden="true" className="mx-auto grid max-w-xs gap-2 opacity-70">
        {SKETCH.map(({ start, width, service }) => (
          <span
            key={`${service}${start}`}
            className="h-2 rounded-full"
            style={{ marginLeft: `${start}%`, width: `${width}%`, background: `var(--svc-${service})` }}
          />
        ))}
      </div>
      <p className="mt-8 text-center font-medium">Nothing has run yet</p>
      <p className="mx-auto mt-1 max-w-sm text-pretty text-center text-ink-soft text-sm">
        Ask a question, or call a service. Its answer, its latency and a link to its trace appear here.
      </p>
    </div>
  );
}
