// Package postgres keeps the gateway's side of the database: tenants, agents, budgets and the usage queue. Each
// statement is a CLIENT span named by operation and table, when there is a trace to be part of: polls, gauges and
// health checks leave none.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"tracewright/go-service/gateway"
	"tracewright/go-service/telemetry"
)

const (
	// statementTimeout bounds each statement, a connection for it included: a database that hangs is one that is down.
	statementTimeout = 2 * time.Second
	maxConnections   = 10
)

// DB is the gateway's connection pool. Its methods may be called from many goroutines.
type DB struct {
	pool   *pgxpool.Pool
	config *pgx.ConnConfig // of the pool's connections, for one outside of it
	server []attribute.KeyValue
	tracer trace.Tracer
	seen   tenantCache
}

// Open reads the URL and makes the pool; it does not connect yet. The error never holds the URL, which has a password.
func Open(ctx context.Context, url string, tracers trace.TracerProvider) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("not a PostgreSQL URL")
	}
	config.MaxConns = maxConnections
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "go-service"
	}
	config.ConnConfig.ConnectTimeout = statementTimeout
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	return &DB{
		pool:   pool,
		config: config.ConnConfig,
		server: []attribute.KeyValue{
			semconv.DBSystemNamePostgreSQL,
			semconv.DBNamespace(config.ConnConfig.Database),
			semconv.ServerAddress(config.ConnConfig.Host),
			semconv.ServerPort(int(config.ConnConfig.Port)),
		},
		tracer: tracers.Tracer("tracewright/go-service/postgres"),
	}, nil
}

// Close waits until every connection is back, and closes them.
func (db *DB) Close() { db.pool.Close() }

// Ping asks the database for an answer within the statement timeout.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	return db.pool.Ping(ctx)
}

// WaitReady returns when the database answers and has the schema, or the last reason why not when patience is over.
func (db *DB) WaitReady(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	retry := time.NewTicker(200 * time.Millisecond)
	defer retry.Stop()
	var reason error
	for {
		err := db.loadTenants(ctx)
		if err == nil {
			return nil
		}
		if reason == nil || ctx.Err() == nil { // an attempt cut off by our own patience tells nothing
			reason = err
		}
		select {
		case <-ctx.Done():
			return reason
		case <-retry.C:
		}
	}
}

// statement is one SQL text with what its span is called by.
type statement struct {
	operation string
	table     string
	sql       string
}

// traced runs one statement, rows included, under a span if ctx has one, within the statement timeout.
// CodeUnavailable, CodeInternal, CodeCanceled.
func (db *DB) traced(caller context.Context, s statement, run func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(caller, statementTimeout)
	defer cancel()
	span := trace.SpanFromContext(ctx)
	if span.SpanContext().IsValid() {
		summary := s.operation + " " + s.table
		ctx, span = db.tracer.Start(ctx, summary,
			trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(db.server...),
			trace.WithAttributes(
				semconv.DBOperationName(s.operation),
				semconv.DBCollectionName(s.table),
				semconv.DBQuerySummary(summary),
				semconv.DBQueryText(strings.Join(strings.Fields(s.sql), " ")),
			),
		)
		defer span.End()
	}
	err := run(ctx)
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if span.IsRecording() {
		err = telemetry.Fail(span, err, errorType(err))
	}
	if errors.Is(caller.Err(), context.Canceled) {
		return &gateway.Error{Code: gateway.CodeCanceled, Detail: "the caller went away", Cause: err}
	}
	return failed(s.operation+" "+s.table, err)
}

// failed says whether the database is at fault (it cannot be reached, it hangs, it is stopping) or our SQL.
func failed(act string, err error) error {
	cause := fmt.Errorf("%s: %w", act, err)
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		switch answer.Code[:2] {
		case "08", "53", "57", "58": // connection, resources, operator intervention (shutdown), system
		default:
			return &gateway.Error{Code: gateway.CodeInternal, Detail: "the request could not be completed", Cause: cause}
		}
	}
	return &gateway.Error{Code: gateway.CodeUnavailable, Detail: "the database is not available", Cause: cause}
}

// errorType is the SQLSTATE where the database answered, else a short word.
func errorType(err error) string {
	var answer *pgconn.PgError
	switch {
	case errors.As(err, &answer):
		return answer.Code
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "connection"
}
