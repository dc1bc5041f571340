package sqlserver

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/ddl"
	"github.com/packstone/packstone/pipeline/database/sqlengine/scripted"
)

func TestWhatSQLServerRefusesIsNotAskedForAndListed(t *testing.T) {
	counts := &database.Identity{Sequence: "none"}
	b := dialect().Map(&database.Schema{Engine: database.Postgres, Namespace: "public", Tables: []*database.Table{{
		Schema: "public", Name: "t", Comment: strings.Repeat("𝄞", 1876),
		Columns: []*database.Column{
			{Name: "n", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 32}, Identity: counts},
			{Name: "m", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 32}, Identity: counts},
			{Name: "body", Type: database.Type{Kind: database.Text}},
		},
		Indexes: []*database.Index{{Name: "i_body", Parts: []database.IndexPart{{Column: "body"}}}},
	}}}, database.PlanOptions{})
	var got []string
	for _, s := range slices.Concat(b.Steps.Create, b.Steps.After) {
		got = append(got, strings.Join(strings.Fields(s.SQL), " "))
	}
	want := []string{
		"CREATE TABLE [dbo].[t] ( [n] int IDENTITY(1,1) NOT NULL, [m] int NOT NULL, [body] nvarchar(max) COLLATE " + exactCollation + " )",
		"EXEC sys.sp_addextendedproperty N'MS_Description', N'" + strings.Repeat("𝄞", 1875) + "', N'SCHEMA', N'dbo', N'TABLE', N't'",
	}
	if !slices.Equal(got, want) {
		t.Errorf("statements are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	databasetest.WantFindings(t, &database.Report{Findings: b.Plan.Findings}, map[string]database.Status{
		"column public.t.m": database.Approximated, "index public.t.i_body": database.SidecarOnly, "table public.t": database.Approximated,
	})
}

func TestATableInMemoryIsReadBesideTheSnapshot(t *testing.T) {
	s := scripted.New(t)
	d := chinook()
	d.tables[2] = tableRow(3, "dbo", "Invoice", int64(0), true)
	openRecorded(s, d)
	d.session(s)
	s.Expect(invoiceRows).Rows([]any{int64(1), "2021-01-01 00:00:00.000", "0.99"})
	s.Anytime("ROLLBACK")
	src := opened(t, s, database.SourceOptions{})
	got, err := databasetest.Rows(context.Background(), src, src.schema.Find("dbo.Invoice"))
	if err != nil || len(got) != 1 {
		t.Errorf("rows are %v, %v", got, err)
	}
	said := slices.ContainsFunc(src.schema.Findings, func(f database.Finding) bool { return f.Code == "DB135" && f.Object.Name == "Invoice" })
	if !said {
		t.Errorf("findings are %v", src.schema.Findings)
	}
}

// TestWhatTheUserMayNotSeeIsListed has null where the server hides a definition.
func TestWhatTheUserMayNotSeeIsListed(t *testing.T) {
	s := scripted.New(t)
	d := chinook()
	d.columns[4] = columnRow(2, "Name", "nvarchar", 240, isComputed, true)
	d.columns[6] = columnRow(3, "InvoiceDate", "datetime", 8, atNullable, false, hasDefault, int64(77))
	d.indexes[1] = []any{int64(1), int64(2), "IFK_AlbumArtistId", int64(2), "NONCLUSTERED", true, false, false, false, nil, true}
	d.checks = [][]any{{int64(1), "CK_Title", nil, false, false}}
	d.listed = map[string][][]any{"hidden object": {{"", "*"}}}
	openRecorded(s, d)
	s.Anytime("ROLLBACK")
	src := opened(t, s, database.SourceOptions{})
	lost := map[string]string{}
	for _, o := range src.schema.Objects {
		if o.Lost != "" {
			lost[o.String()] = o.Lost
		}
		for _, sql := range o.DDL {
			if strings.Contains(sql, "CHECK") || strings.Contains(sql, "IFK_AlbumArtistId") {
				t.Errorf("a hidden definition is guessed: %s", sql)
			}
		}
	}
	for _, object := range []string{"check dbo.Album.CK_Title", "index dbo.Album.IFK_AlbumArtistId", "hidden object *"} {
		if lost[object] == "" {
			t.Errorf("%s is not listed: %v", object, lost)
		}
	}
	databasetest.WantFindings(t, &database.Report{Findings: src.schema.Findings}, map[string]database.Status{
		"column dbo.Artist.Name": database.Approximated, "column dbo.Invoice.InvoiceDate": database.Approximated,
	})
}

func TestAFunctionThatATableCallsComesFirst(t *testing.T) {
	for name, c := range map[string]*catalog{
		"default":  {tables: []*table{{columns: []*column{{value: "([dbo].[f]())"}}}}},
		"computed": {tables: []*table{{columns: []*column{{computed: "([dbo].[f]([x]))"}}}}},
		"check":    {tables: []*table{{checks: []*check{{definition: "([dbo].[f]([x])>(0))"}}}}},
	} {
		for function, want := range map[string]database.Phase{"f": database.BeforeTables, "g": database.AtEnd} {
			row := []string{"70", "dbo", function, "FN", "", "", "", "1", "1", "CREATE FUNCTION …"}
			if got := c.module(row, nil).Phase; got != want {
				t.Errorf("%s: %s is made in phase %v, want %v", name, function, got, want)
			}
		}
	}
}

func TestAnIndexThatSQLServerRefusesIsListed(t *testing.T) {
	s := scripted.New(t)
	s.Expect("BEGIN")
	s.Expect(saveSQL)
	s.Expect("CREATE INDEX [i] ON [dbo].[t] ([c])").Fails(serverError(1946))
	s.Expect(stateSQL).Rows([]any{int64(1)})
	s.Expect(undoSQL)
	s.Expect("ROLLBACK")
	db := s.DB()
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	schema := &database.Schema{Engine: database.SQLServer, Objects: []*database.Object{object("index", "", "dbo.t", "i", database.AfterData, "CREATE INDEX [i] ON [dbo].[t] ([c])")}}
	p := dialect().Replay(schema, nil)
	findings, err := (&target{tx: tx}).run(context.Background(), p.Detail.(*ddl.Steps).After)
	if err != nil || len(findings) != 1 || findings[0].Status != database.Dropped {
		t.Errorf("findings are %v, %v", findings, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}
