// One row of the waterfall: the span's place in the tree, and its bar on the time axis.
import { memo } from 'react';
import { Icon } from '@/ui/icons';
import { serviceColor } from '@/ui/service-color';
import type { Row } from '../rows';
import { formatNanoseconds } from '../time';

const MAX_INDENT = 14;

interface Props {
  id: string | undefined;
  row: Row;
  index: number;
  heightPx: number;
  durationNs: number;
  marks: readonly number[];
  state: { selected: boolean; folded: boolean };
  onSelect: (spanId: string) => void;
  onFold: (spanId: string, folded: boolean) => void;
}

export const SpanRow = memo(function SpanRow({ id, row, index, heightPx, state, onSelect, ...rest }: Props) {
  const { span, depth, descendants, orphan } = row;
  const background = state.selected ? 'bg-accent-soft' : 'hover:bg-sunken';
  return (
    <div
      id={id}
      role="row"
      aria-rowindex={index + 1}
      aria-level={depth + 1}
      aria-selected={state.selected}
      aria-expanded={descendants > 0 ? !state.folded : undefined}
      data-span-id={span.id}
      data-service={span.service}
      data-orphan={orphan}
      onClick={() => onSelect(span.id)}
      className={`absolute inset-x-0 flex cursor-pointer flex-col justify-center text-[0.8125rem] sm:flex-row sm:items-center sm:justify-start ${background}`}
      style={{ top: index * heightPx, height: heightPx }}
    >
      <Name row={row} folded={state.folded} onFold={rest.onFold} />
      <Bar row={row} durationNs={rest.durationNs} marks={rest.marks} />
    </div>
  );
});

function Name({ row, folded, onFold }: { row: Row; folded: boolean; onFold: Props['onFold'] }) {
  const { span, depth, descendants, failedDescendants, orphan } = row;
  return (
    <div
      role="gridcell"
      title={`${span.name} · ${span.service}`}
      className="flex min-w-0 shrink-0 items-center gap-1.5 pr-2 pl-2 [--step:0.375rem] sm:h-full sm:w-[var(--name)] sm:[--step:0.875rem]"
    >
      <span
        aria-hidden="true"
        style={{ width: `calc(${Math.min(depth, MAX_INDENT)} * var(--step))` }}
        className="shrink-0"
      />
      {descendants > 0 ? (
        <button
          type="button"
          tabIndex={-1}
          aria-label={folded ? `Unfold ${descendants} spans` : `Fold ${descendants} spans`}
          onClick={(event) => {
            event.stopPropagation();
            onFold(span.id, !folded);
          }}
          className="grid size-4 shrink-0 place-items-center rounded text-ink-faint hover:bg-line hover:text-ink"
        >
          <Icon name="chevron" className={`size-3 transition-transform ${folded ? '' : 'rotate-90'}`} />
        </button>
      ) : (
        <span aria-hidden="true" className="size-4 shrink-0" />
      )}
      <span
        aria-hidden="true"
        className="h-4 w-[3px] shrink-0 rounded-full"
        style={{ background: serviceColor(span.service) }}
      />
      {orphan && <Orphan why={orphan} />}
      <span className="min-w-0 truncate">
        <span className="font-medium">{span.name}</span> <span className="text-ink-faint text-xs">{span.service}</span>
      </span>
      {span.failed && <Failed title={span.statusMessage ?? 'This span failed'} />}
      {folded && (
        <span className="shrink-0 rounded bg-line px-1 font-mono text-[0.6875rem] text-ink-soft">
          +{descendants}
          {failedDescendants > 0 && <span className="text-bad"> {failedDescendants} failed</span>}
        </span>
      )}
    </div>
  );
}

function Orphan({ why }: { why: NonNullable<Row['orphan']> }) {
  const text = why === 'cycle' ? 'Its parents run in a circle' : 'Orphan: its parent is not in this trace';
  return (
    <span role="img" aria-label={text} title={text} className="shrink-0 text-warn">
      <Icon name="warning" className="size-3.5" />
    </span>
  );
}

function Failed({ title }: { title: string }) {
  return (
    <span
      role="img"
      aria-label="Error"
      title={title}
      className="grid size-4 shrink-0 place-items-center rounded-full bg-bad-soft text-bad"
    >
      <Icon name="cross" className="size-3" />
    </span>
  );
}

function Bar({ row: { span }, durationNs, marks }: Pick<Props, 'row' | 'durationNs' | 'marks'>) {
  const percent = (ns: number): number => (durationNs > 0 ? (ns / durationNs) * 100 : 0);
  const left = percent(span.start);
  const width = percent(span.duration);
  // The label stands after the bar while there is room, else before it.
  const after = left + width < 78 || left < 22;
  return (
    <div role="gridcell" className="relative mr-16 ml-3 h-4 flex-1 sm:ml-0 sm:h-full">
      {marks.map((mark) => (
        <span
          key={mark}
          aria-hidden="true"
          className="absolute inset-y-0 hidden w-px bg-line sm:block"
          style={{ left: `${percent(mark)}%` }}
        />
      ))}
      <span
        className="absolute top-1/2 h-3 min-w-[3px] -translate-y-1/2 rounded-[3px]"
        style={{
          left: `${left}%`,
          width: `${width}%`,
          background: serviceColor(span.service),
          boxShadow: span.failed ? '0 0 0 2px var(--panel), 0 0 0 3.5px var(--bad)' : undefined,
        }}
      />
      {span.events.map((event) => (
        <span
          key={`${event.name}${event.at}`}
          title={`${event.name} at ${formatNanoseconds(event.at)}`}
          className="absolute top-1/2 size-1.5 -translate-x-1/2 -translate-y-1/2 rotate-45 border border-panel bg-ink"
          style={{ left: `${Math.min(100, Math.max(0, percent(event.at)))}%` }}
        />
      ))}
      <span
        className="absolute top-1/2 -translate-y-1/2 whitespace-nowrap px-1.5 text-ink-soft text-xs tabular-nums"
        style={after ? { left: `${Math.min(left + width, 100)}%` } : { right: `${100 - left}%` }}
      >
        {formatNanoseconds(span.duration)}
      </span>
    </div>
  );
}
