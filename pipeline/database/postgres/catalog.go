package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
)

// catalog is what the server says about itself, by OID.
type catalog struct {
	version     string
	standby     bool
	types       map[uint32]*pgType
	relations   map[uint32]*relation
	order       []uint32 // relations by schema and name, in the order of bytes
	constraints []*constraint
	indexes     []*index
	sequences   map[uint32]*sequence
}

// userNamespace leaves out what belongs to the server; n is pg_namespace.
const userNamespace = `n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'`

// notMember leaves out what an extension brought.
func notMember(class, oid string) string {
	return fmt.Sprintf(`NOT EXISTS (SELECT FROM pg_catalog.pg_depend member WHERE member.classid = 'pg_catalog.%s'::pg_catalog.regclass AND member.objid = %s AND member.deptype = 'e')`, class, oid)
}

type pgType struct {
	OID       uint32
	Schema    string
	Name      string
	Kind      string // b, c, d, e, p, r, m
	Base      uint32
	Modifier  int32
	Element   uint32
	Category  string
	NotNull   bool
	Labels    []string
	Delimited string
}

type relation struct {
	OID         uint32
	Schema      string
	Name        string
	Kind        string // r, p, v, m, f, c
	Persistence string
	Partition   bool
	Security    bool
	ForceRLS    bool
	Rows        float64
	Pages       int64
	PartKey     string
	Bound       string
	Options     []string
	Identity    string // replica identity
	Method      string
	Comment     string
	Parents     []uint32
	Columns     []*column
	Type        uint32
	OfType      string // the composite type of a typed table
}

func (r *relation) id() string  { return database.JoinName(r.Schema, r.Name) }
func (r *relation) sql() string { return qualified(r.Schema, r.Name) }

type column struct {
	Relation    uint32
	Number      int16
	Name        string
	Type        uint32
	Modifier    int32
	Format      string
	NotNull     bool     // and it holds for all rows
	Must        *notNull // since PostgreSQL 18
	Identity    string
	Generated   string
	Default     string
	DefaultOID  uint32
	Collation   string
	Storage     string // where it is not the type's own
	Compression string
	Statistics  int32
	Local       bool
	Inherited   int32
	Options     []string
	Comment     string
	Pure        bool    // a generated one whose expression uses only what came with the server
	Inputs      []int16 // columns that the expression uses
	Changed     bool    // a function that the expression calls is newer than the expression, and not by a GRANT
}

// notNull is a NOT NULL that has a name.
type notNull struct {
	OID       uint32
	Relation  uint32
	Column    int16
	Name      string
	Validated bool
	Local     bool
	NoInherit bool
}

type constraint struct {
	OID        uint32
	Name       string
	Type       string
	Relation   uint32
	Domain     uint32
	Columns    []string
	Foreign    uint32
	ForeignCol []string
	OnDelete   string
	OnUpdate   string
	Match      string
	Deferrable bool
	Deferred   bool
	Validated  bool
	Parent     uint32
	Local      bool
	Index      uint32
	Definition string
	Expression string
}

type index struct {
	OID         uint32
	Schema      string
	Name        string
	Relation    uint32
	Method      string
	Unique      bool
	NotDistinct bool
	KeyColumns  int16
	Attributes  []string // empty string: an expression
	Texts       []string
	Descending  []bool
	Predicate   string
	Definition  string
	Constraint  uint32
	Parent      uint32
	Valid       bool
	Clustered   bool
	ReplIdent   bool
	Options     []string
	Statistics  []string // targets: the column's number and what is wanted
}

type sequence struct {
	OID       uint32
	Schema    string
	Name      string
	Type      string
	Start     int64
	Increment int64
	Min       int64
	Max       int64
	Cache     int64
	Cycle     bool
	Owner     uint32
	Attribute int16
	Internal  bool // behind an identity column
	Persist   string
}

