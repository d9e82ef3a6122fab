// The build makes a standalone server (`.next/standalone`), which `scripts/assemble.mjs` completes with our entry point and static files.
import type { NextConfig } from 'next';

const root = import.meta.dirname;

const securityHeaders = [
  { key: 'X-Content-Type-Options', value: 'nosniff' },
  { key: 'X-Frame-Options', value: 'DENY' },
  { key: 'Referrer-Policy', value: 'same-origin' },
];

const config: NextConfig = {
  output: 'standalone',
  outputFileTracingRoot: root,
  turbopack: { root },
  typescript: { ignoreBuildErrors: true }, // `bun run types` checks them; once is enough
  poweredByHeader: false,
  agentRules: false, // `next dev` writes no files into the repository
  // One copy of these in the process: they hold state (context manager, providers, metric registry) that all bundles share.
  serverExternalPackages: ['@opentelemetry/api', '@opentelemetry/api-logs', 'prom-client'],
  headers: async () => [{ source: '/:path*', headers: securityHeaders }],
  rewrites: async () => ({
    beforeFiles: [],
    afterFiles: [],
    // People get the 404 page, programs get problem+json.
    fallback: [
      {
        source: '/:path*',
        missing: [{ type: 'header', key: 'accept', value: '(.*)text/html(.*)' }],
        destination: '/api/not-found',
      },
    ],
  }),
};

export default config;
