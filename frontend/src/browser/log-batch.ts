// Collects log records and exports them. The SDK's own batch processor lets one export run at a time and skips a flush while another runs: what a
// page logs as it goes (web vitals, errors) would stay behind it and be lost.
import { context } from '@opentelemetry/api';
import { ExportResultCode, globalErrorHandler, suppressTracing } from '@opentelemetry/core';
import type { LogRecordExporter, LogRecordProcessor, ReadableLogRecord } from '@opentelemetry/sdk-logs';

/** Keeps an export well under the 64 KiB that browsers let outlive a page. */
const MAX_RECORDS = 32;

export class LogBatch implements LogRecordProcessor {
  private waiting: ReadableLogRecord[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly exporter: LogRecordExporter,
    private readonly delayMs: number,
  ) {}

  onEmit(record: ReadableLogRecord): void {
    this.waiting.push(record);
    if (this.waiting.length >= MAX_RECORDS || document.visibilityState === 'hidden') this.export();
    else this.timer ??= setTimeout(() => this.export(), this.delayMs);
  }

  enabled(): boolean {
    return true;
  }

  /** Starts the export of all that waits before it returns; resolves when every running export has ended. */
  async forceFlush(): Promise<void> {
    this.export();
    await Promise.all(this.running);
  }

  async shutdown(): Promise<void> {
    await this.forceFlush();
    await this.exporter.shutdown();
  }

  private export(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const records = this.waiting;
    if (records.length === 0) return;
    this.waiting = [];
    const done = new Promise<void>((resolve) => {
      context.with(suppressTracing(context.active()), () =>
        this.exporter.export(records, ({ code, error }) => {
          if (code !== ExportResultCode.SUCCESS) globalErrorHandler(error ?? new Error('log export failed'));
          resolve();
        }),
      );
    });
    this.running.add(done);
    void done.then(() => this.running.delete(done));
  }
}
