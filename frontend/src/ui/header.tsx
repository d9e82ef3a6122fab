import { Mark } from './icons';
import { ThemeToggle } from './theme';

/** The bar on top of every page. */
export function Header({ children }: { children?: React.ReactNode }) {
  return (
    <header className="border-line border-b bg-panel">
      <div className="mx-auto flex h-14 max-w-[88rem] items-center gap-4 px-4 sm:px-6">
        <a href="/" className="flex items-center gap-2.5 font-semibold tracking-tight">
          <Mark />
          Tracewright
        </a>
        <div className="min-w-0 flex-1">{children}</div>
        <ThemeToggle />
      </div>
    </header>
  );
}