// readCatalog runs all catalog queries in conn's transaction.
func readCatalog(ctx context.Context, conn *pgx.Conn) (*catalog, error) {
	c := &catalog{types: map[uint32]*pgType{}, relations: map[uint32]*relation{}, sequences: map[uint32]*sequence{}}
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery()").Scan(&c.version, &c.standby); err != nil {
		return nil, fmt.Errorf("read server version: %w", translate(err))
	}
	for _, step := range []struct {
		what string
		read func(context.Context, *pgx.Conn) error
	}{
		{"types", c.readTypes}, {"relations", c.readRelations}, {"columns", c.readColumns}, {"not-null constraints", c.readNotNull},
		{"constraints", c.readConstraints}, {"indexes", c.readIndexes}, {"sequences", c.readSequences},
	} {
		if err := step.read(ctx, conn); err != nil {
			return nil, fmt.Errorf("read catalog of %s: %w", step.what, translate(err))
		}
	}
	return c, nil
}

// major is the server's major version.
func (c *catalog) major() int {
	n := 0
	for i := 0; i < len(c.version) && c.version[i] >= '0' && c.version[i] <= '9'; i++ {
		n = n*10 + int(c.version[i]-'0')
	}
	return n
}

// since chooses by the server's version. A catalog's columns are named one by one: to make JSON of
// a whole row would call the casts of users' types, of which pg_attribute holds values.
func (c *catalog) since(major int, sql, before string) string {
	if c.major() >= major {
		return sql
	}
	return before
}

// each runs a query and gives every row to f through the query's scan targets.
func each(ctx context.Context, conn *pgx.Conn, sql string, targets []any, f func() error) error {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, targets, f)
	return err
}

func (c *catalog) readTypes(ctx context.Context, conn *pgx.Conn) error {
	var t pgType
	return each(ctx, conn, `
		SELECT t.oid, n.nspname::text, t.typname::text, t.typtype::text, t.typbasetype, t.typtypmod, t.typelem,
		       t.typcategory::text, t.typnotnull,
		       ARRAY(SELECT enumlabel::text FROM pg_catalog.pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
		FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`,
		[]any{&t.OID, &t.Schema, &t.Name, &t.Kind, &t.Base, &t.Modifier, &t.Element, &t.Category, &t.NotNull, &t.Labels},
		func() error {
			found := t
			found.Labels = slices.Clone(t.Labels)
			c.types[t.OID] = &found
			return nil
		})
}

func (c *catalog) readRelations(ctx context.Context, conn *pgx.Conn) error {
	var r relation
	return each(ctx, conn, `
		SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, c.relispartition,
		       c.relrowsecurity, c.relforcerowsecurity, c.reltuples::float8, c.relpages::int8,
		       coalesce(CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END, ''),
		       coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), ''), coalesce(c.reloptions, '{}')::text[]
		       || ARRAY(SELECT 'toast.' || o FROM pg_catalog.pg_class t, pg_catalog.unnest(t.reloptions) o WHERE t.oid = c.reltoastrelid),
		       c.relreplident::text, coalesce(am.amname, '')::text,
		       coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), ''),
		       ARRAY(SELECT inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = c.oid ORDER BY inhseqno), c.reltype,
		       CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) ELSE '' END
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
		WHERE c.relkind IN ('r','p','v','m','f','c') AND `+userNamespace+` AND `+notMember("pg_class", "c.oid")+` AND (c.relkind <> 'c' OR `+notMember("pg_type", "c.reltype")+`)
		ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`,
		[]any{&r.OID, &r.Schema, &r.Name, &r.Kind, &r.Persistence, &r.Partition, &r.Security, &r.ForceRLS, &r.Rows, &r.Pages,
			&r.PartKey, &r.Bound, &r.Options, &r.Identity, &r.Method, &r.Comment, &r.Parents, &r.Type, &r.OfType},
		func() error {
			found := r
			found.Options, found.Parents = slices.Clone(r.Options), slices.Clone(r.Parents)
			c.relations[r.OID] = &found
			c.order = append(c.order, r.OID)
			return nil
		})
}

