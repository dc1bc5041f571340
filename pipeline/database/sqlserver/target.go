package sqlserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// target fills a database in one transaction.
type target struct {
	db      *sql.DB
	conn    *sql.Conn
	tx      *sql.Tx // from Create to Commit
	server  server
	catalog *catalog
}

func openTarget(ctx context.Context, db *sql.DB) (*target, error) {
	conn, err := session(ctx, db)
	if err != nil {
		return nil, err
	}
	server, err := identify(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &target{db: db, conn: conn, server: server}, nil
}

// session is what statements run on: the transaction, once there is one.
func (t *target) session() interface {
	sqlengine.Queryer
	sqlengine.Execer
} {
	if t.tx != nil {
		return t.tx
	}
	return t.conn
}

// Schema reads the target's catalog as it is now.
func (t *target) Schema(ctx context.Context) (*database.Schema, error) {
	if err := t.read(ctx); err != nil {
		return nil, err
	}
	return t.catalog.schema(database.Filter{}), nil
}

func (t *target) read(ctx context.Context) (err error) {
	t.catalog, err = readCatalog(ctx, t.session(), t.server)
	return err
}

// Rows reads a planned table back.
func (t *target) Rows(ctx context.Context, table *database.Table, send func(*database.Batch) error) error {
	if t.catalog == nil {
		if err := t.read(ctx); err != nil {
			return err
		}
	}
	return readRows(ctx, t.session(), t.catalog, table, send)
}

// Plan replays an SQL Server source's own objects; any other schema is mapped.
func (t *target) Plan(_ context.Context, s *database.Schema, opts database.PlanOptions) (*database.Plan, error) {
	if s.Engine == database.SQLServer && !opts.NoNativeDDL && !opts.HandedOver {
		return dialect().Replay(s, nil), nil
	}
	return dialect().Map(s, opts).Plan, nil
}

const contentSQL = `SELECT TOP (4) LOWER(REPLACE(o.type_desc, '_', ' ')) + N' ' + s.name + N'.' + o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.is_ms_shipped = 0 AND o.parent_object_id = 0 ORDER BY o.object_id`

// Create begins the transaction, refuses a database that holds something, and
// makes the tables.
func (t *target) Create(ctx context.Context, p *database.Plan) (err error) {
	// The transaction must outlive the call that opens it.
	if t.tx, err = t.conn.BeginTx(context.WithoutCancel(ctx), nil); err != nil {
		return fmt.Errorf("begin in database %s: %w", t.server.name, translate(err))
	}
	if err := t.refuseFilled(ctx, t.tx); err != nil {
		return err
	}
	findings, err := t.run(ctx, p.Detail.(*ddl.Steps).Create)
	p.Findings = append(p.Findings, findings...)
	return err
}

const (
	saveSQL  = "SAVE TRANSACTION packstone"
	undoSQL  = "ROLLBACK TRANSACTION packstone"
	stateSQL = "SELECT XACT_STATE()"
)

// run executes statements. One that may fail does so in a savepoint.
func (t *target) run(ctx context.Context, statements []ddl.Statement) ([]database.Finding, error) {
	var findings []database.Finding
	for _, s := range statements {
		if s.Vital && s.Instead == "" {
			if _, err := t.tx.ExecContext(ctx, s.SQL); err != nil {
				return findings, fmt.Errorf("create %s: %w", s.Object, translate(err))
			}
			continue
		}
		failure, err := t.attempt(ctx, s.SQL)
		if err == nil && failure != nil && s.Instead != "" {
			if number(failure) != errCascades {
				return findings, fmt.Errorf("create %s: %w", s.Object, translate(failure))
			}
			_, err = t.tx.ExecContext(ctx, s.Instead)
			findings = append(findings, database.Finding{Object: s.Object, Status: database.Approximated, Code: database.CodeForeignKeyWeaker, Reason: s.Lost})
		} else if err == nil && failure != nil {
			findings = append(findings, database.Finding{Object: s.Object, Status: database.Dropped, Code: database.CodeRefused, Reason: failure.Error()})
		}
		if err != nil {
			return findings, fmt.Errorf("create %s: %w", s.Object, translate(err))
		}
	}
	return findings, nil
}

// attempt runs a statement that may fail. failure is its error where the
// transaction goes on as if it had not been; err means that it cannot go on.
func (t *target) attempt(ctx context.Context, statement string) (failure, err error) {
	if _, err := t.tx.ExecContext(ctx, saveSQL); err != nil {
		return nil, err
	}
	if _, failure = t.tx.ExecContext(ctx, statement); failure == nil {
		return nil, nil
	}
	if lost(failure) || ctx.Err() != nil {
		return nil, failure
	}
	state := ""
	if err := sqlengine.Each(ctx, t.tx, stateSQL, func(row []string) error { state = row[0]; return nil }); err != nil {
		return nil, errors.Join(failure, err)
	}
	if state != "1" {
		return nil, fmt.Errorf("the server gave up the whole transaction: %w", failure)
	}
	if _, err := t.tx.ExecContext(ctx, undoSQL); err != nil {
		return nil, errors.Join(failure, err)
	}
	return failure, nil
}

// Load fills a table.
func (t *target) Load(ctx context.Context, p *database.PlannedTable, next func() (*database.Batch, error)) error {
	if t.catalog == nil {
		if err := t.read(ctx); err != nil {
			return err
		}
	}
	raw := t.catalog.find(p.Target.Schema, p.Target.Name)
	if raw == nil {
		return fmt.Errorf("table %s is not in the catalog", p.Target.ID())
	}
	l, err := newLoader(t.tx, raw, p.Target)
	if err != nil {
		return err
	}
	counted := false
	for _, c := range p.Target.Columns {
		counted = counted || c.Identity != nil
	}
	if counted {
		if err := t.identityInsert(ctx, p.Target, "ON"); err != nil {
			return err
		}
	}
	if err := l.load(ctx, next); err != nil || !counted {
		return err
	}
	return t.identityInsert(ctx, p.Target, "OFF")
}

func (t *target) identityInsert(ctx context.Context, table *database.Table, state string) error {
	_, err := t.tx.ExecContext(ctx, "SET IDENTITY_INSERT "+qualified(table.Schema, table.Name)+" "+state)
	if err != nil {
		return fmt.Errorf("switch identity insert %s: %w", strings.ToLower(state), translate(err))
	}
	return nil
}

// Finish builds keys and indexes, sets counters, then replays the rest.
func (t *target) Finish(ctx context.Context, p *database.Plan, r *database.Report) ([]database.Finding, error) {
	t.catalog = nil
	steps := p.Detail.(*ddl.Steps)
	findings, err := t.run(ctx, steps.After)
	if err != nil {
		return findings, err
	}
	if err := t.setCounters(ctx, p, steps.Sequences, r); err != nil {
		return findings, err
	}
	more, err := t.run(ctx, steps.End)
	return append(findings, more...), err
}

func (t *target) setCounters(ctx context.Context, p *database.Plan, sequences map[string]string, r *database.Report) error {
	for _, q := range p.Source.Sequences {
		name, ok := sequences[q.ID()]
		if !ok {
			continue
		}
		if _, err := t.tx.ExecContext(ctx, fmt.Sprintf("ALTER SEQUENCE %s RESTART WITH %d", name, q.Next())); err != nil {
			return fmt.Errorf("set sequence %s: %w", q.ID(), translate(err))
		}
	}
	for _, table := range p.Tables {
		for _, c := range table.Target.Columns {
			if c.Identity == nil {
				continue
			}
			q := p.Source.Sequence(c.Identity.Sequence)
			if q == nil {
				continue
			}
			if _, err := t.tx.ExecContext(ctx, reseed(table, q, r)); err != nil {
				return fmt.Errorf("set the counter of %s.%s: %w", table.Target.ID(), c.Name, translate(err))
			}
		}
	}
	return nil
}

// reseed lets a counter go on. A table that never had a row begins with the
// seed, any other goes on after it.
func reseed(table *database.PlannedTable, q *database.Sequence, r *database.Report) string {
	seed := q.Next()
	if result := r.Result(table.Source.ID()); result != nil && result.Rows > 0 {
		seed -= q.Increment
	}
	return fmt.Sprintf("DBCC CHECKIDENT(%s, RESEED, %d) WITH NO_INFOMSGS", quoteText(qualified(table.Target.Schema, table.Target.Name)), seed)
}

// Commit ends the transaction.
func (t *target) Commit(context.Context) error {
	if t.tx == nil {
		return nil
	}
	if err := t.tx.Commit(); err != nil {
		return fmt.Errorf("commit to database %s: %w", t.server.name, translate(err))
	}
	return nil
}

// Close rolls back what was not committed and disconnects.
func (t *target) Close() error {
	var undone error
	if t.tx != nil {
		undone = sqlengine.IgnoreDone(t.tx.Rollback())
		if lost(undone) {
			undone = nil // the server rolls back what it lost
		}
	}
	return errors.Join(undone, sqlengine.IgnoreDone(t.conn.Close()), t.db.Close())
}
