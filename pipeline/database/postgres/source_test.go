package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

// writePairs commits the same number in two tables for everything that it may take.
func writePairs(t testing.TB, url string, writer int, may chan int) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(ctx)
	for n := range may {
		_, err := conn.PgConn().Exec(ctx, fmt.Sprintf("BEGIN; INSERT INTO one VALUES (%[1]d, %[2]d); INSERT INTO two VALUES (%[1]d, %[2]d); COMMIT", writer, n)).ReadAll()
		if err != nil {
			t.Error(err)
			return
		}
	}
}

func TestAParallelExportIsOneMoment(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE TABLE one (w int, n int, PRIMARY KEY (w, n)); CREATE TABLE between (t text);
		CREATE TABLE two (w int, n int, PRIMARY KEY (w, n)); INSERT INTO between SELECT repeat('x', 1000) FROM generate_series(1, 2000)`)
	const most = 200 // pairs that are written while an export goes on
	may := make(chan int, most)
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() { writePairs(t, url, w, may) })
	}
	last := int64(-1)
	for round := range 20 {
		for n := range most {
			may <- round*most + n
		}
		src := databasetest.From(t, postgres.Driver{}, url, database.SourceOptions{Jobs: 3})
		file := "sqlite:" + filepath.Join(t.TempDir(), "pairs.sqlite")
		report, err := databasetest.Into(t, sqlite.Driver{}, file, src, convert.Options{Jobs: 3})
		src.Close()
		if err != nil {
			t.Fatal(err)
		}
		one, two := report.Result("public.one"), report.Result("public.two")
		if one.Rows != two.Rows || one.Digest != two.Digest {
			t.Errorf("%d rows of one, %d of two", one.Rows, two.Rows)
		}
		if one.Rows < last || round > 1 && one.Rows == 0 {
			t.Errorf("round %d: %d rows, and %d before", round, one.Rows, last)
		}
		last = one.Rows
	}
	close(may)
	writers.Wait()
}

func TestRowSecurityIsAnErrorNotFewerRows(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Roles(t, url, "reader LOGIN")
	postgrestest.Exec(t, url, `CREATE TABLE secret (a int); INSERT INTO secret VALUES (1), (2); ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
		CREATE POLICY p ON secret USING (a = 1); GRANT SELECT ON secret TO reader`)
	src := databasetest.From(t, postgres.Driver{}, strings.Replace(url, "postgres@", "reader@", 1), database.SourceOptions{})
	file := "sqlite:" + filepath.Join(t.TempDir(), "secret.sqlite")
	_, err := databasetest.Into(t, sqlite.Driver{}, file, src, convert.Options{})
	if !errors.Is(err, database.ErrHiddenRows) {
		t.Errorf("error %v, want ErrHiddenRows", err)
	}
}

func TestNULIsRefusedWithItsPlaceOrStripped(t *testing.T) {
	table := &database.Table{
		Name: "notes", PrimaryKey: &database.Key{Columns: []string{"id"}}, Order: []string{"id"},
		Columns: []*database.Column{
			{Name: "id", NotNull: true, Type: database.Type{Kind: database.Int, Bits: 64}},
			{Name: "body", Type: database.Type{Kind: database.Text}},
		},
	}
	src := &databasetest.Source{
		Model: &database.Schema{Engine: "memory", Tables: []*database.Table{table}},
		Data:  map[string][][]database.Cell{"notes": {{databasetest.Int(7), databasetest.Text("a\x00b")}}},
	}
	url := postgrestest.Database(t)
	_, err := databasetest.Into(t, postgres.Driver{}, url, src, convert.Options{})
	if !errors.Is(err, database.ErrValue) || !strings.Contains(fmt.Sprint(err), "table notes, column body, row (id=7)") {
		t.Errorf("error %v, want an ErrValue with the place", err)
	}
	report, err := databasetest.Into(t, postgres.Driver{}, url, src, convert.Options{Plan: database.PlanOptions{NUL: database.NULStrip}})
	if err != nil {
		t.Fatal(err)
	}
	if lossy := report.Inexact(); len(lossy) != 1 || lossy[0].Count != 1 || lossy[0].Object.Name != "body" {
		t.Errorf("findings %v, want one of body with one value", lossy)
	}
}

// killer ends the target's session after some rows.
type killer struct {
	*databasetest.Source
	kill func()
}

func (k killer) Rows(ctx context.Context, t *database.Table, send func(*database.Batch) error) error {
	batches := 0
	return k.Source.Rows(ctx, t, func(b *database.Batch) error {
		if batches++; batches == 2 {
			k.kill()
		}
		return send(b)
	})
}

func TestALostConnectionLeavesTheTargetEmpty(t *testing.T) {
	url := postgrestest.Database(t)
	table := &database.Table{Name: "t", Columns: []*database.Column{{Name: "a", Type: database.Type{Kind: database.Int, Bits: 64}}}}
	src := killer{
		Source: &databasetest.Source{
			Model: &database.Schema{Engine: "memory", Tables: []*database.Table{table}},
			Data:  map[string][][]database.Cell{"t": make([][]database.Cell, 100)},
		},
		kill: func() {
			postgrestest.Exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'packstone' AND datname = current_database()`)
		},
	}
	for i := range src.Data["t"] {
		src.Data["t"][i] = []database.Cell{databasetest.Int(int64(i))}
	}
	if _, err := databasetest.Into(t, postgres.Driver{}, url, src, convert.Options{}); !errors.Is(err, database.ErrUnreachable) {
		t.Fatalf("error %v, want ErrUnreachable", err)
	}
	if _, err := databasetest.Into(t, postgres.Driver{}, url, src.Source, convert.Options{}); err != nil {
		t.Errorf("the target is not empty: %v", err)
	}
}

func TestErrorsNeverShowThePassword(t *testing.T) {
	at := databasetest.Locate(t, "postgres://someone:s3cret%21@127.0.0.1:1/db")
	_, err := postgres.Driver{}.OpenSource(context.Background(), at, database.SourceOptions{})
	if !errors.Is(err, database.ErrUnreachable) {
		t.Errorf("error %v, want ErrUnreachable", err)
	}
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%v %+v %#v %s", at, at, at, at)} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("%s shows the password", text)
		}
	}
}

func TestFilteredTablesComeBackWithoutWhatRefersToOthers(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	loadScript(t, from, "testdata/awkward.sql")
	src := databasetest.From(t, postgres.Driver{}, from, database.SourceOptions{Filter: database.Filter{Tables: []string{"public.worker", "measured"}}})
	report, err := databasetest.Into(t, postgres.Driver{}, to, src, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Tables) != 2 {
		t.Errorf("%d tables, want 2", len(report.Tables))
	}
	for _, f := range report.Inexact() {
		t.Errorf("what was left out by choice counts as lost: %s", f)
	}
	dropped := map[string]bool{}
	for _, f := range report.Findings {
		dropped[f.Object.String()] = f.Status == database.Chosen
	}
	for _, want := range []string{"foreign key public.worker.to_boss", "view public.workers", "view public.over"} {
		if !dropped[want] {
			t.Errorf("the report does not say that %s is missing: %v", want, dropped)
		}
	}
}
