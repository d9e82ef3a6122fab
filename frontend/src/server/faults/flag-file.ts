// An OpenFeature provider for a file in flagd's format, which is read again when it changes. The evaluation is flagd's own (flagd-core); flagd's
// provider would read files, too, but looks at them every five seconds and brings a gRPC client along.
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
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

  /** Reads the file once; throws an error that names it when it is missing or no flagd file. */
  constructor(
    private readonly path: string,
    private readonly log: FlagLog,
  ) {
    this.core = read(path);
  }

  async initialize(): Promise<void> {
    watchFile(this.path, { interval: LOOK_EVERY_MS, persistent: false }, this.reload);
  }

  async onClose(): Promise<void> {
    unwatchFile(this.path, this.reload);
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

  private readonly reload = (): void => {
    try {
      this.core = read(this.path);
      this.log.info('flags read', { 'file.path': this.path });
    } catch (error) {
      this.log.warn('flags not read; the last ones stay', { reason: String(error) });
    }
  };
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
