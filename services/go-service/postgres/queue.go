package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"tracewright/go-service/gateway"
)

var (
	selectEvent = statement{"SELECT", "usage_events", `
		SELECT id, run_id::text, tenant_id, agent_id, team, provider, model, cost_usd::text,
		       coalesce(traceparent, ''), coalesce(baggage, ''), created_at
		FROM usage_events WHERE consumed_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1`}
	updateSpend = statement{"UPDATE", "budgets", `
		UPDATE budgets SET spend_usd = spend_usd + $1::numeric WHERE tenant_id = $2 AND team = $3`}
	// A team that spends without having a budget gets one of zero, so that its spend is still counted and seen.
	insertSpend = statement{"INSERT", "budgets", `
		INSERT INTO budgets (tenant_id, team, budget_usd, spend_usd) VALUES ($2, $3, 0, $1::numeric)
		ON CONFLICT (tenant_id, team) DO UPDATE SET spend_usd = budgets.spend_usd + excluded.spend_usd`}
	updateConsumed = statement{"UPDATE", "usage_events", `
		UPDATE usage_events SET consumed_at = now() WHERE id = $1`}
)

// delivery is one event and the transaction that holds its row lock.
type delivery struct {
	db    *DB
	tx    pgx.Tx
	event gateway.UsageEvent
}

// Receive implements [gateway.Queue]. A receiver that dies takes its connection with it, and PostgreSQL then undoes
// the transaction and frees the row.
func (db *DB) Receive(ctx context.Context) (gateway.Delivery, error) {
	begin, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	tx, err := db.pool.Begin(begin)
	if err != nil {
		return nil, failed("begin", err)
	}
	held := &delivery{db: db, tx: tx}
	err = db.traced(ctx, selectEvent, func(ctx context.Context) error {
		e := &held.event
		return tx.QueryRow(ctx, selectEvent.sql).Scan(&e.ID, &e.RunID, &e.Tenant, &e.Agent, &e.Team, &e.Provider,
			&e.Model, &e.CostUSD, &e.Traceparent, &e.Baggage, &e.CreatedAt)
	})
	if err == nil {
		return held, nil
	}
	held.Release(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return nil, err
}

func (d *delivery) Event() gateway.UsageEvent { return d.event }

func (d *delivery) Charge(ctx context.Context) error {
	changed, err := d.exec(ctx, updateSpend, d.event.CostUSD, d.event.Tenant, d.event.Team)
	if err != nil || changed == 1 {
		return err
	}
	_, err = d.exec(ctx, insertSpend, d.event.CostUSD, d.event.Tenant, d.event.Team)
	return err
}

func (d *delivery) Ack(ctx context.Context) error {
	if _, err := d.exec(ctx, updateConsumed, d.event.ID); err != nil {
		return err
	}
	commit, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	if err := d.tx.Commit(commit); err != nil {
		return failed("commit", err)
	}
	return nil
}

func (d *delivery) Release(ctx context.Context) {
	rollback, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	// An error here means that the connection is gone or the transaction is over: released either way.
	_ = d.tx.Rollback(rollback)
}

func (d *delivery) exec(ctx context.Context, s statement, args ...any) (changed int64, err error) {
	err = d.db.traced(ctx, s, func(ctx context.Context) error {
		tag, err := d.tx.Exec(ctx, s.sql, args...)
		changed = tag.RowsAffected()
		return err
	})
	return changed, err
}

// Listener is told when usage events are sent. One goroutine at a time may use it.
type Listener struct {
	db   *DB
	conn *pgx.Conn // nil when the connection was lost
}

// Listener returns a listener that connects at its first Wait.
func (db *DB) Listener() *Listener { return &Listener{db: db} }

// Wait returns nil when an event was sent, when the timeout is over, or when it has just begun to listen: in each case
// it is time to look at the queue. Events sent between two calls are not missed.
func (l *Listener) Wait(ctx context.Context, timeout time.Duration) error {
	if l.conn == nil {
		return l.connect(ctx)
	}
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := l.conn.WaitForNotification(wait)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) && !l.conn.IsClosed():
		return nil
	}
	l.Close(ctx)
	return failed("listen", err)
}

// Close gives the connection up.
func (l *Listener) Close(ctx context.Context) {
	if l.conn == nil {
		return
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	defer cancel()
	_ = l.conn.Close(closing) // nothing is lost with it
	l.conn = nil
}

func (l *Listener) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, l.db.config)
	if err != nil {
		return failed("connect to listen", err)
	}
	l.conn = conn
	if _, err := conn.Exec(ctx, "LISTEN usage_events"); err != nil {
		l.Close(ctx)
		return failed("listen", err)
	}
	return nil
}
