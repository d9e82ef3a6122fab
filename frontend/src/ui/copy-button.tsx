'use client';
import { useEffect, useState } from 'react';
import { Icon } from './icons';

const SHOWN_MS = 1_500;

/** Copies `text`; says for a moment that it did, or that it could not (no permission, no secure origin). */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle');

  useEffect(() => {
    if (state === 'idle') return;
    const timer = setTimeout(() => setState('idle'), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);

  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setState('copied');
    } catch {
      setState('failed');
    }
  };
  const said = { idle: label, copied: 'Copied', failed: 'Copying is not allowed here' }[state];
  return (
    <button
      type="button"
      onClick={copy}
      aria-label={said}
      title={said}
      className="rounded p-1 text-ink-faint hover:bg-sunken hover:text-ink"
    >
      <Icon name={{ idle: 'copy', copied: 'check', failed: 'cross' }[state] as 'copy'} className="size-3.5" />
    </button>
  );
}
