package telemetry_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"tracewright/go-service/telemetry"
)

func carry(t *testing.T, header string) context.Context {
	t.Helper()
	carried, err := baggage.Parse(header)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(t.Context(), carried)
}

func TestTenantReplacesTheClaimAndKeepsTheRest(t *testing.T) {
	ctx := telemetry.WithTenant(carry(t, "tenant.id=globex,test.id=t-1"), "a c,m;e")
	if got := telemetry.Tenant(ctx); got != "a c,m;e" {
		t.Errorf("tenant is %q", got)
	}
	if got := baggage.FromContext(ctx).Member("test.id").Value(); got != "t-1" {
		t.Errorf("test.id is %q", got)
	}
}

func TestTenantIsNeverTheCallersWhenBaggageIsFull(t *testing.T) {
	full := "filler=" + strings.Repeat("x", 8192-len("filler=,tenant.id=g")) + ",tenant.id=g"
	ctx := telemetry.WithTenant(carry(t, full), "acme-with-a-longer-name")
	if got := telemetry.Tenant(ctx); got != "acme-with-a-longer-name" {
		t.Errorf("tenant is %q", got)
	}
}
