package gateway_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"tracewright/go-service/gateway"
)

// rich is an account with money left.
type rich struct{}

func (rich) Account(_ context.Context, tenant, _ string) (gateway.Account, error) {
	return gateway.Account{Tenant: tenant, Team: "research", BudgetUSD: 1}, nil
}

func TestTenantsDoNotTakeEachOthersPlaces(t *testing.T) {
	admission := gateway.NewAdmission(rich{}, 1)
	_, done, err := admission.Admit(t.Context(), gateway.RunRequest{Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	var busy *gateway.Error
	if _, _, err := admission.Admit(t.Context(), gateway.RunRequest{Tenant: "acme"}); !errors.As(err, &busy) ||
		busy.Code != gateway.CodeBusy || busy.RetryAfter <= 0 {
		t.Errorf("a second run of acme: %v", err)
	}
	if _, _, err := admission.Admit(t.Context(), gateway.RunRequest{Tenant: "globex"}); err != nil {
		t.Errorf("a run of globex: %v", err)
	}
	done()
	done() // twice is once
	for _, want := range []bool{true, false} {
		if _, _, err := admission.Admit(t.Context(), gateway.RunRequest{Tenant: "acme"}); (err == nil) != want {
			t.Errorf("after the run had ended: %v", err)
		}
	}
}

func TestLimitHoldsUnderConcurrency(t *testing.T) {
	const limit = 8
	admission := gateway.NewAdmission(rich{}, limit)
	var inside, most, admitted atomic.Int64
	var callers sync.WaitGroup
	for range 200 {
		callers.Go(func() {
			_, done, err := admission.Admit(context.Background(), gateway.RunRequest{Tenant: "acme"})
			if err != nil {
				return
			}
			defer done()
			admitted.Add(1)
			now := inside.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			inside.Add(-1)
		})
	}
	callers.Wait()
	if most.Load() > limit || admitted.Load() == 0 {
		t.Errorf("%d at once, %d in all", most.Load(), admitted.Load())
	}
}