// generatedFrom finds in pg_depend what the expression of a generated column uses.
const generatedFrom = `FROM pg_catalog.pg_depend x WHERE (x.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND x.objid = d.oid
		           OR x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = a.attrelid AND x.objsubid = a.attnum)`

func (c *catalog) readColumns(ctx context.Context, conn *pgx.Conn) error {
	var a column
	return each(ctx, conn, `
		SELECT a.attrelid, a.attnum, a.attname::text, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod),
		       a.attnotnull, a.attidentity::text, a.attgenerated::text,
		       coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''), coalesce(d.oid, 0),
		       coalesce(CASE WHEN a.attcollation <> t.typcollation THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END, ''),
		       CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text ELSE '' END,
		       `+c.since(14, "a.attcompression::text", "''")+`, coalesce(a.attstattarget, -1)::int4, a.attislocal, a.attinhcount::int4,
		       coalesce(a.attoptions, '{}')::text[], coalesce(pg_catalog.col_description(a.attrelid, a.attnum), ''),
		       a.attgenerated <> '' AND NOT EXISTS (SELECT `+generatedFrom+`
		         AND x.refobjid >= `+fmt.Sprint(firstUser)+` AND NOT (x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.refobjid = a.attrelid)
		         AND NOT (x.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.oid = x.refobjid AND e.typtype = 'e'))
		         AND x.refclassid <> 'pg_catalog.pg_collation'::pg_catalog.regclass),
		       CASE WHEN a.attgenerated <> '' THEN ARRAY(SELECT DISTINCT x.refobjsubid::int2 `+generatedFrom+`
		         AND x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.refobjid = a.attrelid AND x.refobjsubid NOT IN (0, a.attnum)) ELSE '{}' END,
		       a.attgenerated <> '' AND EXISTS (SELECT `+generatedFrom+` AND x.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND x.refobjid >= `+fmt.Sprint(firstUser)+`
		         AND EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = x.refobjid AND p.proacl IS NULL AND pg_catalog.age(p.xmin) < pg_catalog.age(d.xmin)))
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
		WHERE a.attrelid >= `+fmt.Sprint(firstUser)+` AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY a.attrelid, a.attnum`,
		[]any{&a.Relation, &a.Number, &a.Name, &a.Type, &a.Modifier, &a.Format, &a.NotNull, &a.Identity, &a.Generated,
			&a.Default, &a.DefaultOID, &a.Collation, &a.Storage, &a.Compression, &a.Statistics, &a.Local, &a.Inherited, &a.Options, &a.Comment,
			&a.Pure, &a.Inputs, &a.Changed},
		func() error {
			r := c.relations[a.Relation]
			if r == nil {
				return nil
			}
			found := a
			found.Options, found.Inputs = slices.Clone(a.Options), slices.Clone(a.Inputs)
			r.Columns = append(r.Columns, &found)
			return nil
		})
}

// columnNames makes an array of names from an array of attribute numbers.
func columnNames(relation, numbers string) string {
	return fmt.Sprintf(`ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(%s) WITH ORDINALITY u(n, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = %s AND a.attnum = u.n ORDER BY u.i)`, numbers, relation)
}

func (c *catalog) readConstraints(ctx context.Context, conn *pgx.Conn) error {
	var k constraint
	return each(ctx, conn, `
		SELECT k.oid, k.conname::text, k.contype::text, k.conrelid, k.contypid, `+columnNames("k.conrelid", "k.conkey")+`,
		       k.confrelid, `+columnNames("k.confrelid", "k.confkey")+`, k.confdeltype::text, k.confupdtype::text, k.confmatchtype::text,
		       k.condeferrable, k.condeferred, k.convalidated, k.conparentid, k.conislocal, k.conindid,
		       pg_catalog.pg_get_constraintdef(k.oid), coalesce(pg_catalog.pg_get_expr(k.conbin, k.conrelid), '')
		FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
		WHERE `+userNamespace+` AND k.contype IN ('p','u','f','c','x')
		ORDER BY k.conrelid, k.contype = 'f', k.conname COLLATE "C"`,
		[]any{&k.OID, &k.Name, &k.Type, &k.Relation, &k.Domain, &k.Columns, &k.Foreign, &k.ForeignCol, &k.OnDelete, &k.OnUpdate, &k.Match,
			&k.Deferrable, &k.Deferred, &k.Validated, &k.Parent, &k.Local, &k.Index, &k.Definition, &k.Expression},
		func() error {
			found := k
			found.Columns, found.ForeignCol = slices.Clone(k.Columns), slices.Clone(k.ForeignCol)
			c.constraints = append(c.constraints, &found)
			return nil
		})
}

