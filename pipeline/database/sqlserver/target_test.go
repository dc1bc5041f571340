package sqlserver

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/ddl"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
	"github.com/packstone/packstone/pipeline/database/sqlengine/scripted"
)

// artists is a foreign database of one table and what goes with it.
func artists() *databasetest.Source {
	return &databasetest.Source{
		Model: &database.Schema{
			Engine: database.Postgres, Namespace: "public",
			Tables: []*database.Table{{
				Schema: "public", Name: "Artist", Order: []string{"id"},
				Columns: []*database.Column{
					{Name: "id", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 32}, Identity: &database.Identity{Sequence: "public.seq"}},
					{Name: "name", Type: database.Type{Kind: database.Text, Length: 120}},
					{Name: "parent", Type: database.Type{Kind: database.Int, Bits: 32}},
				},
				PrimaryKey:  &database.Key{Name: "artist_pkey", Columns: []string{"id"}},
				Uniques:     []*database.Key{{Name: "artist_name_key", Columns: []string{"name"}}},
				ForeignKeys: []*database.ForeignKey{{Name: "artist_fk", Columns: []string{"parent"}, RefSchema: "public", RefTable: "Artist", RefColumns: []string{"id"}, OnDelete: database.Cascade}},
			}},
			Sequences: []*database.Sequence{{Schema: "public", Name: "seq", Start: 1, Increment: 1, Min: 1, Max: 1<<31 - 1, Last: 9, Called: true, OwnerTable: "public.Artist", OwnerColumn: "id"}},
			Objects: []*database.Object{
				{ObjectID: database.ObjectID{Kind: "table", Schema: "public", Name: "Artist"}, Phase: database.Tables, DDL: []string{"…"}},
				{ObjectID: database.ObjectID{Kind: "view", Schema: "public", Name: "v"}, Phase: database.AtEnd, DDL: []string{"…"}},
			},
		},
		Data: map[string][][]database.Cell{"public.Artist": {
			{{Class: database.ClassInt, Int: 1}, text("AC/DC"), {}},
			{{Class: database.ClassInt, Int: 2}, text("Motörhead"), {Class: database.ClassInt, Int: 1}},
		}},
	}
}

func expectTarget(s *scripted.Script) {
	d := recordedRows{version: "16.0.1.1"}
	d.session(s)
	d.identify(s)
}

func expectCreate(s *scripted.Script) {
	s.Expect("BEGIN")
	s.Expect(contentSQL)
	s.Expect(`CREATE TABLE [dbo].[Artist] ( [id] int IDENTITY(1,1) NOT NULL, [name] nvarchar(120) COLLATE Latin1_General_100_BIN2, [parent] int )`)
}

func filled() recordedRows {
	return recordedRows{
		version: "16.0.1.1", tables: [][]any{tableRow(1, "dbo", "Artist")},
		columns: [][]any{
			columnRow(1, "id", "int", 4, atNullable, false, atIdentity, true, atSeed, "1", atStep, "1"),
			columnRow(1, "name", "nvarchar", 240), columnRow(1, "parent", "int", 4),
		},
	}
}

const bulkSQL = `INSERTBULK {"TableName":"[dbo].[Artist]","ColumnsName":["id","name","parent"],"Options":{"CheckConstraints":false,"FireTriggers":false,"KeepNulls":true,"KilobytesPerBatch":0,"RowsPerBatch":0,"Order":null,"Tablock":true}}`

// expectLoad expects the rows and returns the step of the last of them.
func expectLoad(s *scripted.Script) *scripted.Step {
	filled().catalog(s)
	s.Expect("SET IDENTITY_INSERT [dbo].[Artist] ON")
	s.Expect(bulkSQL).With(int64(1), "AC/DC", nil)
	return s.Expect(bulkSQL).With(int64(2), "Motörhead", int64(1))
}

