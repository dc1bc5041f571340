package postgres_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

var markLine = regexp.MustCompile(`mark \[([^\]]*)\] by (\S+) for (\S+)`)

// marks are the places in which the code of mallory has run for a program and a user.
func marks(t testing.TB, program, user string) []string {
	t.Helper()
	log, err := os.ReadFile(postgrestest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range markLine.FindAllStringSubmatch(string(log), -1) {
		if m[3] == program && m[2] == user && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// as is the URL for another user.
func as(t testing.TB, address, user string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(user)
	return u.String()
}

// readAll reads what a backup reads: the schema, the counters, and all rows by table.
func readAll(t testing.TB, src database.Source) map[string][]string {
	t.Helper()
	ctx := context.Background()
	schema, err := src.Schema(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, table := range schema.Tables {
		if out[table.Name], err = databasetest.Rows(ctx, src, table); err != nil {
			t.Fatalf("read table %s: %v", table.ID(), err)
		}
	}
	if _, err := src.Sequences(ctx); err != nil {
		t.Fatal(err)
	}
	return out
}

func dump(t testing.TB, address string) {
	t.Helper()
	cmd := exec.Command(postgrestest.Tool(t, "pg_dump"), "-f", os.DevNull, address)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v: %s", err, out)
	}
}

// codeDatabase has users' code in every place where PostgreSQL may run it.
func codeDatabase(t testing.TB) string {
	t.Helper()
	address := postgrestest.Database(t)
	loadScript(t, address, "testdata/code.sql")
	t.Cleanup(func() {
		postgrestest.Exec(t, address, "DROP SCHEMA IF EXISTS mallory CASCADE; DROP OWNED BY mallory CASCADE; DROP OWNED BY reader; DROP ROLE reader")
		postgrestest.Exec(t, as(t, address, "postgres"), "DROP ROLE mallory")
	})
	return address
}

func TestReadingRunsNobodysCode(t *testing.T) {
	address := codeDatabase(t)
	for _, user := range []string{"postgres", "reader"} {
		url := as(t, address, user)
		before := marks(t, "packstone", user)
		src := databasetest.From(t, postgres.Driver{}, url, database.SourceOptions{Jobs: 2, Aside: t.TempDir()})
		rows := readAll(t, src)
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		dump(t, url)
		t.Logf("pg_dump as %s runs %q", user, marks(t, "pg_dump", user))
		known := slices.Concat(before, marks(t, "pg_dump", user))
		for _, place := range marks(t, "packstone", user) {
			if !slices.Contains(known, place) {
				t.Errorf("code in a place where pg_dump runs none ran for %s: %s", user, place)
			}
		}
		for table, want := range map[string]string{
			"typed": "'happy'|'(1,sad)'|'[1,5)'|'{sad,happy}'|'sad'", "computed": "1|8|null|16;2|7|null|14", "bases": "'2'|null;'3'|'(1,2)'",
			"parted": "5|5;-1|7;200|6", "policed": "1|0", "domained": "4|'{1,2}'", "defaulted": "1|1|1",
		} {
			got := strings.Join(rows[table], ";")
			if !sameRows(got, want) {
				t.Errorf("rows of %s read by %s: %s, want %s", table, user, got, want)
			}
		}
	}
}

func sameRows(a, b string) bool {
	return slices.Equal(slices.Sorted(slices.Values(strings.Split(a, ";"))), slices.Sorted(slices.Values(strings.Split(b, ";"))))
}

func TestCodeThatComesWhileReadingDoesNotRun(t *testing.T) {
	address := codeDatabase(t)
	postgrestest.Exec(t, as(t, address, "mallory"), `CREATE TABLE mallory.clean (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a + 1) STORED);
		INSERT INTO mallory.clean VALUES (1, 2); CREATE TABLE mallory.wide (id int PRIMARY KEY, g int[]) PARTITION BY RANGE (id); CREATE SEQUENCE mallory.later`)
	src := databasetest.From(t, postgres.Driver{}, as(t, address, "reader"), database.SourceOptions{Jobs: 1})
	defer src.Close()
	postgrestest.Exec(t, as(t, address, "mallory"), `SET search_path = mallory;
		CREATE INDEX ON clean ((a + mark('late index'))); CREATE STATISTICS late ON (a + mark('late statistics')), id FROM clean;
		CREATE TABLE wide_1 (id int NOT NULL, g int[]); CREATE INDEX ON wide_1 ((id + mark('late partition'))); ALTER TABLE wide ATTACH PARTITION wide_1 FOR VALUES FROM (1) TO (5);
		DROP SEQUENCE later; CREATE VIEW later AS SELECT mark('late view')::bigint AS last_value, true AS is_called`)
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := databasetest.Rows(context.Background(), src, schema.Find("mallory.clean"))
	if err != nil || strings.Join(rows, ";") != "1|2|3" {
		t.Errorf("rows %v, %v, want one with its computed column", rows, err)
	}
	if _, err := databasetest.Rows(context.Background(), src, schema.Find("mallory.wide")); err != nil {
		t.Error(err)
	}
	if _, err := src.Sequences(context.Background()); err == nil {
		t.Error("a sequence that became a view was read")
	}
	for _, place := range marks(t, "packstone", "reader") {
		if strings.HasPrefix(place, "late") {
			t.Errorf("code ran that came while reading: %s", place)
		}
	}
}

func TestVerifyingRunsNobodysCode(t *testing.T) {
	address := codeDatabase(t)
	before := marks(t, "packstone", "postgres")
	ctx := context.Background()
	src := databasetest.From(t, postgres.Driver{}, address, database.SourceOptions{})
	defer src.Close()
	dst, err := postgres.Driver{}.OpenTarget(ctx, location(t, address), database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	if _, err := convert.Verify(ctx, src, dst, convert.Options{}); err != nil {
		t.Errorf("a database differs from itself: %v", err)
	}
	if ran := marks(t, "packstone", "postgres"); len(ran) != len(before) {
		t.Errorf("code ran: %v", ran)
	}
}

func TestRowsThatAPolicyHidesAreAnError(t *testing.T) {
	address := codeDatabase(t)
	postgrestest.Roles(t, address, "seer LOGIN IN ROLE pg_read_all_data")
	src := databasetest.From(t, postgres.Driver{}, as(t, address, "seer"), database.SourceOptions{})
	defer src.Close()
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := databasetest.Rows(context.Background(), src, schema.Find("mallory.policed")); !errors.Is(err, database.ErrHiddenRows) {
		t.Errorf("error %v, want ErrHiddenRows", err)
	}
}
