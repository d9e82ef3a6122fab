import { Header } from '@/ui/header';

export default function Loading() {
  return (
    <>
      <Header wide />
      <main
        aria-busy="true"
        className="mx-auto max-w-[110rem] animate-pulse px-4 py-6 motion-reduce:animate-none sm:px-6"
      >
        <p className="sr-only">Reading the trace</p>
        <div className="h-7 w-72 max-w-full rounded bg-line" />
        <div className="mt-6 h-96 rounded-[0.875rem] bg-line opacity-60" />
      </main>
    </>
  );
}
