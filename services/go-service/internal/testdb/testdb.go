// Package testdb gives a test the fleet's schema in a real PostgreSQL, apart from everything else in that database.
package testdb

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// New applies postgres/schema.sql to a new PostgreSQL schema in the database of DATABASE_URL and returns the URL to
// it and a connection. Both are gone after the test. Without DATABASE_URL the test is skipped.
func New(t *testing.T) (databaseURL string, conn *pgx.Conn) {
	t.Helper()
	base := os.Getenv("DATABASE_URL")
	if base == "" {
		t.Skip("needs a real PostgreSQL: set DATABASE_URL")
	}
	parsed, err := url.Parse(base)
	if err != nil {
		t.Fatal("DATABASE_URL is not a URL")
	}
	name := "go_test_" + uuid.NewString()[:8]
	query := parsed.Query()
	query.Set("search_path", name)
	parsed.RawQuery = query.Encode()

	ctx := context.Background() // cleaning up goes on after the test's own context has ended
	conn, err = pgx.Connect(ctx, parsed.String())
	if err != nil {
		t.Fatalf("connect to DATABASE_URL: %v", err)
	}
	t.Cleanup(func() {
		if _, err := conn.Exec(ctx, fmt.Sprintf("DROP SCHEMA %s CASCADE", name)); err != nil {
			t.Errorf("drop schema: %v", err)
		}
		if err := conn.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	_, here, _, _ := runtime.Caller(0)
	schema, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../../../postgres/schema.sql"))
	if err != nil {
		t.Fatalf("read the schema: %v", err)
	}
	for _, sql := range []string{"CREATE SCHEMA " + name, string(schema)} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("apply the schema: %v", err)
		}
	}
	query.Set("application_name", name)
	parsed.RawQuery = query.Encode()
	return parsed.String(), conn
}

// Kill ends all connections of the URL that [New] returned, as when their process is killed, and returns how many.
func Kill(t *testing.T, databaseURL string) (killed int) {
	t.Helper()
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Error(err)
		return 0
	}
	name := config.RuntimeParams["application_name"]
	config.RuntimeParams["application_name"] = "killer"
	ctx := context.Background()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Errorf("connect: %v", err)
		return 0
	}
	defer conn.Close(ctx)
	const kill = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE application_name = $1"
	if err := conn.QueryRow(ctx, kill, name).Scan(&killed); err != nil {
		t.Errorf("kill: %v", err)
	}
	return killed
}

// Event is what the producer sends with an execution.
type Event struct {
	RunID, Tenant, Agent, Team, CostUSD, Traceparent, Baggage string
}

// Send stores an execution and its usage event and notifies, in one transaction, as python-service does.
func Send(t *testing.T, conn *pgx.Conn, event Event) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `
			INSERT INTO executions (run_id, tenant_id, agent_id, question, answer, sources, input_tokens, output_tokens,
			                        cost_usd, status)
			VALUES ($1, $2, $3, 'why', 'because', '[]', 1, 2, $4::numeric, 'ok')`,
			event.RunID, event.Tenant, event.Agent, event.CostUSD); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `
			INSERT INTO usage_events (run_id, tenant_id, agent_id, team, provider, model, input_tokens, output_tokens,
			                          cost_usd, traceparent, baggage)
			VALUES ($1, $2, $3, $4, 'simulated', 'sim-large', 1, 2, $5::numeric, nullif($6, ''), nullif($7, ''))
			RETURNING pg_notify('usage_events', id::text)`,
			event.RunID, event.Tenant, event.Agent, event.Team, event.CostUSD, event.Traceparent, event.Baggage)
		return err
	})
	if err != nil {
		t.Fatalf("send usage event: %v", err)
	}
}

// Spend returns a team's spend as stored, with every digit.
func Spend(t *testing.T, conn *pgx.Conn, tenant, team string) string {
	t.Helper()
	var spend string
	err := conn.QueryRow(t.Context(), "SELECT spend_usd::text FROM budgets WHERE tenant_id = $1 AND team = $2", tenant, team).
		Scan(&spend)
	if err != nil {
		t.Fatalf("read spend: %v", err)
	}
	return spend
}
