'use client';
import { Header } from '@/ui/header';

/** A page that failed on the server or while it was drawn. The digest finds the error in the server's log. */
export default function PageError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <>
      <Header />
      <main className="mx-auto max-w-xl px-6 py-24 text-center">
        <h1 className="font-semibold text-2xl tracking-tight">This page failed</h1>
        <p className="mt-3 text-ink-soft">The error has been logged with its trace.</p>
        {error.digest && <p className="mt-2 font-mono text-ink-faint text-xs">{error.digest}</p>}
        <button type="button" onClick={reset} className="button button-primary mt-8">
          Try again
        </button>
      </main>
    </>
  );
}
