import type { Metadata } from 'next';
import { fetchLinking, fetchLogs, fetchTrace } from '@/features/traces/api';
import { BackendDown, NotATraceId, NotFoundYet } from '@/features/traces/components/states';
import { TraceView } from '@/features/traces/components/trace-view';
import { parseSpanId, parseTraceId } from '@/links';
import { Header } from '@/ui/header';

type Props = PageProps<'/traces/[traceId]'>;

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { traceId } = await params;
  return { title: `Trace ${traceId.slice(0, 8)}` };
}

export default async function TracePage({ params, searchParams }: Props) {
  const [{ traceId: typed }, { span }] = await Promise.all([params, searchParams]);
  return (
    <>
      <Header wide />
      <main className="mx-auto max-w-[110rem] px-4 py-6 sm:px-6">
        <TraceContent typed={typed} spanId={parseSpanId(span)} />
      </main>
    </>
  );
}

async function TraceContent({ typed, spanId }: { typed: string; spanId: string | undefined }) {
  const traceId = parseTraceId(typed);
  if (!traceId) return <NotATraceId text={decodeURIComponent(typed)} />;
  const answer = await fetchTrace(traceId);
  if (!answer.ok) return <BackendDown reason={answer.reason} />;
  const trace = answer.value;
  if (!trace) return <NotFoundYet traceId={traceId} />;
  const [logs, linking] = await Promise.all([fetchLogs(traceId, trace.startNs), fetchLinking(trace)]);
  return <TraceView trace={trace} logs={logs} linking={linking} readAtMs={Date.now()} initialSpanId={spanId} />;
}