func expectFinish(s *scripted.Script) {
	s.Expect(bulkSQL).With()
	s.Expect("SET IDENTITY_INSERT [dbo].[Artist] OFF")
	s.Expect(`ALTER TABLE [dbo].[Artist] ADD CONSTRAINT [artist_pkey] PRIMARY KEY ([id])`)
	s.Expect(`CREATE UNIQUE INDEX [artist_name_key] ON [dbo].[Artist] ([name]) WHERE [name] IS NOT NULL`)
	s.Expect("SAVE TRANSACTION packstone")
	s.Expect(`ALTER TABLE [dbo].[Artist] ADD CONSTRAINT [artist_fk] FOREIGN KEY ([parent]) REFERENCES [dbo].[Artist] ([id]) ON DELETE CASCADE`).Fails(serverError(1785))
	s.Expect("SELECT XACT_STATE()").Rows([]any{int64(1)})
	s.Expect("ROLLBACK TRANSACTION packstone")
	s.Expect(`ALTER TABLE [dbo].[Artist] ADD CONSTRAINT [artist_fk] FOREIGN KEY ([parent]) REFERENCES [dbo].[Artist] ([id])`)
	s.Expect(`DBCC CHECKIDENT(N'[dbo].[Artist]', RESEED, 9) WITH NO_INFOMSGS`)
	filled().catalog(s)
}

const readBack = `SELECT t.[id], t.[name], t.[parent] FROM [dbo].[Artist] t ORDER BY t.[id]`

func copied(t *testing.T, s *scripted.Script, src *databasetest.Source) (*database.Report, error, error) {
	t.Helper()
	dst, err := openTarget(context.Background(), s.DB())
	if err != nil {
		t.Fatal(err)
	}
	report, err := convert.Run(context.Background(), src, dst, convert.Options{})
	return report, err, dst.Close()
}

func TestAnImportIsWrittenCheckedAndCommitted(t *testing.T) {
	s := scripted.New(t)
	expectTarget(s)
	expectCreate(s)
	expectLoad(s)
	expectFinish(s)
	s.Expect(readBack).Rows([]any{int64(1), "AC/DC", nil}, []any{int64(2), "Motörhead", int64(1)})
	s.Expect("COMMIT")
	report, err, closed := copied(t, s, artists())
	if err != nil || closed != nil || !report.Verified {
		t.Fatalf("convert: %v, close: %v", err, closed)
	}
	databasetest.WantFindings(t, report, map[string]database.Status{
		"table public.Artist": database.Exact, "view public.v": database.SidecarOnly, "unique public.Artist.artist_name_key": database.Exact,
		"foreign key public.Artist.artist_fk": database.Approximated,
	})
}

func TestAWrongCopyIsRolledBack(t *testing.T) {
	s := scripted.New(t)
	expectTarget(s)
	expectCreate(s)
	expectLoad(s)
	expectFinish(s)
	s.Expect(readBack).Rows([]any{int64(1), "AC/DC", nil}, []any{int64(2), "Mot?rhead", int64(1)})
	s.Expect("ROLLBACK")
	_, err, closed := copied(t, s, artists())
	if !errors.Is(err, database.ErrMismatch) || closed != nil {
		t.Errorf("convert: %v, close: %v", err, closed)
	}
}

func TestFailuresWhileLoadingAreRolledBack(t *testing.T) {
	for _, c := range []struct{ cause, want error }{
		{serverError(2628), database.ErrValue}, {driver.ErrBadConn, database.ErrUnreachable}, {io.ErrUnexpectedEOF, database.ErrUnreachable},
	} {
		s := scripted.New(t)
		expectTarget(s)
		expectCreate(s)
		expectLoad(s).Fails(c.cause)
		s.Anytime("ROLLBACK").Fails(driver.ErrBadConn) // the server rolls back what it lost
		_, err, closed := copied(t, s, artists())
		if !errors.Is(err, c.want) || closed != nil {
			t.Errorf("%v: convert: %v, close: %v", c.cause, err, closed)
		}
	}
}

