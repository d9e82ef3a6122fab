package telemetry

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// TenantKey is the baggage key, span attribute, log attribute and metric attribute of the tenant.
const TenantKey = "tenant.id"

// copied reports whether a baggage member becomes an attribute of spans and log records. Baggage comes from outside:
// everything else travels on and is not recorded.
func copied(member baggage.Member) bool {
	switch member.Key() {
	case TenantKey, "test.id", "session.id":
		return true
	}
	return false
}

// Tenant returns the tenant in ctx's baggage, or "".
func Tenant(ctx context.Context) string {
	return baggage.FromContext(ctx).Member(TenantKey).Value()
}

// WithTenant puts the tenant into the baggage of the returned context, in place of what a caller claimed, and on the
// current span, which began before the tenant was known.
func WithTenant(ctx context.Context, tenant string) context.Context {
	trace.SpanFromContext(ctx).SetAttributes(attribute.String(TenantKey, tenant))
	member, err := baggage.NewMemberRaw(TenantKey, tenant)
	if err != nil {
		return ctx // the value is not UTF-8, so it cannot travel
	}
	carried, err := baggage.FromContext(ctx).SetMember(member)
	if err != nil {
		// The caller's baggage is full. Better to lose its members than to pass its idea of the tenant on.
		if carried, err = baggage.New(member); err != nil {
			return ctx
		}
	}
	return baggage.ContextWithBaggage(ctx, carried)
}

// copiedMembers returns ctx's baggage members that are recorded, ordered by key.
func copiedMembers(ctx context.Context) []baggage.Member {
	members := slices.DeleteFunc(baggage.FromContext(ctx).Members(), func(m baggage.Member) bool { return !copied(m) })
	slices.SortFunc(members, func(a, b baggage.Member) int {
		if a.Key() < b.Key() {
			return -1
		}
		return 1
	})
	return members
}
