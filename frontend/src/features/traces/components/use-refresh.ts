'use client';
import { useRouter } from 'next/navigation';
import { useEffect } from 'react';

/** Has the server read the page's data again after each delay, while `active` and the page is looked at. */
export function useRefresh(active: boolean, delayMs: number): void {
  const router = useRouter();
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(() => {
      if (document.readyState === 'complete' && document.visibilityState === 'visible') router.refresh();
    }, delayMs);
    return () => clearInterval(timer);
  }, [active, delayMs, router]);
}
