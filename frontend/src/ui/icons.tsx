// Icons, drawn for a 16 px box in the text's colour. Decorative: the text beside them (or the control's label) says what they mean.
const PATHS = {
  arrow: 'M3.5 8h9M9 4.5 12.5 8 9 11.5',
  check: 'm3.5 8.5 3 3 6-7',
  chevron: 'm6 4 4 4-4 4',
  copy: 'M5.5 5.5h7v7h-7zM3.5 10.5v-7h7',
  cross: 'm4.5 4.5 7 7m0-7-7 7',
  link: 'M6.5 9.5 9.5 6.5M7 4.8l1-1a3 3 0 0 1 4.2 4.2l-1 1M9 11.2l-1 1A3 3 0 0 1 3.8 8l1-1',
  moon: 'M13 9.6A5.5 5.5 0 0 1 6.4 3 5.5 5.5 0 1 0 13 9.6Z',
  play: 'M5 3.5v9l7-4.5z',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1',
  warning: 'M8 2.5 14.5 13.5h-13zM8 6.5v3.2M8 11.4v.6',
} as const;

export function Icon({ name, className = 'size-4' }: { name: keyof typeof PATHS; className?: string }) {
  return (
    <svg
      aria-hidden="true"
      className={`shrink-0 ${className}`}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: a small waterfall. */
export function Mark({ className = 'size-7' }: { className?: string }) {
  return (
    <svg aria-hidden="true" className={`shrink-0 ${className}`} viewBox="0 0 28 28">
      <rect width="28" height="28" rx="7" fill="var(--ink)" />
      <rect x="5" y="6.5" width="18" height="3.4" rx="1.7" fill="var(--paper)" />
      <rect x="9" y="12.3" width="11" height="3.4" rx="1.7" fill="var(--svc-go-service)" />
      <rect x="12.5" y="18.1" width="6.5" height="3.4" rx="1.7" fill="var(--svc-rust-service)" />
    </svg>
  );
}
