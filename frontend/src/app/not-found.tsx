import type { Metadata } from 'next';
import { Header } from '@/ui/header';

export const metadata: Metadata = { title: 'Not found' };

export default function NotFound() {
  return (
    <>
      <Header />
      <main className="mx-auto max-w-xl px-6 py-24 text-center">
        <p className="font-mono text-ink-faint text-sm">404</p>
        <h1 className="mt-2 font-semibold text-2xl tracking-tight">There is nothing at this address</h1>
        <p className="mt-3 text-ink-soft">The link may be old, or mistyped.</p>
        <a href="/" className="button button-primary mt-8">
          Go to the start page
        </a>
      </main>
    </>
  );
}
