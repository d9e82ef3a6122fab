// Completes the standalone server that `next build` leaves in .next/standalone: the static files, which Next keeps apart for CDNs, and
// our entry point. After this, `.next/standalone` is all that a machine or an image needs.
import { cp } from 'node:fs/promises';

const target = new URL('../.next/standalone/', import.meta.url);
await cp(new URL('../.next/static/', import.meta.url), new URL('.next/static/', target), { recursive: true });
await cp(new URL('./start.mjs', import.meta.url), new URL('start.mjs', target));