// readNotNull reads what has a name since PostgreSQL 18.
func (c *catalog) readNotNull(ctx context.Context, conn *pgx.Conn) error {
	if c.major() < 18 {
		return nil
	}
	var n notNull
	return each(ctx, conn, `SELECT k.oid, k.conrelid, k.conkey[1], k.conname::text, k.convalidated, k.conislocal, k.connoinherit
		FROM pg_catalog.pg_constraint k WHERE k.contype = 'n' AND k.conrelid <> 0 ORDER BY 1`,
		[]any{&n.OID, &n.Relation, &n.Column, &n.Name, &n.Validated, &n.Local, &n.NoInherit},
		func() error {
			r := c.relations[n.Relation]
			if r == nil {
				return nil
			}
			if col := r.columnOf(n.Column); col != nil {
				found := n
				col.Must, col.NotNull = &found, n.Validated
			}
			return nil
		})
}

// readIndexes leaves out, as pg_dump does, what CREATE INDEX CONCURRENTLY has not finished: the
// server does not use it, and rows may contradict it. On a partitioned table such an index waits
// for partitions.
func (c *catalog) readIndexes(ctx context.Context, conn *pgx.Conn) error {
	var x index
	return each(ctx, conn, `
		SELECT c.oid, n.nspname::text, c.relname::text, i.indrelid, am.amname::text, i.indisunique,
		       `+c.since(15, "i.indnullsnotdistinct", "false")+`, i.indnkeyatts,
		       ARRAY(SELECT coalesce(a.attname::text, '') FROM pg_catalog.generate_series(0, i.indnatts - 1) k
		             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k] AND a.attnum > 0 ORDER BY k),
		       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k, false) FROM pg_catalog.generate_series(1, i.indnatts) k),
		       ARRAY(SELECT (i.indoption[k]::int4 & 1) = 1 FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) k),
		       coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), ''), pg_catalog.pg_get_indexdef(i.indexrelid),
		       coalesce((SELECT k.oid FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p','u','x') LIMIT 1), 0),
		       coalesce((SELECT h.inhparent FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid), 0),
		       i.indisvalid, i.indisclustered, i.indisreplident, coalesce(c.reloptions, '{}')::text[],
		       ARRAY(SELECT format('%s SET STATISTICS %s', a.attnum, a.attstattarget) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0 ORDER BY a.attnum)
		FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_am am ON am.oid = c.relam
		WHERE `+userNamespace+` AND `+notMember("pg_class", "i.indrelid")+` AND i.indisready AND (i.indisvalid OR c.relkind = 'I')
		ORDER BY i.indrelid, c.relname COLLATE "C"`,
		[]any{&x.OID, &x.Schema, &x.Name, &x.Relation, &x.Method, &x.Unique, &x.NotDistinct, &x.KeyColumns, &x.Attributes, &x.Texts,
			&x.Descending, &x.Predicate, &x.Definition, &x.Constraint, &x.Parent, &x.Valid, &x.Clustered, &x.ReplIdent, &x.Options, &x.Statistics},
		func() error {
			found := x
			found.Attributes, found.Texts, found.Descending = slices.Clone(x.Attributes), slices.Clone(x.Texts), slices.Clone(x.Descending)
			found.Options, found.Statistics = slices.Clone(x.Options), slices.Clone(x.Statistics)
			c.indexes = append(c.indexes, &found)
			return nil
		})
}

