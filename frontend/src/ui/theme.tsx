'use client';
// Light or dark: the system's choice until the reader makes one, which is kept in local storage.
import { useEffect, useState } from 'react';
import { Icon } from './icons';
import { THEME_KEY } from './theme-script';

export function ThemeToggle() {
  const [theme, setTheme] = useState<string>();

  useEffect(() => {
    setTheme(document.documentElement.dataset.theme);
    const system = matchMedia('(prefers-color-scheme: dark)');
    const follow = (): void => {
      if (localStorage.getItem(THEME_KEY)) return;
      show(system.matches ? 'dark' : 'light');
    };
    const show = (next: string): void => {
      document.documentElement.dataset.theme = next;
      setTheme(next);
    };
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, []);

  const next = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      className="button size-9 !p-0"
      aria-label={`Use the ${next} theme`}
      onClick={() => {
        document.documentElement.dataset.theme = next;
        localStorage.setItem(THEME_KEY, next);
        setTheme(next);
      }}
    >
      {theme && <Icon name={theme === 'dark' ? 'sun' : 'moon'} />}
    </button>
  );
}
