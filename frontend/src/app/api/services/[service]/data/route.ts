import { forward } from '@/server/forward';
import { handler, methodNotAllowed } from '@/server/http';

export const GET = handler(async (_request: Request, { params }: RouteContext<'/api/services/[service]/data'>) =>
  forward((await params).service, 'data'),
);

export const { POST, PUT, PATCH, DELETE } = methodNotAllowed('GET');
