// Apart from theme.tsx, which is a client module: what a server component imports from one is a reference, not the text.

/** Where the reader's choice is kept, in local storage. */
export const THEME_KEY = 'tracewright-theme';

/** Runs in <head> before the first paint, so that the page never flashes in the other theme. */
export const THEME_SCRIPT = `(function(){var t;try{t=localStorage.getItem('${THEME_KEY}')}catch(e){}
if(t!=='light'&&t!=='dark')t=matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light';document.documentElement.dataset.theme=t})()`;
