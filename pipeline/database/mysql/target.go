package mysql

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	client "github.com/go-sql-driver/mysql"

	"github.com/packstone/packstone/pipeline/database"
)

// target is a database to be filled.
type target struct {
	config    *client.Config
	opts      database.TargetOptions
	admin     *session // does everything but loading and holds the named lock
	loaders   chan *session
	created   bool // the marker stands
	committed bool
	closed    bool
	collation string // what the database had; empty: unchanged
	staged    int    // tables that wait to be put back
	refilling bool   // rows are put back, in a transaction
	beside    bool   // tables are made beside those that are there
}

func openTarget(ctx context.Context, config *client.Config, opts database.TargetOptions) (*target, error) {
	jobs := max(opts.Jobs, 1)
	t := &target{config: config, opts: opts, loaders: make(chan *session, jobs)}
	for range jobs {
		t.loaders <- nil // connected when it is needed
	}
	var err error
	t.admin, err = t.connect(ctx)
	return t, err
}

// connect opens a session that may store whatever a source held.
func (t *target) connect(ctx context.Context) (*session, error) {
	s, err := connect(ctx, t.config)
	if err != nil {
		return nil, err
	}
	err = s.exec(ctx, "SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0, SESSION lock_wait_timeout = 600")
	if err != nil {
		s.close()
		return nil, fmt.Errorf("set up the session: %w", err)
	}
	return s, nil
}

// Plan replays native DDL on a server of the source's kind and maps otherwise.
func (t *target) Plan(ctx context.Context, s *database.Schema, opts database.PlanOptions) (*database.Plan, error) {
	var p *database.Plan
	if s.Engine == t.admin.server.engine && !opts.NoNativeDDL && len(s.Objects) > 0 {
		var err error
		if p, err = nativePlan(s, t.admin.server, opts); err != nil {
			return nil, err
		}
	} else {
		y := typer{server: t.admin.server, family: database.Family(s.Engine) == database.MySQL}
		y.fine = !y.family && s.Engine != database.Postgres
		if y.collations = map[string]bool{}; true {
			err := t.admin.texts(ctx, "SELECT COLLATION_NAME FROM information_schema.COLLATIONS", func(row []string, _ []bool) error {
				y.collations[row[0]] = true
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("list the collations: %w", translate(err))
			}
		}
		var err error
		if opts.Beside {
			if y.around, err = t.around(ctx); err != nil {
				return nil, fmt.Errorf("look into the database: %w", translate(err))
			}
			t.beside = true
		}
		if p, err = mappedPlan(s, y, opts); err != nil {
			return nil, err
		}
	}
	p.Loaders = cap(t.loaders)
	return p, checkPlan(p)
}

// checkPlan refuses what no CREATE TABLE could make.
func checkPlan(p *database.Plan) error {
	for _, t := range p.Tables {
		if n := len(t.Target.Columns); n > 1017 {
			return fmt.Errorf("%w: table %s has %d columns; InnoDB takes at most 1017", database.ErrRefused, t.Source.ID(), n)
		}
	}
	return nil
}

// Schema reads the catalog as it stands.
func (t *target) Schema(ctx context.Context) (*database.Schema, error) {
	c, err := readCatalog(ctx, t.admin, func(string) bool { return true })
	if err != nil {
		return nil, translate(err)
	}
	return c.schema()
}

// Rows streams a table as it stands. A column of another type than is expected
// makes the copy a different one.
func (t *target) Rows(ctx context.Context, table *database.Table, send func(*database.Batch) error) error {
	// A transaction binds the name to the table, in whose place somebody may put a view.
	err := t.admin.run(ctx, []string{"START TRANSACTION READ ONLY"})
	if err == nil {
		err = t.admin.touch(ctx, []string{table.Name})
	}
	if err != nil {
		return translate(err)
	}
	err = readRows(ctx, t.admin, table, t.opts.Aside, send)
	if errors.Is(err, errForm) {
		err = fmt.Errorf("%w: %w", database.ErrMismatch, err)
	}
	if err != nil {
		return err
	}
	return translate(t.admin.exec(ctx, "COMMIT"))
}

// Create marks the database as being filled and makes the tables.
func (t *target) Create(ctx context.Context, p *database.Plan) error {
	d := p.Detail.(*plan)
	if err := t.claim(ctx); err != nil {
		return err
	}
	if err := t.mark(ctx, d); err != nil {
		return fmt.Errorf("mark the database as being filled: %w", translate(err))
	}
	if err := t.adopt(ctx, d.collation); err != nil {
		return err
	}
	for i, s := range d.create {
		err := t.admin.exec(ctx, s.sql)
		if number(err) == errTableExists {
			return errors.Join(fmt.Errorf("%w: %s is there since a moment", database.ErrNotEmpty, s.object), t.disown(ctx, d.create[i:]))
		}
		if err != nil {
			return fmt.Errorf("create %s: %w", s.object, translate(err))
		}
	}
	return nil
}

// claim makes sure that the database is empty and that nobody else fills it.
func (t *target) claim(ctx context.Context) error {
	sum := sha256.Sum256([]byte(t.config.DBName))
	got, err := t.admin.value(ctx, "SELECT GET_LOCK('packstone "+hex.EncodeToString(sum[:8])+"', 0)")
	if err != nil {
		return fmt.Errorf("claim the database: %w", translate(err))
	}
	if got != "1" {
		return fmt.Errorf("%w: another import is filling it now", database.ErrNotEmpty)
	}
	held, err := t.contents(ctx)
	if err != nil {
		return fmt.Errorf("look whether the database is empty: %w", translate(err))
	}
	if slices.Contains(held, "table "+markerTable) {
		if !t.opts.EmptyLeftover {
			return fmt.Errorf("%w: %w (its table %s lists it)", database.ErrNotEmpty, database.ErrLeftover, markerTable)
		}
		if err := empty(ctx, t.admin); err != nil {
			return err
		}
		if held, err = t.contents(ctx); err != nil {
			return fmt.Errorf("look whether the database is empty: %w", translate(err))
		}
	}
	if len(held) > 0 && !t.beside {
		return fmt.Errorf("%w: it holds %s", database.ErrNotEmpty, some(held))
	}
	return nil
}

// some prints the first of a list.
func some(list []string) string {
	if len(list) <= 3 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), len(list)-3)
}

