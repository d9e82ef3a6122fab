package worker

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"tracewright/go-service/gateway"
	"tracewright/go-service/telemetry"
)

// Ledger reads all accounts.
type Ledger interface {
	// Accounts returns every team's account. CodeUnavailable.
	Accounts(ctx context.Context) ([]gateway.Account, error)
}

// ObserveSpend reports each team's spend and budget, as committed at the time of each export.
func ObserveSpend(meters metric.MeterProvider, ledger Ledger) error {
	meter := meters.Meter("tracewright/go-service/worker")
	spend, err := meter.Float64ObservableGauge("team.spend",
		metric.WithUnit("usd"), metric.WithDescription("What the team's runs have cost so far"))
	if err != nil {
		return fmt.Errorf("make team.spend: %w", err)
	}
	budget, err := meter.Float64ObservableGauge("team.budget",
		metric.WithUnit("usd"), metric.WithDescription("What the team's runs may cost"))
	if err != nil {
		return fmt.Errorf("make team.budget: %w", err)
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, observer metric.Observer) error {
		accounts, err := ledger.Accounts(ctx)
		if err != nil {
			return fmt.Errorf("read budgets: %w", err)
		}
		for _, account := range accounts {
			labels := metric.WithAttributes(
				attribute.String(telemetry.TenantKey, account.Tenant), attribute.String("team", account.Team))
			observer.ObserveFloat64(spend, account.SpendUSD, labels)
			observer.ObserveFloat64(budget, account.BudgetUSD, labels)
		}
		return nil
	}, spend, budget)
	if err != nil {
		return fmt.Errorf("register team gauges: %w", err)
	}
	return nil
}
