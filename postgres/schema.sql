-- The fleet's one database: tables, seeds, and the usage queue.
--
-- Idempotent: it is applied at every start (by the launcher, and by the PostgreSQL image on an empty volume), keeps
-- what is stored, and may run twice at once: the advisory lock makes the second run wait. PostgreSQL 15 or newer.
-- Who writes what is in README.md.

BEGIN;

SELECT pg_advisory_xact_lock(7391046215);

CREATE TABLE IF NOT EXISTS tenants (
    id   text PRIMARY KEY,
    name text NOT NULL
);

CREATE TABLE IF NOT EXISTS agents (
    id    text PRIMARY KEY,
    name  text NOT NULL,
    team  text NOT NULL,
    model text NOT NULL
);

-- Spend is unscaled: it sums costs of 1e-6 USD and must not round them.
CREATE TABLE IF NOT EXISTS budgets (
    tenant_id  text    NOT NULL REFERENCES tenants (id),
    team       text    NOT NULL,
    budget_usd numeric NOT NULL CHECK (budget_usd >= 0),
    spend_usd  numeric NOT NULL DEFAULT 0 CHECK (spend_usd >= 0),
    PRIMARY KEY (tenant_id, team)
);

-- `related` names other entries; rust-service makes a graph of it.
CREATE TABLE IF NOT EXISTS knowledge (
    id      text   PRIMARY KEY,
    title   text   NOT NULL,
    body    text   NOT NULL,
    related text[] NOT NULL DEFAULT '{}'
);

