package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"tracewright/go-service/telemetry"
)

// tenantsFresh bounds how often a stranger's name can make us read the table.
const tenantsFresh = time.Second

var selectTenants = statement{"SELECT", "tenants", "SELECT id FROM tenants"}

// tenantCache holds the tenants last read. They hardly ever change, and every request asks.
type tenantCache struct {
	mu     sync.Mutex
	ids    map[string]struct{} // guarded by mu
	loaded time.Time           // guarded by mu; zero before the first read
}

// Exists reports whether the tenant exists. It reads the table only for a name that it does not know, at most once in
// tenantsFresh. CodeUnavailable.
func (db *DB) Exists(ctx context.Context, tenant string) (bool, error) {
	db.seen.mu.Lock()
	_, known := db.seen.ids[tenant]
	fresh := time.Since(db.seen.loaded) < tenantsFresh
	db.seen.mu.Unlock()
	if known || fresh {
		return known, nil
	}
	if err := db.loadTenants(telemetry.Untraced(ctx)); err != nil {
		return false, err
	}
	db.seen.mu.Lock()
	defer db.seen.mu.Unlock()
	_, known = db.seen.ids[tenant]
	return known, nil
}

func (db *DB) loadTenants(ctx context.Context) error {
	ids := map[string]struct{}{}
	err := db.traced(ctx, selectTenants, func(ctx context.Context) error {
		rows, err := db.pool.Query(ctx, selectTenants.sql)
		if err != nil {
			return err
		}
		var id string
		_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
			ids[id] = struct{}{}
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	db.seen.mu.Lock()
	defer db.seen.mu.Unlock()
	db.seen.ids, db.seen.loaded = ids, time.Now()
	return nil
}
