// Package faults holds the deliberate telemetry defects of this service: which there are, and what each breaks. They are
// described in flags/faults.yaml; off, which they are unless somebody switches them, nothing changes.
package faults

import (
	"context"
	"fmt"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"go.opentelemetry.io/otel/baggage"

	"tracewright/go-service/flagfile"
)

// Fault is a flag's name.
type Fault string

// The faults of this service.
const (
	ContextLost     Fault = "telemetry-go-context-lost"
	BaggageLost     Fault = "telemetry-go-baggage-lost"
	ExceptionTwice  Fault = "telemetry-go-exception-twice"
	LinkMissing     Fault = "telemetry-go-link-missing"
	ClockSkew       Fault = "telemetry-go-clock-skew"
	ResourceDiffers Fault = "telemetry-go-resource-differs"
)

// Faults answers which defects are on. A nil one has none.
type Faults struct{ client *openfeature.Client }

// New asks the provider.
func New(ctx context.Context, provider *flagfile.Provider) (*Faults, error) {
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(ctx, provider); err != nil {
		return nil, fmt.Errorf("set the flag provider: %w", err)
	}
	return &Faults{client: api.NewClient()}, nil
}

// On reports whether a defect is on for the request that ctx serves: its tenant, its test, its session. Nil has none.
func (f *Faults) On(ctx context.Context, fault Fault) bool {
	carried := baggage.FromContext(ctx)
	return f.onFor(ctx, fault, func(key string) string { return carried.Member(key).Value() })
}

// onFor is On for somebody whom value describes by baggage key.
func (f *Faults) onFor(ctx context.Context, fault Fault, value func(key string) string) bool {
	if f == nil {
		return false
	}
	subject := map[string]any{}
	for _, name := range []string{"tenant", "test", "session"} {
		if text := value(name + ".id"); text != "" {
			subject[name] = text
		}
	}
	return f.client.Boolean(ctx, string(fault), false, openfeature.NewTargetlessEvaluationContext(subject))
}