-- The primary key makes an execution idempotent: a run is stored once, however often it is asked for.
CREATE TABLE IF NOT EXISTS executions (
    run_id        uuid           PRIMARY KEY,
    tenant_id     text           NOT NULL REFERENCES tenants (id),
    agent_id      text           NOT NULL REFERENCES agents (id),
    question      text           NOT NULL,
    answer        text           NOT NULL,
    sources       jsonb          NOT NULL,
    input_tokens  integer        NOT NULL CHECK (input_tokens >= 0),
    output_tokens integer        NOT NULL CHECK (output_tokens >= 0),
    cost_usd      numeric(12, 6) NOT NULL CHECK (cost_usd >= 0),
    status        text           NOT NULL CHECK (status IN ('ok', 'error')),
    trace_id      text           CHECK (trace_id ~ '^[0-9a-f]{32}$'),
    created_at    timestamptz    NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS executions_by_tenant ON executions (tenant_id, created_at DESC);

-- The queue. A row is written in its execution's transaction together with NOTIFY usage_events, and is done when
-- consumed_at is set. traceparent and baggage carry the context of the producing span (W3C forms, null when untraced).
CREATE TABLE IF NOT EXISTS usage_events (
    id            bigserial      PRIMARY KEY,
    run_id        uuid           NOT NULL UNIQUE REFERENCES executions (run_id),
    tenant_id     text           NOT NULL REFERENCES tenants (id),
    agent_id      text           NOT NULL REFERENCES agents (id),
    team          text           NOT NULL,
    provider      text           NOT NULL,
    model         text           NOT NULL,
    input_tokens  integer        NOT NULL CHECK (input_tokens >= 0),
    output_tokens integer        NOT NULL CHECK (output_tokens >= 0),
    cost_usd      numeric(12, 6) NOT NULL CHECK (cost_usd >= 0),
    traceparent   text,
    baggage       text,
    created_at    timestamptz    NOT NULL DEFAULT now(),
    consumed_at   timestamptz
);

CREATE INDEX IF NOT EXISTS usage_events_waiting ON usage_events (id) WHERE consumed_at IS NULL;

-- Seeds. Tenants, agents and knowledge follow this file; budgets are only begun by it, so that spend is kept.

INSERT INTO tenants (id, name) VALUES
    ('acme', 'Acme Instruments'),
    ('globex', 'Globex Logistics')
ON CONFLICT (id) DO UPDATE SET name = excluded.name;

INSERT INTO agents (id, name, team, model) VALUES
    ('researcher', 'Researcher', 'research', 'sim-large'),
    ('analyst', 'Analyst', 'finance', 'sim-large'),
    ('writer', 'Writer', 'marketing', 'sim-small')
ON CONFLICT (id) DO UPDATE SET name = excluded.name, team = excluded.team, model = excluded.model;

INSERT INTO budgets (tenant_id, team, budget_usd) VALUES
    ('acme', 'research', 5000),
    ('acme', 'finance', 3000),
    ('acme', 'marketing', 1000),
    ('globex', 'research', 4000),
    ('globex', 'finance', 2500),
    ('globex', 'marketing', 1500)
ON CONFLICT (tenant_id, team) DO NOTHING;

INSERT INTO knowledge (id, title, body, related) VALUES
    ('trace', 'What a trace is',
     'A trace is the story of one request: a tree of spans that share a trace id. The root is where the request entered, each child is work done on behalf of its parent. A trace answers where the time went and which hop failed.',
     '{span,trace-id,context-propagation}'),
    ('span', 'What a span is',
     'A span is one operation with a name, a start, an end, a kind and attributes. Keep the name to a small set, such as the route of a request, and put what varies into attributes.',
     '{trace,span-kind,span-name,span-event}'),
    ('span-kind', 'Choosing the kind of a span',
     'SERVER answers a remote caller, CLIENT waits for a remote answer, PRODUCER hands a message over without waiting, CONSUMER takes one up, INTERNAL is everything inside the process. Service maps are drawn from CLIENT and SERVER pairs, so a wrong kind loses an edge.',
     '{span,service-graph,message-queue}'),
    ('span-name', 'Span names are bounded',
     'A span name is a group key. An id, a user name or a raw path in it makes one group per request, and the backend drowns. Use the method and the route template, the operation and the table, the verb and the queue.',
     '{span,cardinality,http-route}'),
    ('span-event', 'Events inside a span',
     'A span event is a moment inside a span: a retry, a cache miss, an exception. An exception is recorded once, on the span where it happened; recording it again on every caller makes one failure look like five.',
     '{span,error-recording,structured-logs}'),
    ('span-link', 'Links between traces',
     'A link says that a span was caused by another one without being its child. A batch consumer that takes ten messages links to ten producers; a child relation could name only one of them, and would stretch the trace over the time in the queue.',
     '{message-queue,trace,span-kind}'),
    ('trace-id', 'Trace ids',
     'A trace id is sixteen random bytes, written as thirty-two lowercase hexadecimal digits. All zeros is invalid. The one who begins the trace chooses it, so a test can know the id before it sends the request.',
     '{trace,traceparent,synthetic-probe}'),
    ('traceparent', 'The traceparent header',
     'traceparent carries version, trace id, parent span id and flags between processes. A receiver that understands it continues the trace; one that does not begins a new one, and the old trace ends in a hole.',
     '{context-propagation,trace-id,orphan-span,tracestate}'),
    ('tracestate', 'The tracestate header',
     'tracestate travels beside traceparent and holds key-value pairs of tracing vendors, for instance the probability with which a trace was sampled. It is no place for data of the application.',
     '{traceparent,baggage,head-sampling}'),
    ('context-propagation', 'Context propagation',
     'Context is what ties work to the request that caused it. Inside a process it follows the call or the task; between processes it is injected into headers and extracted on arrival. Thread pools, queues and callbacks are where it gets lost.',
     '{traceparent,baggage,orphan-span,async-context}'),
    ('async-context', 'Context in asynchronous code',
     'An asynchronous task starts with a copy of the context of the one who created it. Work handed to a pool, a timer or a background worker does not, unless it is given along on purpose. Spans that begin there without context become roots of their own.',
     '{context-propagation,orphan-span,message-queue}'),
    ('baggage', 'Baggage',
     'Baggage is a small set of keys and values that travels with the context to every service downstream, such as the tenant of a request. It is not put on spans by itself, every hop can read it, and so can outsiders when it leaves the house: allow few keys and no secrets.',
     '{context-propagation,tenant-label,secret-redaction}'),
    ('orphan-span', 'Orphan spans',
     'An orphan names a parent that never arrived. Either the parent was dropped by an exporter, or a service in the middle forwarded a header without recording its own span. Search for the service of the missing parent first.',
     '{traceparent,span-exporter,context-propagation,tail-sampling}'),
    ('span-exporter', 'Batching and exporting spans',
     'Spans leave a process in batches. A full queue drops them, a crash loses what was not sent, and a process that exits without a flush loses its last seconds. Count the drops and flush on SIGTERM.',
     '{orphan-span,graceful-shutdown,collector}'),
    ('graceful-shutdown', 'Shutting down without loss',
     'On SIGTERM stop accepting, finish the requests in flight, then flush spans, logs and metrics, then exit. In the other order the telemetry of the last requests is the part that is missing, and it is the part one looks for.',
     '{span-exporter,readiness}'),
    ('otlp', 'The OpenTelemetry protocol',
     'OTLP moves traces, metrics and logs over gRPC on port 4317 or HTTP on port 4318. The answer may be a partial success that counts refused items; a client that reads only the status code never learns of them.',
     '{collector,span-exporter,resource-attributes}'),
    ('collector', 'The collector',
     'The collector receives, changes and forwards telemetry, so that services know one address and no backend. Limit its memory first, keep its queues on disk, and watch its own counters of refused and failed items.',
     '{otlp,tail-sampling,secret-redaction,backpressure}'),
    ('backpressure', 'Backpressure in a pipeline',
     'When a backend slows down, queues grow, then memory, then refusals reach the senders. Each stage needs a limit and a counter; without them the pipeline fails far away from the cause.',
     '{collector,span-exporter,saturation}'),
    ('resource-attributes', 'Resource attributes',
     'A resource tells who sent the signal: service.name, service.version, service.instance.id, deployment.environment.name. The same resource must be on traces, metrics and logs, or a jump from one to another finds nothing.',
     '{semantic-conventions,otlp,log-correlation}'),
    ('semantic-conventions', 'Semantic conventions',
     'Conventions give attributes the same names everywhere: http.request.method, db.system.name, error.type. A dashboard built on them works for services that did not exist when it was drawn. Old and new names side by side break that.',
     '{resource-attributes,http-route,genai-spans}'),
    ('http-route', 'Routes instead of paths',
     'http.route is the template, such as /orders/{id}, while url.path is what was asked for. Group by the route. Unknown paths share one route, or every scanner of the internet becomes a time series.',
     '{span-name,cardinality,semantic-conventions}'),
    ('genai-spans', 'Spans of language model calls',
     'A call to a model is a CLIENT span named after the operation and the model, with token counts for input and output as attributes. Prompts and answers stay off the span unless somebody asked for them, since they hold what people typed.',
     '{semantic-conventions,token-cost,secret-redaction}'),
    ('token-cost', 'Counting tokens and cost',
     'Cost is tokens times price, per model and direction. Count at the place that made the call, once, and store it with the answer; a cost that is computed again elsewhere will differ.',
     '{genai-spans,exactly-once,counter}'),
    ('counter', 'Counters',
     'A counter only grows and starts over at zero when its process starts. Read it as a rate or an increase over a window. Its value by itself says how long the process has lived.',
     '{histogram,gauge,red-method}'),
    ('gauge', 'Gauges',
     'A gauge is a value that goes up and down, such as connections in use. It is sampled, so peaks between two scrapes are never seen; a histogram or a counter keeps them.',
     '{counter,histogram,saturation}'),
    ('histogram', 'Histograms',
     'A histogram counts how many values fell into each bucket. Quantiles are estimates as fine as the buckets around them: for latencies in seconds the default bounds made for milliseconds put everything into the first bucket.',
     '{counter,exemplar,latency-percentiles}'),
    ('latency-percentiles', 'Percentiles and averages',
     'The average hides the slow tenth. Percentiles cannot be averaged across instances: add the histogram buckets, then take the quantile. Watch p50 for the usual case and p99 for the people who call support.',
     '{histogram,slo,red-method}'),
    ('exemplar', 'Exemplars',
     'An exemplar is one real measurement kept beside a metric, with the trace id it came from. It is the door from a spike on a chart to a request that was part of it. Only sampled traces make useful exemplars.',
     '{histogram,trace-id,tail-sampling}'),
    ('cardinality', 'Cardinality',
     'Every combination of label values is a time series of its own. A user id as a label multiplies the series by the number of users. Keep labels to what somebody groups by, and leave identities to traces and logs.',
     '{span-name,http-route,tenant-label}'),
    ('tenant-label', 'A label for the tenant',
     'With few tenants, a label on each request metric tells whose requests fail. Take only known tenants, and unknown for the rest, so that a caller cannot create series by inventing names.',
     '{baggage,cardinality,red-method}'),
    ('red-method', 'Rate, errors, duration',
     'For a service that answers requests, watch three things: how many, how many failed, how long they took. They can be made from spans or counted beside them, and both must agree.',
     '{latency-percentiles,counter,use-method,slo}'),
    ('use-method', 'Utilisation, saturation, errors',
     'For a resource such as a disk, a pool or a processor, watch how busy it is, how much work waits for it, and how often it fails. It finds the cause after rate, errors and duration have shown the effect.',
     '{red-method,saturation,gauge}'),
    ('saturation', 'Saturation',
     'A resource is saturated when work waits for it. Waiting grows steeply near full use, so latency rises long before errors do. Connection pools are the usual place: the query is quick, the wait for a connection is not.',
     '{use-method,backpressure,latency-percentiles}'),
    ('slo', 'Service level objectives',
     'An objective names a share of good requests over a window, for instance 99.9 percent within 30 days. What may fail is the error budget; alert on how quickly it burns, not on single errors.',
     '{error-budget,red-method,alerting}'),
    ('error-budget', 'Error budgets and burn rate',
     'A burn rate of one uses the budget up exactly at the end of the window. A page for a quick burn over an hour and a ticket for a slow burn over days catch both the outage and the leak.',
     '{slo,alerting}'),
    ('alerting', 'Alerts worth waking up for',
     'An alert says that people are hurt now and somebody must act. It names the symptom, the impact and a page to start from. Causes belong on dashboards; an alert on each of them teaches people to look away.',
     '{slo,error-budget,runbook}'),
    ('runbook', 'Runbooks',
     'A runbook says what an alert means, whom it hurts, which query shows the state, and what to do. It is tried before it is needed, and changed after each time it was.',
     '{alerting,red-method}'),
    ('structured-logs', 'Structured logs',
     'A log line with named fields can be searched without a regular expression. Time, level, message, trace id and span id come first; the rest describes the event. One line per event, once.',
     '{log-correlation,span-event,log-levels}'),
    ('log-levels', 'Levels of logs',
     'ERROR is for what somebody has to look at, WARN for what may become one, INFO for steps of the work, DEBUG for the one who mends it. A caller''s mistake is not an ERROR of the service.',
     '{structured-logs,error-recording}'),
    ('log-correlation', 'From a log to its trace and back',
     'A record that carries the trace id and the span id opens its trace, and a span finds its records by the same ids. A log call outside of the context has neither, and is lost to both ways.',
     '{structured-logs,trace-id,resource-attributes,context-propagation}'),
    ('error-recording', 'Recording errors once',
     'Set the status of the failing span to error, give error.type, and record the exception there. Callers mark their own spans by what they saw, such as a status code, without the exception. A client''s 404 is no error of the server.',
     '{span-event,log-levels,red-method}'),
    ('head-sampling', 'Sampling at the head',
     'The decision is made when a trace begins and travels in the flags. It is cheap and blind: the rare failure is thrown away with the same probability as the rest.',
     '{tail-sampling,tracestate,traceparent}'),
    ('tail-sampling', 'Sampling at the tail',
     'The decision is made when a trace is complete, so errors and slow requests can always be kept. All spans of a trace have to reach the same place and wait there in memory. Take metrics from spans before this step.',
     '{head-sampling,collector,exemplar,orphan-span}'),
    ('service-graph', 'Service graphs',
     'A service graph is made by matching each CLIENT span with its SERVER span. The edge gets a rate, errors and durations seen from both ends; the difference is the network, or a queue in front of the server.',
     '{span-kind,red-method,message-queue}'),
    ('message-queue', 'Tracing through a queue',
     'The producer writes its context into the message, the consumer begins a span of its own and links to it. A consumer that may be killed has to commit its work and its acknowledgement together, or a message counts twice or never.',
     '{span-link,exactly-once,async-context,span-kind}'),
    ('exactly-once', 'Effects that happen once',
     'Delivery happens at least once; an effect happens once when it is keyed. Give each request an id, store it with a unique constraint, and let the second attempt find the result of the first.',
     '{message-queue,token-cost}'),
    ('readiness', 'Readiness and liveness',
     'Ready means that a request sent now would be served: the database answers, the index is loaded. Alive means that a restart would not help. An open port proves neither.',
     '{graceful-shutdown,synthetic-probe}'),
    ('synthetic-probe', 'Synthetic probes',
     'A probe sends a request with a trace id of its own and then looks for exactly that trace. It proves the whole path, from the click to the storage, and it can say what is missing instead of that something is there.',
     '{trace-id,readiness,alerting}'),
    ('secret-redaction', 'Keeping secrets out of telemetry',
     'Passwords hide in connection strings, tokens in headers and query strings, names in prompts. Do not record them, and remove by pattern in the collector what slipped through. Telemetry is read by more people than the database.',
     '{collector,baggage,genai-spans}')
ON CONFLICT (id) DO UPDATE SET title = excluded.title, body = excluded.body, related = excluded.related
WHERE (knowledge.title, knowledge.body, knowledge.related) IS DISTINCT FROM (excluded.title, excluded.body, excluded.related);

COMMIT;
