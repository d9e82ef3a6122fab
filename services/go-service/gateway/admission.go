package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
)

// busyRetryAfter is what a caller over the limit is told to wait: about the length of one run.
const busyRetryAfter = time.Second

// Admission decides which runs may begin: the agent exists, its team has money left, and the tenant does not run too
// many at once. Budgets are read before the run and charged after it, so runs that are already under way may take a
// team a little over.
type Admission struct {
	accounts Accounts
	limit    int

	mu      sync.Mutex
	running map[string]int // by tenant; guarded by mu; no entry is zero
}

// NewAdmission admits at most limit concurrent runs of each tenant.
func NewAdmission(accounts Accounts, limit int) *Admission {
	return &Admission{accounts: accounts, limit: limit, running: map[string]int{}}
}

// Admit returns the run under its new id, and the function that must be called when it is over. The tenant exists.
// CodeNotFound (agent), CodeBudget, CodeBusy, CodeUnavailable.
func (a *Admission) Admit(ctx context.Context, request RunRequest) (run Run, done func(), err error) {
	account, err := a.accounts.Account(ctx, request.Tenant, request.Agent)
	if err != nil {
		return Run{}, nil, err
	}
	if account.SpendUSD >= account.BudgetUSD {
		return Run{}, nil, &Error{
			Code:   CodeBudget,
			Detail: fmt.Sprintf("the budget of team %s is exhausted", account.Team),
		}
	}
	if !a.enter(request.Tenant) {
		return Run{}, nil, &Error{
			Code:       CodeBusy,
			Detail:     fmt.Sprintf("tenant %s already runs %d agents", request.Tenant, a.limit),
			RetryAfter: busyRetryAfter,
		}
	}
	var once sync.Once
	done = func() { once.Do(func() { a.leave(request.Tenant) }) }
	return Run{ID: uuid.NewString(), RunRequest: request}, done, nil
}

func (a *Admission) enter(tenant string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running[tenant] >= a.limit {
		return false
	}
	a.running[tenant]++
	return true
}

func (a *Admission) leave(tenant string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running[tenant]--; a.running[tenant] == 0 {
		delete(a.running, tenant)
	}
}