func TestADoomedTransactionEndsTheImport(t *testing.T) {
	s := scripted.New(t)
	s.Expect("BEGIN")
	s.Expect("SAVE TRANSACTION packstone")
	s.Expect("CREATE VIEW v AS SELECT 1 x").Fails(serverError(208))
	s.Expect("SELECT XACT_STATE()").Rows([]any{int64(-1)})
	s.Expect("ROLLBACK")
	db := s.DB()
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	dst := &target{tx: tx}
	_, err = dst.run(context.Background(), []ddl.Statement{{SQL: "CREATE VIEW v AS SELECT 1 x", Phase: database.AtEnd}})
	if err == nil || !strings.Contains(err.Error(), "gave up the whole transaction") {
		t.Errorf("the error is %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

func TestADatabaseThatHoldsSomethingIsRefusedAndLeftAlone(t *testing.T) {
	s := scripted.New(t)
	expectTarget(s)
	s.Expect("BEGIN")
	s.Expect(contentSQL).Rows([]any{"user table dbo.Payroll"})
	s.Expect("ROLLBACK")
	_, err, closed := copied(t, s, artists())
	if !errors.Is(err, database.ErrNotEmpty) || !strings.Contains(err.Error(), "dbo.Payroll") || closed != nil {
		t.Errorf("convert: %v, close: %v", err, closed)
	}
}

// loadOne loads a batch into a recorded table.
func loadOne(t *testing.T, s *scripted.Script, raw *table, planned *database.Table, b *database.Batch) {
	t.Helper()
	s.Anytime("BEGIN")
	s.Anytime("ROLLBACK")
	db := s.DB()
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	l, err := newLoader(tx, raw, planned)
	if err != nil {
		t.Fatal(err)
	}
	next := func() (*database.Batch, error) {
		if b == nil {
			return nil, io.EOF
		}
		out := b
		b = nil
		return out, nil
	}
	if err := l.load(context.Background(), next); err != nil {
		t.Error(err)
	}
}

func TestTextThatBulkCopyWouldSpoilIsInserted(t *testing.T) {
	s := scripted.New(t)
	raw := &table{schema: "dbo", name: "T", columns: []*column{{name: "v", base: "varchar", length: 10, collation: "Latin1_General_CI_AS"}}}
	planned := &database.Table{Schema: "dbo", Name: "T", Columns: []*database.Column{{Name: "v", Type: database.Type{Kind: database.Text}}}}
	b := database.NewBatch()
	for _, v := range []string{"plain", "ä", "more"} {
		b.String(v)
		b.EndRow()
	}
	s.Expect("/^INSERTBULK .*/").With("plain")
	s.Expect("/^INSERTBULK .*/").With("more")
	s.Expect("/^INSERTBULK .*/").With()
	s.Expect("INSERT INTO [dbo].[T] ([v]) VALUES (CAST(@p1 AS nvarchar(max)))").With("ä")
	loadOne(t, s, raw, planned, b)
}

func TestTypesThatBulkCopyDoesNotKnowAreInserted(t *testing.T) {
	s := scripted.New(t)
	raw := &table{schema: "dbo", name: "T", columns: []*column{
		{name: "x", base: "xml"}, {name: "sv", base: "sql_variant"}, {name: "h", base: "hierarchyid"}, {name: "g", base: "geometry"}, {name: "t", base: "time", scale: 3},
	}}
	planned := &database.Table{Schema: "dbo", Name: "T"}
	for _, c := range raw.columns {
		planned.Columns = append(planned.Columns, &database.Column{Name: c.name, Type: c.typeOf()})
	}
	b := database.NewBatch()
	b.String("<a/>")
	b.String("datetime:2026-01-01 00:00:00.000")
	b.String("/1/")
	b.Blob([]byte{1})
	b.String("08:30:00.5")
	b.EndRow()
	for range 5 {
		b.Null()
	}
	b.EndRow()
	s.Expect(`INSERT INTO [dbo].[T] ([x], [sv], [h], [g], [t]) VALUES (CONVERT(xml, CAST(@p1 AS nvarchar(max)), 1), CAST(CONVERT(datetime, @p2, 121) AS sql_variant), CAST(CAST(@p3 AS nvarchar(4000)) AS hierarchyid), CAST(CAST(@p4 AS varbinary(max)) AS geometry), CAST(@p5 AS time(3))), (NULL, NULL, NULL, NULL, NULL)`).
		With("<a/>", "2026-01-01 00:00:00.000", "/1/", []byte{1}, "08:30:00.5")
	loadOne(t, s, raw, planned, b)
}

func TestStatementsStayWithinTheServersLimits(t *testing.T) {
	s := scripted.New(t)
	raw := &table{schema: "dbo", name: "T", columns: []*column{{name: "x", base: "xml"}, {name: "d", base: "date"}}}
	planned := &database.Table{Schema: "dbo", Name: "T", Columns: []*database.Column{{Name: "x"}, {Name: "d"}}}
	b := database.NewBatch()
	for range 2001 {
		b.String("<a/>")
		b.String("2026-11-22")
		b.EndRow()
	}
	for range 3 {
		s.Expect("/^INSERT INTO /")
	}
	loadOne(t, s, raw, planned, b)
	for _, statement := range s.Seen {
		if strings.Count(statement, "@p") > 2100 || strings.Count(statement, "CONVERT(xml") > 1000 {
			t.Errorf("a statement has %d parameters", strings.Count(statement, "@p"))
		}
	}
}

func TestANativeSchemaIsReplayedInOrder(t *testing.T) {
	s := scripted.New(t)
	openRecorded(s, awkward())
	src := opened(t, s, database.SourceOptions{})
	s.Anytime("ROLLBACK")
	s2 := scripted.New(t)
	expectTarget(s2)
	dst, err := openTarget(context.Background(), s2.DB())
	if err != nil {
		t.Fatal(err)
	}
	p, err := dst.Plan(context.Background(), src.schema, database.PlanOptions{})
	if err != nil || !p.Native {
		t.Fatal(p, err)
	}
	s2.Expect("BEGIN")
	s2.Expect(contentSQL)
	for _, head := range []string{
		"CREATE SCHEMA ", "CREATE SEQUENCE .dbo...Fresh.", "CREATE SEQUENCE .dbo...Used.", "CREATE TYPE ", "CREATE FUNCTION dbo.fn", "CREATE TABLE .Sales ", "EXEC sys.sp_addext", "EXEC sys.sp_addext", "CREATE TABLE .dbo...History.",
	} {
		s2.Expect("/^" + head + "/")
	}
	if err := dst.Create(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	s2.Expect("ROLLBACK")
	if err := dst.Close(); err != nil {
		t.Error(err)
	}
}

func TestACounterGoesOnWhereTheSourcesWas(t *testing.T) {
	p := &database.PlannedTable{Source: &database.Table{Schema: "s", Name: "t"}, Target: &database.Table{Schema: "dbo", Name: "it's"}}
	q := &database.Sequence{Increment: 5, Last: 35, Called: true}
	for _, c := range []struct {
		rows int64
		want string
	}{{0, "40"}, {3, "35"}} {
		r := &database.Report{Tables: []database.TableResult{{Table: "s.t", Rows: c.rows}}}
		if got := reseed(p, q, r); got != "DBCC CHECKIDENT(N'[dbo].[it''s]', RESEED, "+c.want+") WITH NO_INFOMSGS" {
			t.Errorf("with %d rows: %s", c.rows, got)
		}
	}
}

// outside blanks what stands in quotes; ok is false where a quote stays open.
func outside(sql string) (rest string, ok bool) {
	var b strings.Builder
	open := byte(0)
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case open == 0 && c == '[':
			open = ']'
		case open == 0 && c == '\'':
			open = '\''
		case open != 0 && c == open:
			if i+1 < len(sql) && sql[i+1] == open {
				i++
				continue
			}
			open = 0
		case open == 0:
			b.WriteByte(c)
		}
	}
	return b.String(), open == 0
}

func build(table, column, comment string) *ddl.Mapping {
	s := &database.Schema{Engine: database.Postgres, Namespace: "public", Tables: []*database.Table{{
		Schema: "public", Name: table, Comment: comment + ".",
		Columns: []*database.Column{
			{Name: column, NotNull: true, Type: database.Type{Kind: database.Enum, Values: []string{comment}}},
			{Name: column + "2", Type: database.Type{Kind: database.Text, Length: 10}, Default: &database.Expr{Engine: database.Postgres, SQL: database.QuoteText(database.Postgres, comment)}},
		},
		PrimaryKey: &database.Key{Name: table, Columns: []string{column}},
	}}}
	return dialect().Map(s, database.PlanOptions{})
}

func FuzzDDLQuoting(f *testing.F) {
	f.Add("t", "c", "it's")
	f.Add("t]; DROP DATABASE x--", "[c]]", "'); SHUTDOWN --")
	f.Add("\x00", strings.Repeat("😀", 99), "%s%d%")
	f.Add("", "", "\xff")
	letters := func(sql string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, strings.ReplaceAll(strings.ReplaceAll(sql, " DEFAULT N", ""), " DEFAULT ", ""))
	}
	f.Fuzz(func(t *testing.T, table, column, comment string) {
		plain, got := build("t", "c", "x"), build(table, column, comment)
		if len(plain.Steps.Create) != len(got.Steps.Create) {
			t.Fatalf("%d statements, want %d", len(got.Steps.Create), len(plain.Steps.Create))
		}
		for i, s := range got.Steps.Create {
			rest, ok := outside(s.SQL)
			want, _ := outside(plain.Steps.Create[i].SQL)
			if !ok || letters(rest) != letters(want) {
				t.Errorf("names leak into\n%s\nwant the shape of\n%s", s.SQL, want)
			}
		}
		for _, p := range got.Plan.Tables {
			for _, c := range append([]*database.Column{{Name: p.Target.Name}}, p.Target.Columns...) {
				if sqlengine.Units(c.Name) > 128 || c.Name == "" || strings.ContainsRune(c.Name, 0) {
					t.Errorf("the name %q is not legal", c.Name)
				}
			}
		}
	})
}

func TestVerifyComparesKeysAndRows(t *testing.T) {
	for _, c := range []struct {
		second string
		keyed  bool
		want   error
	}{{"Motörhead", true, nil}, {"Motorhead", true, database.ErrMismatch}, {"Motörhead", false, database.ErrMismatch}} {
		s := scripted.New(t)
		expectTarget(s)
		d := filled()
		if c.keyed {
			d.indexes = [][]any{{int64(1), int64(1), "artist_pkey", int64(1), "CLUSTERED", true, true, false, false, nil, false}}
			d.indexColumns = [][]any{{int64(1), int64(1), "id", false, false}}
		}
		d.foreign = [][]any{{int64(1), int64(9), "artist_fk", "dbo", "Artist", int64(0), int64(0), false, false}}
		d.foreignColumns = [][]any{{int64(9), "parent", "id"}}
		d.catalog(s)
		s.Expect(readBack).Rows([]any{int64(1), "AC/DC", nil}, []any{int64(2), c.second, int64(1)})
		dst, err := openTarget(context.Background(), s.DB())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := convert.Verify(context.Background(), artists(), dst, convert.Options{}); !errors.Is(err, c.want) {
			t.Errorf("verify: %v, want %v", err, c.want)
		}
		if err := dst.Close(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkValues(b *testing.B) {
	raw := &table{schema: "dbo", name: "T", columns: []*column{{name: "n", base: "int"}, {name: "v", base: "nvarchar", length: 200}, {name: "d", base: "datetime2"}}}
	planned := &database.Table{Schema: "dbo", Name: "T"}
	for _, c := range raw.columns {
		planned.Columns = append(planned.Columns, &database.Column{Name: c.name, Type: c.typeOf()})
	}
	rows := database.NewBatch()
	for i := 0; !rows.Full(); i++ {
		rows.Int(int64(i))
		rows.String("For Those About To Rock We Salute You")
		rows.String("2026-11-22 17:00:00")
		rows.EndRow()
	}
	l, err := newLoader(nil, raw, planned)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(rows.Size()))
	b.ReportAllocs()
	for b.Loop() {
		for i := range rows.Len() {
			if err := database.DecodeRow(l.cells, rows.Row(i)); err != nil {
				b.Fatal(err)
			}
			if _, err := l.values(); err != nil || !l.safe() {
				b.Fatal(err)
			}
		}
	}
}
