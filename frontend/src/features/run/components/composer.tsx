// The form of an agent run.
import { Icon } from '@/ui/icons';
import { AGENTS, EXAMPLE_QUESTIONS, MAX_QUESTION_CHARS, TENANTS } from '../catalog';
import type { RunRequest } from '../model';

interface Props {
  request: RunRequest;
  onChange: (request: RunRequest) => void;
  onRun: () => void;
  running: boolean;
}

export function Composer({ request, onChange, onRun, running }: Props) {
  const ready = request.question.trim() !== '' && !running;
  const set = (change: Partial<RunRequest>): void => onChange({ ...request, ...change });
  return (
    <form
      aria-label="Agent run"
      className="panel p-5 sm:p-6"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) onRun();
      }}
    >
      <div className="grid gap-5">
        <TenantChoice value={request.tenant} onChange={(tenant) => set({ tenant })} />
        <AgentChoice value={request.agent} onChange={(agent) => set({ agent })} />
        <div>
          <label htmlFor="question" className="eyebrow">
            Question
          </label>
          <textarea
            id="question"
            name="question"
            rows={3}
            maxLength={MAX_QUESTION_CHARS}
            value={request.question}
            placeholder="Ask something about observability"
            onChange={(event) => set({ question: event.target.value })}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit();
            }}
            className="mt-2 block w-full resize-y rounded-lg border border-line-strong bg-sunken px-3 py-2.5 leading-6 placeholder:text-ink-faint"
          />
          <ul aria-label="Example questions" className="mt-2.5 flex flex-wrap gap-2">
            {EXAMPLE_QUESTIONS.map((question) => (
              <li key={question}>
                <button
                  type="button"
                  onClick={() => set({ question })}
                  className="rounded-full border border-line px-3 py-1 text-ink-soft text-xs hover:border-line-strong hover:bg-sunken hover:text-ink"
                >
                  {question}
                </button>
              </li>
            ))}
          </ul>
        </div>
        <div className="flex items-center justify-between gap-4">
          <p className="hidden text-ink-faint text-xs sm:block">
            <kbd className="rounded border border-line-strong px-1.5 py-0.5 font-mono text-[0.6875rem]">Ctrl</kbd> +{' '}
            <kbd className="rounded border border-line-strong px-1.5 py-0.5 font-mono text-[0.6875rem]">Enter</kbd> runs
            it
          </p>
          <button
            type="submit"
            disabled={!ready}
            className="button button-primary !px-5 !py-2.5 !text-sm w-full sm:w-auto"
          >
            {running ? <Spinner /> : <Icon name="play" />}
            Run agent
          </button>
        </div>
      </div>
    </form>
  );
}

function TenantChoice({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  return (
    <fieldset>
      <legend className="eyebrow">Tenant</legend>
      <div className="mt-2 grid grid-cols-2 rounded-lg border border-line bg-sunken p-1 sm:inline-grid">
        {TENANTS.map(({ id, name }) => (
          <label
            key={id}
            className="rounded-md px-5 py-1.5 text-center text-ink-soft text-sm has-checked:bg-panel has-checked:font-medium has-checked:text-ink has-checked:shadow-panel has-checked:ring-1 has-checked:ring-line-strong"
          >
            <input
              type="radio"
              name="tenant"
              value={id}
              checked={value === id}
              onChange={() => onChange(id)}
              className="sr-only"
            />
            {name}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function AgentChoice({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  return (
    <fieldset>
      <legend className="eyebrow">Agent</legend>
      <div className="mt-2 grid gap-2 sm:grid-cols-3">
        {AGENTS.map(({ id, name, does }) => (
          <label
            key={id}
            className="rounded-lg border border-line px-3 py-2.5 hover:border-line-strong has-checked:border-accent has-checked:bg-accent-soft"
          >
            <input
              type="radio"
              name="agent"
              value={id}
              checked={value === id}
              onChange={() => onChange(id)}
              aria-describedby={`agent-${id}`}
              aria-label={name}
              className="sr-only"
            />
            <span className="block font-medium text-sm">{name}</span>
            <span id={`agent-${id}`} className="mt-0.5 block text-ink-soft text-xs leading-snug">
              {does}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function Spinner() {
  return (
    <span
      aria-hidden="true"
      className="size-4 animate-spin rounded-full border-2 border-current border-t-transparent motion-reduce:animate-none"
    />
  );
}
