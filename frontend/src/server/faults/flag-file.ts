// An OpenFeature provider for a file in flagd's format, which is read again when it changes. The evaluation is flagd's own (flagd-core); flagd's
// provider would read files, too, but looks at them every five seconds and brings a gRPC client along.
import { readFileSync, statSync } from 'node:fs';
import { FlagdCore } from '@openfeature/flagd-core';
import {
  DefaultLogger,
  type EvaluationContext,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
  TypeMismatchError,
} from '@openfeature/server-sdk';

/** How soon a change is seen at the latest. */
const LOOK_EVERY_MS = 250;

export interface FlagLog {
  info(message: string, fields: Record<string, string>): void;
  warn(message: string, fields: Record<string, string>): void;
}

/** Boolean flags. Whatever happens to the file later, the last good state stays. */
export class FlagFile implements Provider {
  readonly metadata = { name: 'flagfile' };
  readonly runsOn = 'server';
  private core: FlagdCore;
  private version: string;
  private timer: Timer | undefined;

  /** Reads the file once; throws an error that names it when it is missing or no flagd file. */
  constructor(
    private readonly path: string,
    private readonly log: FlagLog,
  ) {
    // In this order: a change between the two is seen at the first look. `watchFile` takes its first look later, and loses it.
    this.version = versionOf(path);
    this.core = read(path);
  }

  async initialize(): Promise<void> {
    this.timer = setInterval(this.look, LOOK_EVERY_MS);
    this.timer.unref();
  }

  async onClose(): Promise<void> {
    clearInterval(this.timer);
  }

  async resolveBooleanEvaluation(
    flag: string,
    fallback: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return this.core.resolveBooleanEvaluation(flag, fallback, context);
  }

  // The fleet has boolean flags only.
  async resolveStringEvaluation(flag: string): Promise<ResolutionDetails<string>> {
    throw notBoolean(flag);
  }
  async resolveNumberEvaluation(flag: string): Promise<ResolutionDetails<number>> {
    throw notBoolean(flag);
  }
  async resolveObjectEvaluation<T extends JsonValue>(flag: string): Promise<ResolutionDetails<T>> {
    throw notBoolean(flag);
  }

  private readonly look = (): void => {
    const version = versionOf(this.path);
    if (version === this.version) return;
    this.version = version;
    try {
      this.core = read(this.path);
      this.log.info('flags read', { 'file.path': this.path });
    } catch (error) {
      this.log.warn('flags not read; the last ones stay', { reason: String(error) });
    }
  };
}

/** What differs between two states of a file; empty when it is not there. */
function versionOf(path: string): string {
  try {
    const { ino, size, ctimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${ctimeNs}`;
  } catch {
    return '';
  }
}

function read(path: string): FlagdCore {
  const core = new FlagdCore(undefined, new DefaultLogger());
  try {
    core.setConfigurations(readFileSync(path, 'utf8'));
    // A rule that cannot be evaluated is told here, not at each request.
    for (const flag of core.getFlags().keys()) {
      const { errorMessage } = core.resolveBooleanEvaluation(flag, false, {});
      if (errorMessage) throw new Error(errorMessage);
    }
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (core.getFlags().size === 0) throw new Error(`${path}: is no flagd file, or has no flags`);
  return core;
}

function notBoolean(flag: string): TypeMismatchError {
  return new TypeMismatchError(`${flag} is a boolean flag`);
}
