// Pages are read, nothing else: Next would render them for any method. Route handlers refuse other methods themselves.
import { type NextRequest, NextResponse } from 'next/server';
import { Problem } from './server/problem';

const READS = new Set(['GET', 'HEAD']);

export function proxy(request: NextRequest): Response {
  if (READS.has(request.method)) return NextResponse.next();
  return new Problem(405, 'Use GET.').toResponse({ allow: 'GET, HEAD' });
}

export const config = { matcher: ['/', '/traces/:path*'] };
