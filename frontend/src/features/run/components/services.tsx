// A button per service for data and for error, and one that throws here in the browser.
import { serviceColor } from '@/ui/service-color';
import { serviceAction, THROW } from '../actions';
import { BACKENDS } from '../catalog';

interface Props {
  onCall: (service: string, what: 'data' | 'error') => void;
  onThrow: () => void;
}

export function Services({ onCall, onThrow }: Props) {
  return (
    <section aria-labelledby="services-title" className="panel">
      <div className="px-5 pt-5 sm:px-6">
        <h2 id="services-title" className="font-semibold">
          One service at a time
        </h2>
        <p className="mt-1 text-ink-soft text-sm">A real query, or a real exception, recorded where it happens.</p>
      </div>
      <ul className="mt-3 divide-y divide-line">
        {BACKENDS.map(({ id, name, stack }) => (
          <Row key={id} service={id} name={name} stack={stack}>
            <button
              type="button"
              aria-label={serviceAction(id, 'data').label}
              onClick={() => onCall(id, 'data')}
              className="button"
            >
              Data
            </button>
            <button
              type="button"
              aria-label={serviceAction(id, 'error').label}
              onClick={() => onCall(id, 'error')}
              className="button button-danger"
            >
              Error
            </button>
          </Row>
        ))}
        <Row service="frontend-web" name="This page" stack="Browser">
          <button type="button" aria-label={THROW.label} onClick={onThrow} className="button button-danger">
            Throw
          </button>
        </Row>
      </ul>
    </section>
  );
}

function Row(props: { service: string; name: string; stack: string; children: React.ReactNode }) {
  return (
    <li className="flex items-center gap-3 px-5 py-3 sm:px-6">
      <span aria-hidden="true" className="h-8 w-1 rounded-full" style={{ background: serviceColor(props.service) }} />
      <span className="min-w-0 flex-1">
        <span className="block font-medium text-sm">{props.name}</span>
        <span className="block truncate text-ink-faint text-xs">
          {props.stack} · <span className="font-mono">{props.service}</span>
        </span>
      </span>
      <span className="flex gap-2">{props.children}</span>
    </li>
  );
}
