// The waterfall's keys: one table for what they do and for the help that names them.
export const KEYS = [
  { keys: ['ArrowUp', 'ArrowDown'], shown: '↑ ↓', does: 'choose a span' },
  { keys: ['ArrowLeft'], shown: '←', does: 'fold, or go to the parent' },
  { keys: ['ArrowRight'], shown: '→', does: 'unfold, or go to the first child' },
  { keys: ['Home', 'End'], shown: 'Home End', does: 'first, last span' },
  { keys: ['Escape'], shown: 'Esc', does: 'choose none' },
] as const;

export type Key = (typeof KEYS)[number]['keys'][number];

export function keyOf(event: { key: string }): Key | undefined {
  return KEYS.flatMap(({ keys }) => keys as readonly Key[]).find((key) => key === event.key);
}