// contents lists what is in the database.
func (t *target) contents(ctx context.Context) ([]string, error) {
	var out []string
	err := t.admin.texts(ctx, `SELECT 'table', TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
		UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
		UNION ALL SELECT 'event', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()`, func(row []string, _ []bool) error {
		out = append(out, row[0]+" "+row[1])
		return nil
	})
	return out, err
}

// mark makes the marker table, which lists all that is going to be made.
func (t *target) mark(ctx context.Context, d *plan) error {
	err := t.admin.exec(ctx, "CREATE TABLE "+quote(markerTable)+` (kind VARCHAR(32) NOT NULL, name VARCHAR(64) NOT NULL)
		ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='An import fills this database and has not ended. It lists what the import makes.'`)
	if number(err) == errTableExists {
		return fmt.Errorf("%w: another import began just now", database.ErrNotEmpty)
	}
	if err != nil {
		return err
	}
	t.created = true
	for part := range slices.Chunk(d.made, 500) {
		var rows []string
		for _, m := range part {
			rows = append(rows, "("+quoteText(m.kind)+", "+quoteText(m.name)+")")
		}
		if err := t.admin.exec(ctx, "INSERT INTO "+quote(markerTable)+" VALUES "+strings.Join(rows, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// adopt gives the database the source's default collation, which routines and
// later tables inherit.
func (t *target) adopt(ctx context.Context, collation string) error {
	had, err := t.admin.value(ctx, "SELECT @@collation_database")
	if err != nil || collation == "" || collation == had {
		return err
	}
	if err := t.admin.exec(ctx, "ALTER DATABASE "+quote(t.config.DBName)+" COLLATE "+collation); err != nil {
		return fmt.Errorf("give the database the default collation %s: %w", collation, translate(err))
	}
	t.collation = had
	return nil
}

// Commit removes the marker, or ends the transaction in which rows were put back.
func (t *target) Commit(ctx context.Context) error {
	if t.refilling || t.staged > 0 {
		return translate(t.admin.exec(ctx, "COMMIT"))
	}
	if err := t.admin.exec(ctx, "DROP TABLE "+quote(markerTable)); err != nil {
		return fmt.Errorf("drop the marker %s: %w", markerTable, translate(err))
	}
	t.committed = true
	return nil
}

// Close disconnects and, without Commit, drops what was made.
func (t *target) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	for range cap(t.loaders) {
		if s := <-t.loaders; s != nil {
			s.close()
		}
	}
	if t.admin != nil {
		t.admin.close()
	}
	if !t.created || t.committed {
		return nil
	}
	// The connection may be what failed, so a new one cleans up.
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	s, err := t.connect(ctx)
	if err != nil {
		return fmt.Errorf("drop what the failed import made: %w", err)
	}
	defer s.close()
	if t.collation != "" {
		err = s.exec(ctx, "ALTER DATABASE "+quote(t.config.DBName)+" COLLATE "+t.collation)
	}
	return errors.Join(err, empty(ctx, s))
}

// dropOrder is the order in which kinds are dropped; what depends comes first.
var dropOrder = []string{"event", "view", "table", "sequence", "package body", "package", "procedure", "function"}

// empty drops what the marker lists, and then the marker.
func empty(ctx context.Context, s *session) error {
	var list []made
	err := s.texts(ctx, "SELECT kind, name FROM "+quote(markerTable), func(row []string, _ []bool) error {
		list = append(list, made{row[0], row[1]})
		return nil
	})
	if err != nil {
		return fmt.Errorf("read what a failed import made: %w", translate(err))
	}
	for _, kind := range dropOrder {
		for _, m := range list {
			if m.kind != kind {
				continue // triggers go with their tables
			}
			if err := s.exec(ctx, "DROP "+strings.ToUpper(kind)+" IF EXISTS "+quote(m.name)); err != nil {
				return fmt.Errorf("drop %s %s of a failed import: %w", kind, m.name, translate(err))
			}
		}
	}
	if err := s.exec(ctx, "DROP TABLE "+quote(markerTable)); err != nil {
		return fmt.Errorf("drop the marker %s: %w", markerTable, translate(err))
	}
	return nil
}
