import type { Attributes, AttributeValue } from '../model';

/** Keys and values; long texts (stack traces, queries) keep their lines and scroll. */
export function AttributeTable({ attributes }: { attributes: Attributes }) {
  if (attributes.length === 0) return null;
  return (
    <dl className="grid gap-px overflow-hidden rounded-lg border border-line bg-line text-xs">
      {attributes.map(([key, value]) => (
        <div
          key={key}
          className="grid gap-x-3 gap-y-0.5 bg-panel px-2.5 py-1.5 sm:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]"
        >
          <dt className="break-words font-mono text-ink-soft">{key}</dt>
          <dd className="max-h-56 overflow-y-auto whitespace-pre-wrap break-words font-mono">{textOf(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function textOf(value: AttributeValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
