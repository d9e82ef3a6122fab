// Everything about the chosen span.
import { traceHref } from '@/links';
import { CopyButton } from '@/ui/copy-button';
import { Icon } from '@/ui/icons';
import { serviceColor } from '@/ui/service-color';
import type { SpanEvent, SpanLink, Trace } from '../model';
import type { Row } from '../rows';
import { formatNanoseconds } from '../time';
import { AttributeTable } from './attribute-table';

export function SpanDetails({ row, trace, onClose }: { row: Row; trace: Trace; onClose: () => void }) {
  const { span, orphan } = row;
  return (
    <section aria-label="Span details" data-span-details={span.id} className="panel min-w-0 overflow-hidden">
      <div className="flex items-start gap-3 px-4 pt-4">
        <span
          aria-hidden="true"
          className="mt-1 h-9 w-1 shrink-0 rounded-full"
          style={{ background: serviceColor(span.service) }}
        />
        <div className="min-w-0 flex-1">
          <h2 className="break-words font-semibold leading-snug">{span.name}</h2>
          <p className="text-ink-soft text-sm">
            {span.service} · {span.kind}
          </p>
        </div>
        <button type="button" aria-label="Close the span's details" onClick={onClose} className="button size-8 !p-0">
          <Icon name="cross" />
        </button>
      </div>
      <dl className="flex flex-wrap gap-x-6 gap-y-2 px-4 pt-3 pb-4 text-sm">
        <Fact name="Starts at" value={formatNanoseconds(span.start)} />
        <Fact name="Takes" value={formatNanoseconds(span.duration)} />
        <Fact name="Status" value={span.failed ? 'Error' : 'OK'} tone={span.failed ? 'text-bad' : ''} />
      </dl>
      {span.statusMessage && (
        <p className="mx-4 mb-4 rounded-lg bg-bad-soft px-3 py-2 text-bad text-sm">{span.statusMessage}</p>
      )}
      {orphan && (
        <p className="mx-4 mb-4 rounded-lg bg-warn-soft px-3 py-2 text-sm text-warn">
          {orphan === 'cycle' ? 'Its parents run in a circle.' : 'Its parent is not in this trace: '}
          {orphan === 'parent-missing' && <code className="font-mono">{span.parentId}</code>}
        </p>
      )}
      <Section title="Attributes" count={span.attributes.length} open>
        <AttributeTable attributes={span.attributes} />
      </Section>
      <Section title="Events" count={span.events.length} open>
        {span.events.map((event) => (
          <Event key={`${event.name}${event.at}`} event={event} />
        ))}
      </Section>
      <Section title="Links" count={span.links.length} open>
        {span.links.map((link) => (
          <Link key={link.traceId + link.spanId} link={link} traceId={trace.id} />
        ))}
      </Section>
      <Section title="Resource" count={span.resource.length}>
        <AttributeTable attributes={span.resource} />
      </Section>
      <div className="flex flex-wrap items-center gap-x-1 border-line border-t bg-sunken px-4 py-2 text-ink-faint text-xs">
        Span <code className="ml-1 font-mono">{span.id}</code>
        <CopyButton text={span.id} label="Copy the span id" />
        {span.scope && <span className="ml-auto truncate font-mono">{span.scope}</span>}
      </div>
    </section>
  );
}

function Fact({ name, value, tone = '' }: { name: string; value: string; tone?: string }) {
  return (
    <div className="flex gap-1.5">
      <dt className="text-ink-faint">{name}</dt>
      <dd className={`font-medium tabular-nums ${tone}`}>{value}</dd>
    </div>
  );
}

interface SectionProps {
  title: string;
  count: number;
  open?: boolean;
  children: React.ReactNode;
}

/** Left out when it has nothing in it. */
function Section({ title, count, open = false, children }: SectionProps) {
  if (count === 0) return null;
  return (
    <details open={open} className="group border-line border-t">
      <summary className="flex list-none items-center gap-2 px-4 py-2.5 font-medium text-sm hover:bg-sunken">
        <Icon name="chevron" className="size-3 text-ink-faint transition-transform group-open:rotate-90" />
        {title} <span className="font-normal text-ink-faint">{count}</span>
      </summary>
      <div className="px-4 pb-3.5">{children}</div>
    </details>
  );
}

function Event({ event }: { event: SpanEvent }) {
  return (
    <div className="mb-3 last:mb-0">
      <p className="mb-1 flex justify-between gap-3 text-sm">
        <span className="font-medium">{event.name}</span>
        <span className="text-ink-faint text-xs tabular-nums">{formatNanoseconds(event.at)}</span>
      </p>
      <AttributeTable attributes={event.attributes} />
    </div>
  );
}

function Link({ link, traceId }: { link: SpanLink; traceId: string }) {
  return (
    <div className="mb-2 last:mb-0">
      <a href={traceHref(link.traceId, link.spanId)} className="font-medium text-accent text-sm hover:underline">
        {link.traceId === traceId ? 'A span of this trace' : 'A span of another trace'}
      </a>
      <p className="break-all font-mono text-ink-faint text-xs">
        {link.traceId} / {link.spanId}
      </p>
      <AttributeTable attributes={link.attributes} />
    </div>
  );
}
