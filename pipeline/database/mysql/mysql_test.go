package mysql_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
)

func TestMain(m *testing.M) { mysqltest.Main(m) }

// awkward makes a database that holds a bit of everything.
func awkward(t testing.TB) database.Location {
	t.Helper()
	script, err := os.ReadFile("testdata/awkward.sql")
	if err != nil {
		t.Fatal(err)
	}
	at := mysqltest.Database(t)
	mysqltest.Exec(t, at, string(script))
	return at
}

func openSource(t testing.TB, at database.Location, opts database.SourceOptions) database.Source {
	t.Helper()
	src, err := mysql.Driver{}.OpenSource(context.Background(), at, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func openTarget(t testing.TB, at database.Location, opts database.TargetOptions) database.Target {
	t.Helper()
	dst, err := mysql.Driver{}.OpenTarget(context.Background(), at, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dst.Close() })
	return dst
}

// copied copies one database into another and fails on any error.
func copied(t testing.TB, from, to database.Location, jobs int, opts convert.Options) *database.Report {
	t.Helper()
	src := openSource(t, from, database.SourceOptions{Jobs: jobs})
	dst := openTarget(t, to, database.TargetOptions{Jobs: jobs})
	opts.Jobs = jobs
	report, err := convert.Run(context.Background(), src, dst, opts)
	if err != nil {
		t.Fatal(err)
	}
	src.Close()
	return report
}

// dump is what mariadb-dump says of a database.
func dump(t testing.TB, at database.Location) string {
	t.Helper()
	cmd := exec.Command("mariadb-dump", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", strconv.Itoa(mysqltest.Port(t)), "-u", "root",
		"--skip-comments", "--skip-dump-date", "--order-by-primary", "--hex-blob", "--routines", "--triggers", "--events", mysqltest.Name(at))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mariadb-dump: %v", err)
	}
	return strings.ReplaceAll(string(out), mysqltest.Name(at), "DATABASE")
}

// differences lists lines that stand in one text only.
func differences(a, b string) []string {
	var out []string
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, line := range left {
		if !slices.Contains(right, line) {
			out = append(out, "- "+line)
		}
	}
	for _, line := range right {
		if !slices.Contains(left, line) {
			out = append(out, "+ "+line)
		}
	}
	return out
}

func TestCopyIntoTheSameEngineIsTheSameToTheDumpProgram(t *testing.T) {
	for _, jobs := range []int{1, 3} {
		from, to := awkward(t), mysqltest.Database(t)
		report := copied(t, from, to, jobs, convert.Options{})
		for _, f := range report.Inexact() {
			t.Log(f)
		}
		if diff := differences(dump(t, from), dump(t, to)); len(diff) > 0 {
			t.Errorf("with %d jobs the dumps differ:\n%.3000s", jobs, strings.Join(diff, "\n"))
		}
	}
}

// exactValues is what a dump hides: all digits of a FLOAT, impossible dates,
// the enum's error value.
func exactValues(t testing.TB, at database.Location) string {
	t.Helper()
	db := mysqltest.Open(t, at)
	var out []string
	for _, query := range []string{
		"SELECT CONCAT_WS('|', id, f+0e0, f*1e0, f2*1e0, dd, d2*1e0, HEX(b64), b9+0, bu) FROM numbers ORDER BY id",
		"SELECT CONCAT_WS('|', id, d, t, t0, dt, dt3, ts, ts0, z) FROM times ORDER BY id",
		"SELECT CONCAT_WS('|', id, e+0, e2+0, s+0, HEX(c), HEX(v), HEX(g), MD5(lt), HEX(bl), HEX(t), u, i6) FROM texts ORDER BY id",
		"SELECT CONCAT_WS('|', id, HEX(g), HEX(pt)) FROM geo ORDER BY id",
	} {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			out = append(out, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(out, "\n")
}

func TestValuesThatADumpHidesAreKept(t *testing.T) {
	for name, local := range map[string]string{"by LOAD DATA": "ON", "by INSERT": "OFF"} {
		t.Run(name, func(t *testing.T) {
			from, to := awkward(t), mysqltest.Database(t)
			mysqltest.Exec(t, to, "SET GLOBAL local_infile = "+local)
			defer mysqltest.Exec(t, to, "SET GLOBAL local_infile = ON")
			copied(t, from, to, 1, convert.Options{})
			want, got := exactValues(t, from), exactValues(t, to)
			if diff := differences(want, got); len(diff) > 0 {
				t.Errorf("values differ:\n%.3000s", strings.Join(diff, "\n"))
			}
			for _, value := range []string{"2026-02-31", "0000-00-00", "2026-00-10", "3.4028234663852886e38", "-838:59:59"} {
				if !strings.Contains(got, value) {
					t.Errorf("%s is missing in:\n%.3000s", value, got)
				}
			}
		})
	}
}

func TestNeutralCopyHoldsTheSameRows(t *testing.T) {
	from, to := awkward(t), mysqltest.Database(t)
	report := copied(t, from, to, 2, convert.Options{Plan: database.PlanOptions{NoNativeDDL: true}})
	for _, f := range report.Inexact() {
		t.Log(f)
	}
	want, got := exactValues(t, from), exactValues(t, to)
	if diff := differences(want, got); len(diff) > 0 {
		t.Errorf("values differ:\n%.3000s", strings.Join(diff, "\n"))
	}
	src := openSource(t, from, database.SourceOptions{})
	copied := openTarget(t, to, database.TargetOptions{})
	if _, err := convert.Verify(context.Background(), src, copied, convert.Options{Plan: database.PlanOptions{NoNativeDDL: true}}); err != nil {
		t.Errorf("verify: %v", err)
	}
}

func openErr(at database.Location) (database.Source, error) {
	return mysql.Driver{}.OpenSource(context.Background(), at, database.SourceOptions{})
}

// openTargetUnclosed is for tests that kill what they opened.
func openTargetUnclosed(t testing.TB, at database.Location) database.Target {
	t.Helper()
	dst, err := mysql.Driver{}.OpenTarget(context.Background(), at, database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return dst
}