func (c *catalog) readSequences(ctx context.Context, conn *pgx.Conn) error {
	var s sequence
	return each(ctx, conn, `
		SELECT c.oid, n.nspname::text, c.relname::text, pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement,
		       s.seqmin, s.seqmax, s.seqcache, s.seqcycle, coalesce(d.refobjid, 0), coalesce(d.refobjsubid, 0)::int2,
		       coalesce(d.deptype = 'i', false), c.relpersistence::text
		FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
		     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
		WHERE `+userNamespace+` AND `+notMember("pg_class", "c.oid")+`
		ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`,
		[]any{&s.OID, &s.Schema, &s.Name, &s.Type, &s.Start, &s.Increment, &s.Min, &s.Max, &s.Cache, &s.Cycle, &s.Owner, &s.Attribute, &s.Internal, &s.Persist},
		func() error {
			found := s
			c.sequences[s.OID] = &found
			return nil
		})
}

func (s *sequence) sql() string { return qualified(s.Schema, s.Name) }

// sequence finds a sequence by its name.
func (c *catalog) sequence(schema, name string) *sequence {
	for _, s := range c.sequences {
		if s.Schema == schema && s.Name == name {
			return s
		}
	}
	return nil
}

// columnOf finds a column by its number.
func (r *relation) columnOf(number int16) *column {
	for _, c := range r.Columns {
		if c.Number == number {
			return c
		}
	}
	return nil
}

// sortedSequences gives sequences by schema and name.
func (c *catalog) sortedSequences() []*sequence {
	out := make([]*sequence, 0, len(c.sequences))
	for _, s := range c.sequences {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *sequence) int {
		if n := strings.Compare(a.Schema, b.Schema); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// absent says that nobody can read what is in a relation: a standby has nothing of what is not
// logged.
func (c *catalog) absent(persistence string) bool { return c.standby && persistence == "u" }

// isData says that the relation's rows are copied under its own name.
func (r *relation) isData() bool {
	return (r.Kind == "r" || r.Kind == "p") && !r.Partition
}

// neutral builds the portable part of the schema.
func (c *catalog) neutral(filter database.Filter) *database.Schema {
	s := &database.Schema{Engine: database.Postgres, Version: c.version, Namespace: "public"}
	for _, oid := range c.order {
		r := c.relations[oid]
		if r.isData() && filter.Takes("public", r.Schema, r.Name) {
			s.Tables = append(s.Tables, c.table(r))
			c.nameAbsent(s, r)
		}
	}
	for _, q := range c.sortedSequences() {
		if owner := c.relations[q.Owner]; owner == nil || filter.Takes("public", owner.Schema, owner.Name) {
			s.Sequences = append(s.Sequences, c.neutralSequence(q))
		}
	}
	return s
}

// nameAbsent lists what a standby lacks of a table.
func (c *catalog) nameAbsent(s *database.Schema, r *relation) {
	if c.absent(r.Persistence) {
		s.Findings = append(s.Findings, database.Finding{
			Object: named("rows of unlogged table", r.Schema, r.Name), Status: database.Dropped, Code: database.CodeStandby, Reason: "a standby does not have them: back up its primary",
		})
	}
	if r.Kind != "p" {
		return
	}
	for _, oid := range c.order {
		if part := c.relations[oid]; part.Partition && slices.Contains(part.Parents, r.OID) {
			c.nameAbsent(s, part)
		}
	}
}

func (c *catalog) neutralSequence(q *sequence) *database.Sequence {
	out := &database.Sequence{
		Schema: q.Schema, Name: q.Name, Type: q.Type, Start: q.Start, Increment: q.Increment,
		Min: q.Min, Max: q.Max, Cache: q.Cache, Cycle: q.Cycle, Last: q.Start,
	}
	if owner := c.relations[q.Owner]; owner != nil {
		out.OwnerTable = owner.id()
		if col := owner.columnOf(q.Attribute); col != nil {
			out.OwnerColumn = col.Name
		}
	}
	return out
}
