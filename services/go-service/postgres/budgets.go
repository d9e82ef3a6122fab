package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tracewright/go-service/gateway"
)

var (
	selectAccount = statement{"SELECT", "budgets", `
		SELECT agents.team, coalesce(budgets.budget_usd, 0)::float8, coalesce(budgets.spend_usd, 0)::float8
		FROM agents LEFT JOIN budgets ON budgets.team = agents.team AND budgets.tenant_id = $1
		WHERE agents.id = $2`}
	selectAccounts = statement{"SELECT", "budgets", `
		SELECT tenant_id, team, budget_usd::float8, spend_usd::float8 FROM budgets ORDER BY tenant_id, team`}
	selectAgents = statement{"SELECT", "agents", `
		SELECT id, name, team, model FROM agents ORDER BY id LIMIT 20`}
)

// Account implements [gateway.Accounts].
func (db *DB) Account(ctx context.Context, tenant, agent string) (gateway.Account, error) {
	account := gateway.Account{Tenant: tenant}
	err := db.traced(ctx, selectAccount, func(ctx context.Context) error {
		return db.pool.QueryRow(ctx, selectAccount.sql, tenant, agent).
			Scan(&account.Team, &account.BudgetUSD, &account.SpendUSD)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return gateway.Account{}, &gateway.Error{
			Code:   gateway.CodeNotFound,
			Detail: fmt.Sprintf("agent %q does not exist", agent),
			Fields: []gateway.FieldError{{Field: "agent", Message: "does not exist"}},
		}
	}
	return account, err
}

// Accounts returns every team's account, ordered by tenant and team. CodeUnavailable.
func (db *DB) Accounts(ctx context.Context) ([]gateway.Account, error) {
	return collect[gateway.Account](ctx, db, selectAccounts)
}

// Agents implements [gateway.AgentCatalog].
func (db *DB) Agents(ctx context.Context) ([]gateway.Agent, error) {
	return collect[gateway.Agent](ctx, db, selectAgents)
}

// collect reads all rows of a statement into structs, by column position.
func collect[T any](ctx context.Context, db *DB, s statement) (list []T, err error) {
	err = db.traced(ctx, s, func(ctx context.Context) error {
		rows, err := db.pool.Query(ctx, s.sql)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		return err
	})
	return list, err
}
