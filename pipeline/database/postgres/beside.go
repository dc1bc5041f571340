package postgres

import (
	"context"
	"slices"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/ddl"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// planBeside plans tables beside those that are there: types and expressions of PostgreSQL stay as
// they are where the server has all that they name, and expressions only if they do nothing but
// compute.
func (t *target) planBeside(ctx context.Context, s *database.Schema, opts database.PlanOptions) (*database.Plan, error) {
	around, err := t.around(ctx)
	if err != nil {
		return nil, t.at.Wrap("look into", t.translate(err))
	}
	d := dialect()
	d.Around = around
	if s.Engine == database.Postgres && !s.FromFile {
		if err := t.keepOwn(ctx, d, s, opts); err != nil {
			return nil, t.at.Wrap("look into", t.translate(err))
		}
	}
	mapping := d.Map(s, opts)
	t.beside = true
	return planOf(mapping), mapping.Refuse()
}

// around lists what is there.
func (t *target) around(ctx context.Context) (*ddl.Around, error) {
	schema, err := t.Schema(ctx)
	if err != nil {
		return nil, err
	}
	out := &ddl.Around{Schema: schema}
	var one ddl.Taken
	err = each(ctx, t.conn, `SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE `+userNamespace+`
		UNION SELECT n.nspname::text, y.typname::text FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace WHERE `+userNamespace,
		[]any{&one.Schema, &one.Name}, func() error { out.Tables = append(out.Tables, one); return nil })
	return out, err
}

// methods are the kinds of index that every server has.
var methods = []string{"hash", "gin", "gist", "spgist", "brin"}

// keepOwn lets types, collations and expressions stay.
func (t *target) keepOwn(ctx context.Context, d *ddl.Dialect, s *database.Schema, opts database.PlanOptions) error {
	types, collations, err := t.known(ctx, s)
	if err != nil {
		return err
	}
	at, err := stand(ctx, t.conn, s, opts)
	if err != nil {
		return err
	}
	judge := &replay{at: at}
	ofRange := t.catalog.since(14, "EXISTS (SELECT FROM pg_catalog.pg_range r WHERE r.rngtypid = c.castsource AND c.casttarget = r.rngmultitypid)", "false")
	casts := "SELECT EXISTS (SELECT FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND c.castfunc <> 0 AND NOT " + ofRange + " AND " + notMember("pg_cast", "c.oid") + ")"
	if err := t.conn.QueryRow(ctx, casts).Scan(&judge.casts); err != nil {
		return err
	}
	d.Type = func(a ddl.Asked) ddl.Mapped {
		own := a.Column.Type
		if !types[own.Native] {
			return mapType(a)
		}
		m := ddl.Mapped{SQL: own.Native, Type: own}
		if collations[own.Collation] {
			m.Clause = " COLLATE " + own.Collation
		}
		return m
	}
	d.Own = func(e database.Expr) bool {
		return e.Engine == database.Postgres && (opts.TrustCode || judge.computes(e.SQL))
	}
	d.Methods, d.Using = methods, true
	d.Indexed = func(to ddl.Mapped) bool { return to.SQL != "json" }
	return nil
}

// computes says that an expression does nothing but compute.
func (r *replay) computes(sql string) bool {
	tokens, err := sqltext.Postgres.Tokens(sql)
	return err == nil && r.culprit(tokens) == ""
}

// known finds the types and collations of columns that the server has.
func (t *target) known(ctx context.Context, s *database.Schema) (types, collations map[string]bool, err error) {
	types, collations = map[string]bool{}, map[string]bool{}
	var spelt []string
	for _, table := range s.Tables {
		for _, c := range table.Columns {
			if c.Type.Native != "" && !slices.Contains(spelt, c.Type.Native) {
				spelt = append(spelt, c.Type.Native)
			}
		}
	}
	for _, native := range spelt {
		// The server parses the text as the name of one type, or refuses it.
		var found bool
		if err := t.conn.QueryRow(ctx, "SELECT pg_catalog.to_regtype("+literal(native)+") IS NOT NULL").Scan(&found); err != nil && !wrongName(err) {
			return nil, nil, err
		}
		types[native] = found
	}
	err = readSet(ctx, t.conn, "SELECT pg_catalog.format('%I.%I', n.nspname, c.collname) FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace", &collations)
	return types, collations, err
}
