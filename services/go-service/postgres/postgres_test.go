package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/gateway"
	"tracewright/go-service/internal/recording"
	"tracewright/go-service/internal/testdb"
	"tracewright/go-service/postgres"
)

func open(t *testing.T, url string) (*postgres.DB, *recording.Recording) {
	t.Helper()
	recorded := recording.New(t)
	db, err := postgres.Open(t.Context(), url, recorded.Tracers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db, recorded
}

// inSpan begins the span of a request; end it before looking at the recorded ones.
func inSpan(ctx context.Context, recorded *recording.Recording) (context.Context, trace.Span) {
	return recorded.Tracers.Tracer("test").Start(ctx, "request")
}

func wantCode(t *testing.T, err error, code gateway.Code) {
	t.Helper()
	var failure *gateway.Error
	if !errors.As(err, &failure) || failure.Code != code {
		t.Errorf("error is %v, want code %s", err, code)
	}
}

func TestAccountOfAnAgentsTeam(t *testing.T) {
	url, conn := testdb.New(t)
	db, recorded := open(t, url)
	ctx, span := inSpan(t.Context(), recorded)
	account, err := db.Account(ctx, "acme", "writer")
	span.End()
	if err != nil || account.Team != "marketing" || account.BudgetUSD <= 0 || account.SpendUSD != 0 {
		t.Errorf("%+v, %v", account, err)
	}
	statement := recorded.Span(t, "SELECT budgets")
	attributes := recording.Attributes(statement.Attributes())
	for key, want := range map[string]any{
		"db.system.name": "postgresql", "db.operation.name": "SELECT", "db.collection.name": "budgets",
		"db.query.summary": "SELECT budgets", "db.system": nil, "db.statement": nil,
	} {
		if attributes[key] != want {
			t.Errorf("%s is %v, want %v", key, attributes[key], want)
		}
	}
	if statement.SpanKind() != trace.SpanKindClient {
		t.Errorf("kind is %s", statement.SpanKind())
	}

	_, err = db.Account(t.Context(), "acme", "nobody")
	wantCode(t, err, gateway.CodeNotFound)
	if _, err := conn.Exec(t.Context(), "DELETE FROM budgets"); err != nil {
		t.Fatal(err)
	}
	if account, err := db.Account(t.Context(), "acme", "writer"); err != nil || account.BudgetUSD != 0 {
		t.Errorf("a team without a budget: %+v, %v", account, err)
	}
}

func TestTenantsAreReadAgainForANewName(t *testing.T) {
	url, conn := testdb.New(t)
	db, _ := open(t, url)
	for tenant, want := range map[string]bool{"acme": true, "globex": true, "initech": false} {
		if got, err := db.Exists(t.Context(), tenant); err != nil || got != want {
			t.Errorf("%s exists: %v, %v", tenant, got, err)
		}
	}
	if _, err := conn.Exec(t.Context(), "INSERT INTO tenants VALUES ('initech', 'Initech')"); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(time.Minute)
	for {
		if found, err := db.Exists(t.Context(), "initech"); err != nil || found {
			if err != nil {
				t.Error(err)
			}
			return
		}
		select {
		case <-deadline:
			t.Fatal("a new tenant is not seen within a minute")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestDatabaseThatIsDownIsUnavailableAndRecordedOnItsSpan(t *testing.T) {
	db, recorded := open(t, "postgresql://u:hunter2@127.0.0.1:1/d")
	ctx, span := inSpan(t.Context(), recorded)
	_, err := db.Agents(ctx)
	span.End()
	wantCode(t, err, gateway.CodeUnavailable)
	if got := recorded.Exceptions(); !slices.Equal(got, []string{"SELECT agents"}) {
		t.Errorf("exceptions on %v", got)
	}
	if got := recording.Attributes(recorded.Span(t, "SELECT agents").Attributes())["error.type"]; got != "connection" {
		t.Errorf("error.type is %v", got)
	}
	began := time.Now()
	err = db.WaitReady(t.Context(), 2*time.Second)
	wantCode(t, err, gateway.CodeUnavailable)
	if !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error is %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("patience of 2 s took %s", took)
	}
}

func TestStatementThatHangsEndsWithinItsTimeout(t *testing.T) {
	url, conn := testdb.New(t)
	db, recorded := open(t, url)
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE agents IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	ctx, span := inSpan(t.Context(), recorded)
	began := time.Now()
	_, err := db.Agents(ctx)
	span.End()
	wantCode(t, err, gateway.CodeUnavailable)
	if took := time.Since(began); took > time.Minute { // the lock is held for as long as it takes
		t.Errorf("it took %s", took)
	}
	if got := recording.Attributes(recorded.Span(t, "SELECT agents").Attributes())["error.type"]; got != "timeout" {
		t.Errorf("error.type is %v", got)
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}

func TestWrongSQLIsADefectOfOurs(t *testing.T) {
	url, conn := testdb.New(t)
	db, _ := open(t, url)
	if _, err := conn.Exec(t.Context(), "ALTER TABLE agents RENAME COLUMN team TO crew"); err != nil {
		t.Fatal(err)
	}
	_, err := db.Agents(t.Context())
	wantCode(t, err, gateway.CodeInternal)
}

func TestEventInHandIsNotDeliveredToAnother(t *testing.T) {
	url, conn := testdb.New(t)
	db, _ := open(t, url)
	testdb.Send(t, conn, testdb.Event{
		RunID: uuid.NewString(), Tenant: "acme", Agent: "researcher", Team: "research", CostUSD: "0.5",
	})
	first, err := db.Receive(t.Context())
	if err != nil || first == nil {
		t.Fatalf("%v, %v", first, err)
	}
	if second, err := db.Receive(t.Context()); err != nil || second != nil {
		t.Errorf("%v, %v", second, err)
	}
	first.Release(t.Context())
	again, err := db.Receive(t.Context())
	if err != nil || again == nil || again.Event().ID != first.Event().ID {
		t.Fatalf("a released event is not delivered again: %v, %v", again, err)
	}
	again.Release(t.Context())
	again.Release(t.Context())
}

func TestListenerWakesAndSurvivesALostConnection(t *testing.T) {
	url, conn := testdb.New(t)
	db, _ := open(t, url)
	listener := db.Listener()
	defer listener.Close(t.Context())
	for range 2 {
		if err := listener.Wait(t.Context(), time.Minute); err != nil { // it has begun to listen
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "NOTIFY usage_events"); err != nil {
			t.Fatal(err)
		}
		if err := listener.Wait(t.Context(), time.Minute); err != nil { // it was woken
			t.Fatal(err)
		}
		if err := listener.Wait(t.Context(), 10*time.Millisecond); err != nil { // nothing came
			t.Fatal(err)
		}
		if testdb.Kill(t, url) == 0 {
			t.Fatal("nothing was killed")
		}
		wantCode(t, listener.Wait(t.Context(), time.Minute), gateway.CodeUnavailable)
	}
}
