'use client';
// What the trace page shows when there is no trace to show.
import { useRouter } from 'next/navigation';
import { useEffect, useState } from 'react';
import { Icon } from '@/ui/icons';
import { useRefresh } from './use-refresh';

const RETRY_MS = 1_500;
const GIVE_UP_MS = 60_000;
const DOWN_RETRY_MS = 5_000;

/** The store does not know the trace: read again until it does, or a minute has gone. */
export function NotFoundYet({ traceId }: { traceId: string }) {
  const [waiting, setWaiting] = useState(true);
  useRefresh(waiting, RETRY_MS);
  useEffect(() => {
    if (!waiting) return;
    const timer = setTimeout(() => setWaiting(false), GIVE_UP_MS);
    return () => clearTimeout(timer);
  }, [waiting]);

  if (waiting) {
    return (
      <Message state="waiting" title="Waiting for the trace" id={traceId} busy>
        Spans arrive a second or two after the request has ended. This page reads again by itself.
      </Message>
    );
  }
  return (
    <Message
      state="not-found"
      title="No such trace"
      id={traceId}
      action={{ label: 'Look again', run: () => setWaiting(true) }}
    >
      Nothing has arrived under this id for a minute. It may be mistyped, not sampled, or past its retention.
    </Message>
  );
}

export function BackendDown({ reason }: { reason: string }) {
  const router = useRouter();
  useRefresh(true, DOWN_RETRY_MS);
  return (
    <Message
      state="backend-down"
      title="The trace cannot be read"
      action={{ label: 'Try again', run: () => router.refresh() }}
    >
      {reason} This page tries again every {DOWN_RETRY_MS / 1_000} seconds.
    </Message>
  );
}

export function NotATraceId({ text }: { text: string }) {
  return (
    <Message state="bad-id" title="This is not a trace id" id={text.slice(0, 80)}>
      A trace id has 32 hexadecimal digits.
    </Message>
  );
}

interface MessageProps {
  state: string;
  title: string;
  id?: string;
  busy?: boolean;
  action?: { label: string; run: () => void };
  children: React.ReactNode;
}

function Message({ state, title, id, busy = false, action, children }: MessageProps) {
  return (
    <section
      data-state={state}
      role="status"
      className="mx-auto mt-10 max-w-xl rounded-[0.875rem] border border-line-strong border-dashed px-6 py-14 text-center"
    >
      {busy ? <Pulse /> : <Icon name="warning" className="mx-auto size-7 text-ink-faint" />}
      <h1 className="mt-5 font-semibold text-xl tracking-tight">{title}</h1>
      {id && <p className="mt-2 break-all font-mono text-ink-faint text-xs">{id}</p>}
      <p className="mx-auto mt-3 max-w-md text-pretty text-ink-soft text-sm">{children}</p>
      {action && (
        <button type="button" onClick={action.run} className="button button-primary mt-6">
          {action.label}
        </button>
      )}
    </section>
  );
}

function Pulse() {
  return (
    <div aria-hidden="true" className="mx-auto grid w-40 animate-pulse gap-1.5 motion-reduce:animate-none">
      <span className="h-2 w-full rounded-full bg-line-strong" />
      <span className="ml-[12%] h-2 w-3/4 rounded-full bg-line-strong" />
      <span className="ml-[24%] h-2 w-1/2 rounded-full bg-line-strong" />
    </div>
  );
}
