package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/pipeline/database"
)

// build is an index, a key or a foreign key that a worker makes. What fails is left for the last
// transaction, which tries it in all ways that it may be meant in.
type build struct {
	object     database.ObjectID
	table      string // the ID of the table in the target
	alone      bool   // nobody else may work on the table meanwhile
	rows       int64  // of the table, in bytes
	statements []statement
	done       bool
}

// buildAll makes by workers what several can make at once, and leaves the rest of plan.finish.
func (t *target) buildAll(ctx context.Context, p *database.Plan, r *database.Report) ([]database.Finding, error) {
	indexes, foreign := t.builds(p, r)
	if err := t.eachBuild(ctx, slices.Clone(indexes), t.several.makeIndex); err != nil {
		return nil, err
	}
	if err := t.several.addForeign(ctx, foreign); err != nil {
		return nil, err
	}
	added := slices.DeleteFunc(slices.Clone(foreign), func(b *build) bool { return !b.done })
	var findings []database.Finding
	var mu sync.Mutex
	err := t.eachBuild(ctx, added, func(ctx context.Context, b *build) error {
		loose, err := t.several.validate(ctx, b)
		if loose != nil {
			mu.Lock()
			findings = append(findings, *loose)
			mu.Unlock()
		}
		return err
	})
	made := map[database.ObjectID]bool{}
	for _, b := range append(indexes, foreign...) {
		made[b.object] = b.done
	}
	t.plan.finish = slices.DeleteFunc(slices.Clone(t.plan.finish), func(s statement) bool { return made[s.object] })
	return findings, err
}

// builds gathers indexes and keys, and foreign keys, the largest tables first. Those of partitions
// hang together and stay where they are.
func (t *target) builds(p *database.Plan, r *database.Report) (indexes, foreign []*build) {
	targets, bytes := map[string]string{}, map[string]int64{}
	for i, one := range p.Tables {
		targets[one.Source.ID()] = one.Target.ID()
		if i < len(r.Tables) {
			bytes[one.Source.ID()] = r.Tables[i].Bytes
		}
	}
	var last *build
	for _, s := range t.plan.finish {
		table := targets[s.object.Table]
		if table == "" || t.several.parts[table] {
			continue
		}
		if last != nil && last.object == s.object {
			last.statements = append(last.statements, s)
			last.alone = true // it alters the table or what was just made
			continue
		}
		last = &build{object: s.object, table: table, rows: bytes[s.object.Table], statements: []statement{s}}
		switch s.object.Kind {
		case "index":
			indexes = append(indexes, last)
		case "primary key", "unique":
			last.alone = true
			indexes = append(indexes, last)
		case "foreign key":
			if s.table != "" && s.name != "" && !strings.HasSuffix(s.sql, " NOT VALID") && !strings.HasSuffix(s.sql, " NOT ENFORCED") {
				foreign = append(foreign, last)
			}
		}
	}
	for _, list := range [][]*build{indexes, foreign} {
		slices.SortStableFunc(list, func(a, b *build) int { return int(min(max(b.rows-a.rows, -1), 1)) })
	}
	return indexes, foreign
}

// eachBuild works on a list with as many as there are workers.
func (t *target) eachBuild(ctx context.Context, list []*build, f func(context.Context, *build) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for range t.opts.Jobs {
		g.Go(func() error {
			for {
				b, ok := t.several.tables.pick(&list)
				if !ok || ctx.Err() != nil {
					return ctx.Err()
				}
				err := f(ctx, b)
				t.several.tables.give(b.table, b.alone)
				if err != nil {
					return fmt.Errorf("create %s: %w", b.object, t.translate(err))
				}
			}
		})
	}
	return g.Wait()
}

// makeIndex makes an index or a key.
func (s *several) makeIndex(ctx context.Context, b *build) error {
	run := s.transaction
	if len(b.statements) == 1 {
		run = s.work
	}
	refused := false
	err := run(ctx, "", func(conn *pgx.Conn) error {
		for _, one := range b.statements {
			if _, err := conn.PgConn().ExecParams(ctx, one.sql, nil, nil, nil, nil).Close(); err != nil {
				refused = !conn.IsClosed() && ctx.Err() == nil
				return err
			}
		}
		return nil
	})
	b.done = err == nil
	if refused {
		return nil
	}
	return err
}

// addForeign makes foreign keys that do not look at rows yet.
func (s *several) addForeign(ctx context.Context, list []*build) error {
	for _, b := range list {
		b.statements[0].sql += " NOT VALID"
		if err := s.makeIndex(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// validate looks at the rows, as many keys at once as there are workers: the key that is checked
// locks no table against others. A key that rows break, and may, stays as it is; any other that
// fails is taken back.
func (s *several) validate(ctx context.Context, b *build) (*database.Finding, error) {
	st := b.statements[0]
	alter := "ALTER TABLE " + st.table
	var failed error
	err := s.work(ctx, "", func(conn *pgx.Conn) error {
		_, failed = conn.PgConn().ExecParams(ctx, alter+" VALIDATE CONSTRAINT "+quote(st.name), nil, nil, nil, nil).Close()
		if failed == nil || conn.IsClosed() || ctx.Err() != nil || st.loose.Code != "" && broken(failed) {
			return ctx.Err()
		}
		b.done = false
		_, err := conn.Exec(ctx, alter+" DROP CONSTRAINT "+quote(st.name))
		return err
	})
	if err == nil && failed != nil && b.done {
		f := st.loose
		f.Object, f.Reason = b.object, f.Reason+": it is NOT VALID"
		return &f, nil
	}
	return nil, err
}
