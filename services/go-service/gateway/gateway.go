// Package gateway holds what the gateway is about: runs, tenants, budgets and usage events, the rules by which a run
// is admitted, and the interfaces to what lies around it. It knows no HTTP and no SQL.
package gateway

import (
	"context"
	"time"
)

// RunRequest is what a person asks for: one question to one agent of their tenant.
type RunRequest struct {
	Tenant   string
	Agent    string
	Question string
}

// Run is an admitted [RunRequest]. ID makes its execution idempotent.
type Run struct {
	ID string
	RunRequest
}

// Source is a knowledge entry that an answer rests on.
type Source struct {
	ID    string  `json:"id"`
	Title string  `json:"title"`
	Score float64 `json:"score"`
}

// Tokens counts what went into the model and what came out of it.
type Tokens struct {
	Input  int `json:"input"`
	Output int `json:"output"`
}

// Execution is the outcome of a [Run].
type Execution struct {
	RunID   string   `json:"run_id"`
	Answer  string   `json:"answer"`
	Sources []Source `json:"sources"`
	Tokens  Tokens   `json:"tokens"`
	CostUSD float64  `json:"cost_usd"`
}

// Account is one team's budget in one tenant, in USD.
type Account struct {
	Tenant    string
	Team      string
	BudgetUSD float64
	SpendUSD  float64
}

// Agent is an agent that a run can name.
type Agent struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Team  string `json:"team"`
	Model string `json:"model"`
}

// UsageEvent tells what one run cost, and carries the context of the span that sent it.
type UsageEvent struct {
	ID       int64
	RunID    string
	Tenant   string
	Agent    string
	Team     string
	Provider string
	Model    string
	// CostUSD is the exact decimal, as stored; sums of it must not pass through a float.
	CostUSD string
	// Traceparent and Baggage are W3C header values, empty when the producer was not traced.
	Traceparent string
	Baggage     string
	CreatedAt   time.Time
}

// Tenants answers which tenants exist.
type Tenants interface {
	// Exists may be up to a second behind for a tenant that is new. CodeUnavailable.
	Exists(ctx context.Context, tenant string) (bool, error)
}

// Accounts reads budgets.
type Accounts interface {
	// Account returns the account that a run of agent in tenant is charged to. CodeNotFound when the agent does not
	// exist, CodeUnavailable. A team without a budget has one of zero.
	Account(ctx context.Context, tenant, agent string) (Account, error)
}

// AgentRuntime executes runs.
type AgentRuntime interface {
	// Execute returns within the dependency's time limit. CodeRefused, CodeBadGateway, CodeUnavailable, CodeCanceled.
	Execute(ctx context.Context, run Run) (Execution, error)
}

// AgentCatalog lists the agents.
type AgentCatalog interface {
	// Agents returns at most 20 agents, ordered by id. CodeUnavailable.
	Agents(ctx context.Context) ([]Agent, error)
}

// Delivery is one usage event that its receiver alone holds, inside one transaction. Nothing of it is visible to
// others before Ack has returned nil; a delivery that is lost (crash, lost connection) or released is received again.
type Delivery interface {
	Event() UsageEvent
	// Charge adds the event's cost to its team's spend.
	Charge(ctx context.Context) error
	// Ack marks the event as consumed and commits.
	Ack(ctx context.Context) error
	// Release gives the event back, if Ack has not returned nil. It may be called always, and more than once.
	Release(ctx context.Context)
}

// Queue delivers usage events, oldest first, each to one receiver at a time.
type Queue interface {
	// Receive returns nil without an error when no event waits.
	Receive(ctx context.Context) (Delivery, error)
}
