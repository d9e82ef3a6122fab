import type { Metadata, Viewport } from 'next';
import { TelemetryMeta } from '@/server/page-meta';
import { THEME_SCRIPT } from '@/ui/theme-script';
import './globals.css';

// Each page carries the trace of its own rendering, so none can be rendered ahead.
export const dynamic = 'force-dynamic';

export const metadata: Metadata = {
  title: { default: 'Tracewright', template: '%s · Tracewright' },
  description: 'A small fleet of services whose telemetry is proven true.',
};

export const viewport: Viewport = {
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#ffffff' },
    { media: '(prefers-color-scheme: dark)', color: '#15181d' },
  ],
};

export default function RootLayout({ children }: { children: React.ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <TelemetryMeta />
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: a constant of ours, and it must run before the first paint */}
        <script dangerouslySetInnerHTML={{ __html: THEME_SCRIPT }} />
      </head>
      <body>{children}</body>
    </html>
  );
}
