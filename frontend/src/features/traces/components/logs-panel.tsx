'use client';
// The trace's logs: all of them, or those of the chosen span. Clicking one marks its span in the waterfall.
import { useState } from 'react';
import { Icon } from '@/ui/icons';
import { serviceColor } from '@/ui/service-color';
import type { Answer, LogLine, Logs } from '../model';
import type { Tree } from '../rows';
import { formatNanoseconds } from '../time';
import { AttributeTable } from './attribute-table';
import type { LogScope } from './trace-view';

interface Props {
  logs: Answer<Logs>;
  tree: Tree;
  selectedId: string | undefined;
  scope: LogScope;
  onScope: (scope: LogScope) => void;
  onSelectSpan: (spanId: string) => void;
}

export function LogsPanel({ logs, tree, selectedId, scope, onScope, onSelectSpan }: Props) {
  const [openKey, setOpenKey] = useState<number>();
  const all = logs.ok ? logs.value.lines : [];
  const ofSpan = all.filter(({ spanId }) => spanId !== undefined && spanId === selectedId);
  const shown = scope === 'span' ? ofSpan : all;
  return (
    <section aria-label="Logs" className="panel min-w-0 overflow-hidden">
      <div className="flex items-center justify-between gap-3 border-line border-b px-4 py-2.5">
        <h2 className="font-semibold text-sm">Logs</h2>
        {selectedId ? (
          <div className="flex rounded-md border border-line bg-sunken p-0.5 text-xs">
            <ScopeButton
              label={`This span ${ofSpan.length}`}
              pressed={scope === 'span'}
              onClick={() => onScope('span')}
            />
            <ScopeButton label={`Trace ${all.length}`} pressed={scope === 'trace'} onClick={() => onScope('trace')} />
          </div>
        ) : (
          logs.ok && <span className="text-ink-faint text-xs">{countText(logs.value)}</span>
        )}
      </div>
      {!logs.ok && <Note>{logs.reason} The spans are complete without it; this page tries again by itself.</Note>}
      {logs.ok && shown.length === 0 && (
        <Note>{scope === 'span' ? 'This span has logged nothing.' : 'No log names this trace yet.'}</Note>
      )}
      <ol className="max-h-[36rem] overflow-y-auto overscroll-contain">
        {shown.map((line) => (
          <Line
            key={line.key}
            line={line}
            open={openKey === line.key}
            marked={line.spanId !== undefined && line.spanId === selectedId}
            hasSpan={line.spanId !== undefined && tree.indexById.has(line.spanId)}
            onToggle={() => {
              setOpenKey(openKey === line.key ? undefined : line.key);
              if (line.spanId && tree.indexById.has(line.spanId)) onSelectSpan(line.spanId);
            }}
          />
        ))}
      </ol>
    </section>
  );
}

function countText({ lines, total }: Logs): string {
  return total > lines.length ? `the first ${lines.length} of ${total}` : String(total);
}

function ScopeButton({ label, pressed, onClick }: { label: string; pressed: boolean; onClick: () => void }) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      onClick={onClick}
      className={`rounded px-2 py-0.5 tabular-nums ${pressed ? 'bg-panel font-medium shadow-panel ring-1 ring-line-strong' : 'text-ink-soft'}`}
    >
      {label}
    </button>
  );
}

function Note({ children }: { children: React.ReactNode }) {
  return <p className="px-4 py-8 text-center text-ink-soft text-sm">{children}</p>;
}

interface LineProps {
  line: LogLine;
  open: boolean;
  marked: boolean;
  hasSpan: boolean;
  onToggle: () => void;
}

function Line({ line, open, marked, hasSpan, onToggle }: LineProps) {
  return (
    <li className="border-line border-b last:border-b-0" data-log-span={line.spanId} data-level={line.level}>
      <button
        type="button"
        aria-expanded={open}
        onClick={onToggle}
        className={`flex w-full items-start gap-2.5 px-4 py-2 text-left text-[0.8125rem] -outline-offset-2 ${marked ? 'bg-accent-soft' : 'hover:bg-sunken'}`}
      >
        <span
          aria-hidden="true"
          className="mt-1.5 size-2 shrink-0 rounded-full"
          style={{ background: serviceColor(line.service) }}
        />
        <span className="min-w-0 flex-1">
          <span className={`block break-words ${open ? '' : 'line-clamp-2'}`}>{line.message || 'no message'}</span>
          <span className="mt-0.5 flex flex-wrap items-center gap-x-2 text-ink-faint text-xs">
            <Level level={line.level} />
            {line.service}
            {!hasSpan && (
              <span className="inline-flex items-center gap-1 text-warn">
                <Icon name="warning" className="size-3" />
                {line.spanId ? 'span not in this trace' : 'names no span'}
              </span>
            )}
            <span className="ml-auto tabular-nums">{formatNanoseconds(line.at)}</span>
          </span>
        </span>
      </button>
      {open && line.attributes.length > 0 && (
        <div className="px-4 pb-3">
          <AttributeTable attributes={line.attributes} />
        </div>
      )}
    </li>
  );
}

const TONES: Record<string, string> = {
  ERROR: 'bg-bad-soft text-bad',
  FATAL: 'bg-bad-soft text-bad',
  WARN: 'bg-warn-soft text-warn',
  WARNING: 'bg-warn-soft text-warn',
};

function Level({ level }: { level: string }) {
  return (
    <span
      className={`rounded px-1 font-mono font-semibold text-[0.6875rem] ${TONES[level] ?? 'bg-line text-ink-soft'}`}
    >
      {level}
    </span>
  );
}
