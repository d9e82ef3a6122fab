// One result: what was clicked, how it went, how long it took, and the way to its trace.
import { traceHref } from '@/links';
import { CopyButton } from '@/ui/copy-button';
import { formatMilliseconds } from '@/ui/format';
import { Icon } from '@/ui/icons';
import { isRunAnswer, type ProblemBody } from '../actions';
import type { RunAnswer } from '../model';
import type { Result } from './activity';

type Status = 'pending' | 'ok' | 'error';

export function ResultCard({ result, slowestMs }: { result: Result; slowestMs: number }) {
  const { action, done, tenant } = result;
  const status = statusOf(result);
  return (
    <li
      className="panel overflow-hidden"
      data-action={action.id}
      data-status={status}
      data-trace-id={done?.traceId}
      data-http-status={done && 'value' in done.outcome ? done.outcome.value.status : undefined}
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 pt-3.5">
        <StatusPill status={status} text={statusText(result)} />
        <span className="font-medium text-sm">{action.label}</span>
        <span className="text-ink-faint text-xs">{tenant}</span>
        {done && <span className="ml-auto font-mono text-sm tabular-nums">{formatMilliseconds(done.durationMs)}</span>}
      </div>
      <div className="px-4 pt-2 pb-3.5 text-sm">
        <Outcome result={result} />
      </div>
      <LatencyBar status={status} share={done ? done.durationMs / slowestMs : 0} />
      {done && (
        <div className="flex items-center gap-1 bg-sunken px-4 py-2 text-xs">
          <span className="text-ink-faint">Trace</span>
          <code className="ml-1 min-w-0 truncate font-mono text-ink-soft">{done.traceId}</code>
          <CopyButton text={done.traceId} label="Copy the trace id" />
          <a
            href={traceHref(done.traceId)}
            className="ml-auto inline-flex shrink-0 items-center gap-1.5 rounded font-semibold text-accent hover:underline"
          >
            Open trace
            <Icon name="arrow" className="size-3.5" />
          </a>
        </div>
      )}
    </li>
  );
}

function statusOf({ done }: Result): Status {
  if (!done) return 'pending';
  return 'value' in done.outcome && !done.outcome.value.failed ? 'ok' : 'error';
}

function statusText({ done }: Result): string {
  if (!done) return 'Running';
  return 'value' in done.outcome ? String(done.outcome.value.status) : done.outcome.error.name;
}

const PILL: Record<Status, string> = {
  pending: 'bg-accent-soft text-accent',
  ok: 'bg-good-soft text-good',
  error: 'bg-bad-soft text-bad',
};

function StatusPill({ status, text }: { status: Status; text: string }) {
  return (
    <span className={`inline-flex items-center gap-1.5 rounded-md px-2 py-0.5 font-semibold text-xs ${PILL[status]}`}>
      {status === 'pending' ? (
        <span
          aria-hidden="true"
          className="size-1.5 animate-pulse motion-reduce:animate-none rounded-full bg-current"
        />
      ) : (
        <Icon name={status === 'ok' ? 'check' : 'cross'} className="size-3" />
      )}
      {text}
    </span>
  );
}

/** How long this took, against the slowest on the page. */
function LatencyBar({ status, share }: { status: Status; share: number }) {
  const color = status === 'error' ? 'bg-bad' : 'bg-accent';
  return (
    <div aria-hidden="true" className="h-0.5 bg-line">
      {status === 'pending' ? (
        <div className="h-full w-1/3 animate-pulse motion-reduce:animate-none bg-accent" />
      ) : (
        <div className={`h-full ${color}`} style={{ width: `${Math.max(1, share * 100)}%` }} />
      )}
    </div>
  );
}

function Outcome({ result: { done } }: { result: Result }) {
  if (!done) return <p className="text-ink-soft">Waiting for the answer…</p>;
  if ('error' in done.outcome) return <p className="text-bad">{done.outcome.error.message}</p>;
  const { body, failed } = done.outcome.value;
  if (failed) return <Failure problem={body as ProblemBody} />;
  if (isRunAnswer(body)) return <Answer run={body} />;
  return <DataAnswer body={body as { count?: number; service?: string }} />;
}

function Failure({ problem }: { problem: ProblemBody }) {
  return (
    <>
      <p className="text-bad">{problem.detail ?? problem.title ?? 'The service answered with an error.'}</p>
      {problem.errors && (
        <ul className="mt-1 list-disc pl-5 text-ink-soft">
          {problem.errors.map(({ field, message }) => (
            <li key={field}>
              <code className="font-mono">{field}</code> {message}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Answer({ run }: { run: RunAnswer }) {
  return (
    <>
      <p className="whitespace-pre-line text-pretty leading-6">{run.answer}</p>
      {run.sources.length > 0 && (
        <ul aria-label="Sources" className="mt-3 grid gap-1">
          {run.sources.map(({ id, title, score }) => (
            <li key={id} className="flex items-baseline gap-3 text-xs">
              <span className="min-w-0 truncate">{title}</span>
              <span aria-hidden="true" className="min-w-4 flex-1 border-line-strong border-b border-dotted" />
              <span className="font-mono text-ink-faint tabular-nums">{score.toFixed(2)}</span>
            </li>
          ))}
        </ul>
      )}
      <dl className="mt-3 flex flex-wrap gap-x-5 gap-y-1 text-ink-faint text-xs">
        <Figure name="Tokens in" value={run.tokens.input.toLocaleString('en')} />
        <Figure name="Tokens out" value={run.tokens.output.toLocaleString('en')} />
        <Figure name="Cost" value={`$${run.cost_usd.toFixed(4)}`} />
      </dl>
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div className="flex gap-1.5">
      <dt>{name}</dt>
      <dd className="font-mono text-ink-soft tabular-nums">{value}</dd>
    </div>
  );
}

function DataAnswer({ body }: { body: { count?: number; service?: string } }) {
  const count = typeof body?.count === 'number' ? body.count : 0;
  return (
    <p className="text-ink-soft">
      {count} {count === 1 ? 'row' : 'rows'} from the database.
    </p>
  );
}
