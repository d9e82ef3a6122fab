// Who can ask whom. The page offers these; whether a tenant or agent exists is the backend's word (404).

export const TENANTS = [
  { id: 'acme', name: 'Acme' },
  { id: 'globex', name: 'Globex' },
] as const;

export const AGENTS = [
  { id: 'researcher', name: 'Researcher', does: 'Searches the knowledge base, then answers with sources' },
  { id: 'analyst', name: 'Analyst', does: 'Weighs numbers and costs before it answers' },
  { id: 'writer', name: 'Writer', does: 'Turns what it finds into prose' },
] as const;

export const BACKENDS = [
  { id: 'go-service', name: 'Gateway', stack: 'Go' },
  { id: 'python-service', name: 'Agent runtime', stack: 'Python' },
  { id: 'rust-service', name: 'Knowledge search', stack: 'Rust' },
] as const;

export const EXAMPLE_QUESTIONS = [
  'Why do traces lose spans?',
  'What does tail sampling keep?',
  'How do exemplars join metrics and traces?',
] as const;

export const MAX_QUESTION_CHARS = 2_000;

export function isTenant(id: string): boolean {
  return TENANTS.some((tenant) => tenant.id === id);
}
