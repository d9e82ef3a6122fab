'use client';
// The start page: what can be clicked on the left, what came of it on the right.
import { useCallback, useState } from 'react';
import type { ActionResult } from '@/browser/action';
import {
  type Action,
  callService,
  type Reply,
  RUN_AGENT,
  runAgent,
  serviceAction,
  THROW,
  throwInBrowser,
} from '../actions';
import { AGENTS, EXAMPLE_QUESTIONS, TENANTS } from '../catalog';
import type { RunRequest } from '../model';
import { Activity, type Result } from './activity';
import { Composer } from './composer';
import { PathStrip } from './path-strip';
import { Services } from './services';

const KEPT_RESULTS = 50;

export function Playground() {
  const [request, setRequest] = useState<RunRequest>({
    tenant: TENANTS[0].id,
    agent: AGENTS[0].id,
    question: EXAMPLE_QUESTIONS[0],
  });
  const [results, setResults] = useState<Result[]>([]);

  const perform = useCallback((action: Action, tenant: string, start: () => Promise<ActionResult<Reply>>) => {
    const pending: Result = { key: nextKey++, action, tenant };
    setResults((before) => [pending, ...before].slice(0, KEPT_RESULTS));
    start().then((done) =>
      setResults((before) => before.map((result) => (result.key === pending.key ? { ...pending, done } : result))),
    );
  }, []);

  const { tenant } = request;
  const running = results.some(({ action, done }) => action === RUN_AGENT && !done);
  return (
    <main className="mx-auto max-w-[88rem] px-4 py-8 sm:px-6 lg:py-10">
      <div className="max-w-3xl">
        <h1 className="text-balance font-semibold text-2xl tracking-tight sm:text-3xl">
          Ask an agent, then follow the request
        </h1>
        <p className="mt-2 text-pretty text-ink-soft">
          Each click is one trace, from this page to the last service. Open it to see every span, with its logs beside
          it.
        </p>
      </div>
      <PathStrip />
      <div className="mt-8 grid items-start gap-6 lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
        <div className="grid gap-6">
          <Composer
            request={request}
            onChange={setRequest}
            running={running}
            onRun={() => perform(RUN_AGENT, tenant, () => runAgent(request))}
          />
          <Services
            onCall={(service, what) =>
              perform(serviceAction(service, what), tenant, () => callService(service, what, tenant))
            }
            onThrow={() => perform(THROW, tenant, () => throwInBrowser(tenant))}
          />
        </div>
        <Activity results={results} onClear={() => setResults([])} />
      </div>
    </main>
  );
}

let nextKey = 1;
