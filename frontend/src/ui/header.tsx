import { Mark } from './icons';
import { ThemeToggle } from './theme';

/** The bar on top of every page, as wide as the page's content. */
export function Header({ wide = false }: { wide?: boolean }) {
  return (
    <header className="border-line border-b bg-panel">
      <div
        className={`mx-auto flex h-14 items-center justify-between gap-4 px-4 sm:px-6 ${wide ? 'max-w-[110rem]' : 'max-w-[88rem]'}`}
      >
        <a href="/" className="flex items-center gap-2.5 font-semibold tracking-tight">
          <Mark />
          Tracewright
        </a>
        <ThemeToggle />
      </div>
    </header>
  );
}
