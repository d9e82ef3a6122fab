// The way of a request, which is also the legend of the services' colours.
import { serviceColor } from '@/ui/service-color';

const TIERS = [
  { service: 'frontend-web', name: 'Browser' },
  { service: 'frontend', name: 'Next.js' },
  { service: 'go-service', name: 'Go gateway' },
  { service: 'python-service', name: 'Python runtime' },
  { service: 'rust-service', name: 'Rust search' },
] as const;

export function PathStrip() {
  return (
    <ol aria-label="The way of an agent run" className="mt-5 flex flex-wrap items-center gap-2 text-sm sm:gap-x-0">
      {TIERS.map(({ service, name }, index) => (
        <li key={service} className="flex items-center">
          {index > 0 && <span aria-hidden="true" className="mx-2 hidden h-px w-6 bg-line-strong sm:block lg:w-9" />}
          <span className="inline-flex items-center gap-2 rounded-full border border-line bg-panel py-1 pr-3 pl-2.5">
            <span aria-hidden="true" className="size-2 rounded-full" style={{ background: serviceColor(service) }} />
            {name}
          </span>
        </li>
      ))}
    </ol>
  );
}
