import { formatMilliseconds } from '@/ui/format';
import type { Nanoseconds } from './model';

export function formatNanoseconds(ns: Nanoseconds | number): string {
  return formatMilliseconds(ns / 1e6);
}
