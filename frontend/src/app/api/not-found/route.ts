// Where unknown paths of programs end (see the fallback rewrite in next.config.ts); people get the 404 page.
import { Problem } from '@/server/problem';

function notFound(): Response {
  return new Problem(404, 'There is nothing at this path.').toResponse();
}

export { notFound as DELETE, notFound as GET, notFound as PATCH, notFound as POST, notFound as PUT };
