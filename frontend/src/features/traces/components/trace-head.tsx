// The trace in one line of facts, and the traces it is linked with.
import { traceHref } from '@/links';
import { CopyButton } from '@/ui/copy-button';
import { Icon } from '@/ui/icons';
import { serviceColor } from '@/ui/service-color';
import type { Answer, LinkedTrace, Trace } from '../model';
import type { Summary } from '../rows';
import { formatNanoseconds } from '../time';

interface Props {
  trace: Trace;
  summary: Summary;
  linking: Answer<LinkedTrace[]>;
  settling: boolean;
}

export function TraceHead({ trace, summary, linking, settling }: Props) {
  const { root, services, failed, orphans, tenants } = summary;
  return (
    <div>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="min-w-0 break-words font-semibold text-xl tracking-tight">
          <span style={{ color: serviceColor(root.service) }}>{root.service}</span> {root.name}
        </h1>
        {settling && (
          <span className="inline-flex items-center gap-1.5 rounded-md bg-accent-soft px-2 py-0.5 font-medium text-accent text-xs">
            <span
              aria-hidden="true"
              className="size-1.5 animate-pulse rounded-full bg-current motion-reduce:animate-none"
            />
            Still arriving
          </span>
        )}
        {orphans > 0 && (
          <span
            className="inline-flex items-center gap-1.5 rounded-md bg-warn-soft px-2 py-0.5 font-medium text-warn text-xs"
            title="Spans that name a parent which is not in this trace"
          >
            <Icon name="warning" className="size-3.5" />
            {orphans} {orphans === 1 ? 'orphan' : 'orphans'}
          </span>
        )}
      </div>
      <p className="mt-1.5 flex items-center gap-1 text-xs">
        <code className="break-all font-mono text-ink-faint">{trace.id}</code>
        <CopyButton text={trace.id} label="Copy the trace id" />
      </p>
      <dl className="mt-4 flex flex-wrap gap-x-8 gap-y-3">
        <Fact name="Duration" value={formatNanoseconds(trace.duration)} />
        <Fact name="Started" value={`${trace.startedAt.replace('T', ' ').replace('Z', '')} UTC`} />
        <Fact name="Spans" value={trace.spans.length.toLocaleString('en')} />
        <Fact name="Services" value={String(services.length)} />
        <Fact name="Errors" value={String(failed)} tone={failed > 0 ? 'text-bad' : ''} />
        {tenants.length > 0 && <Fact name="Tenant" value={tenants.join(', ')} />}
      </dl>
      <LinkedTraces trace={trace} linking={linking} />
    </div>
  );
}

function Fact({ name, value, tone = '' }: { name: string; value: string; tone?: string }) {
  return (
    <div>
      <dt className="text-ink-faint text-xs">{name}</dt>
      <dd className={`mt-0.5 font-medium text-sm tabular-nums ${tone}`}>{value}</dd>
    </div>
  );
}

function LinkedTraces({ trace, linking }: { trace: Trace; linking: Answer<LinkedTrace[]> }) {
  const linked = [...outgoing(trace), ...(linking.ok ? linking.value : [])];
  if (linked.length === 0 && linking.ok) return null;
  return (
    <section aria-label="Linked traces" className="mt-4 flex flex-wrap items-center gap-2 text-sm">
      <span className="text-ink-faint text-xs">Linked traces</span>
      {linked.map(({ traceId, direction, title }) => (
        <a
          key={direction + traceId}
          href={traceHref(traceId)}
          data-linked-trace={traceId}
          data-direction={direction}
          className="button !py-1"
          title={direction === 'from' ? 'A span there links to this trace' : 'A span here links to that trace'}
        >
          <Icon name="link" className="size-3.5 text-ink-faint" />
          {title}
        </a>
      ))}
      {!linking.ok && <span className="text-ink-faint text-xs">Traces that link here could not be searched.</span>}
    </section>
  );
}

function outgoing(trace: Trace): LinkedTrace[] {
  const found = new Map<string, LinkedTrace>();
  for (const span of trace.spans) {
    for (const { traceId } of span.links) {
      if (traceId === trace.id || found.has(traceId)) continue;
      found.set(traceId, { traceId, direction: 'to', title: `${span.name} → ${traceId.slice(0, 8)}` });
    }
  }
  return [...found.values()];
}
