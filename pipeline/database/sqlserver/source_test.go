package sqlserver

import (
	"context"
	"database/sql/driver"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	client "github.com/microsoft/go-mssqldb"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
	"github.com/packstone/packstone/pipeline/database/sqlengine/scripted"
)

var update = flag.Bool("update", false, "write golden files")

func serverError(number int32) error {
	return client.Error{Number: number, Message: fmt.Sprint("error ", number)}
}

// openRecorded expects all that opening takes where snapshots are allowed.
func openRecorded(s *scripted.Script, d recordedRows) {
	d.session(s)
	d.identify(s)
	s.Expect(hiddenSQL)
	s.Expect(stillSQL).Rows([]any{int64(1), int64(0), false})
	s.Expect("BEGIN SNAPSHOT")
	s.Expect(momentSQL).Rows([]any{"2026-11-22T17:00:00.1234567"})
	d.catalog(s)
	d.objects(s)
}

func opened(t *testing.T, s *scripted.Script, opts database.SourceOptions) *source {
	t.Helper()
	src, err := openSource(context.Background(), s.DB(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return src
}

func TestChinookIsDescribedFromTheCatalog(t *testing.T) {
	s := scripted.New(t)
	openRecorded(s, chinook())
	s.Anytime("ROLLBACK")
	src := opened(t, s, database.SourceOptions{Jobs: 8})
	databasetest.Golden(t, "testdata/chinook.sql", databasetest.Describe(src.schema, "\nGO"), *update)
	if src.Jobs() != 1 || src.schema.Moment != "2026-11-22T17:00:00.1234567Z" {
		t.Errorf("jobs are %d, the moment is %s", src.Jobs(), src.schema.Moment)
	}
}

func TestAwkwardObjectsAreDescribedOrReported(t *testing.T) {
	s := scripted.New(t)
	openRecorded(s, awkward())
	s.Anytime("ROLLBACK")
	src := opened(t, s, database.SourceOptions{})
	databasetest.Golden(t, "testdata/awkward.sql", databasetest.Describe(src.schema, "\nGO"), *update)
	fresh, used := src.schema.Sequence("dbo.Fresh"), src.schema.Sequence("dbo.Used")
	if fresh.Next() != 7 || used.Next() != 53 {
		t.Errorf("sequences go on with %d and %d, want 7 and 53", fresh.Next(), used.Next())
	}
}

const invoiceRows = `SELECT t.[InvoiceId], CONVERT(varchar(27), t.[InvoiceDate], 121), CONVERT(varchar(42), t.[Total]) FROM [dbo].[Invoice] t ORDER BY t.[InvoiceId]`

func TestRowsAreReadInTheSnapshotInCanonicalForm(t *testing.T) {
	s := scripted.New(t)
	openRecorded(s, chinook())
	s.Expect(invoiceRows).Rows([]any{int64(1), "2021-01-01 00:00:00.000", "0.99"}, []any{int64(2), "2021-01-01 23:59:59.997", "-1.50"})
	s.Anytime("ROLLBACK")
	src := opened(t, s, database.SourceOptions{})
	got, err := databasetest.Rows(context.Background(), src, src.schema.Find("dbo.Invoice"))
	want := []string{`1|'2021-01-01 00:00:00'|'0.99'`, `2|'2021-01-01 23:59:59.997'|'-1.50'`}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("rows (-want +got):\n%s%v", diff, err)
	}
}

func TestWithoutAnySnapshotTheExportIsRefusedWithTheCure(t *testing.T) {
	s := scripted.New(t)
	d := chinook()
	d.session(s)
	d.identify(s)
	s.Expect(hiddenSQL)
	s.Expect(stillSQL).Rows([]any{int64(0), int64(0), false})
	_, err := openSource(context.Background(), s.DB(), database.SourceOptions{})
	if !errors.Is(err, database.ErrRefused) || !strings.Contains(err.Error(), "ALTER DATABASE [Chinook] SET ALLOW_SNAPSHOT_ISOLATION ON") {
		t.Errorf("the error is %v", err)
	}
}

func TestADatabaseThatStandsStillIsReadByMany(t *testing.T) {
	for _, row := range [][]any{{int64(0), int64(5), true}, {int64(0), int64(0), true}} {
		s := scripted.New(t)
		d := chinook()
		d.session(s)
		d.identify(s)
		s.Expect(hiddenSQL)
		s.Expect(stillSQL).Rows(row)
		d.catalog(s)
		d.objects(s)
		src := opened(t, s, database.SourceOptions{Jobs: 2})
		d.session(s)
		s.Expect(invoiceRows)
		err := src.Use(context.Background(), func(sqlengine.Queryer) error { // the leader is busy
			_, err := databasetest.Rows(context.Background(), src, src.schema.Find("dbo.Invoice"))
			return err
		})
		if err != nil || src.Jobs() != 2 {
			t.Errorf("jobs are %d, %v", src.Jobs(), err)
		}
	}
}

func TestPoliciesAndMasksThatHideRowsAreRefused(t *testing.T) {
	s := scripted.New(t)
	d := chinook()
	d.session(s)
	d.identify(s)
	s.Expect(hiddenSQL).Rows([]any{"sec.Tenants"})
	_, err := openSource(context.Background(), s.DB(), database.SourceOptions{})
	if !errors.Is(err, database.ErrHiddenRows) || !strings.Contains(err.Error(), "sec.Tenants") {
		t.Errorf("the error is %v", err)
	}
}

func TestAnOldServerAndTheServersOwnDatabasesAreRefused(t *testing.T) {
	for _, row := range [][]any{{"12.0.2000.8", "Chinook", "x"}, {"16.0.1", "master", "x"}} {
		s := scripted.New(t)
		s.Expect(settingsSQL)
		s.Expect(serverSQL).Rows(row)
		if _, err := openSource(context.Background(), s.DB(), database.SourceOptions{}); !errors.Is(err, database.ErrRefused) {
			t.Errorf("%v: the error is %v", row, err)
		}
	}
}

func TestErrorsWhileReadingSayWhatHappened(t *testing.T) {
	for _, c := range []struct {
		cause error
		want  error
		says  string
	}{
		{driver.ErrBadConn, database.ErrUnreachable, ""},
		{serverError(3961), nil, "changed by DDL"},
	} {
		s := scripted.New(t)
		openRecorded(s, chinook())
		s.Expect(invoiceRows).Rows([]any{int64(1), "2021-01-01 00:00:00.000", "0.99"}).Then(c.cause)
		s.Anytime("ROLLBACK")
		src := opened(t, s, database.SourceOptions{})
		_, err := databasetest.Rows(context.Background(), src, src.schema.Find("dbo.Invoice"))
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestCountersAreReadAfterTheRows(t *testing.T) {
	s := scripted.New(t)
	openRecorded(s, awkward())
	s.Expect(sequencesOf(server{major: 16})).Rows([]any{"dbo", "Used", "bigint", "1", "1", "1", "100", false, int64(1), "60", "60"})
	s.Expect(countersSQL).Rows([]any{int64(1), "id", "95"})
	s.Anytime("ROLLBACK")
	src := opened(t, s, database.SourceOptions{})
	got, err := src.Sequences(context.Background())
	if err != nil || len(got) != 2 || got[0].Next() != 61 || got[1].Next() != 100 {
		t.Errorf("sequences are %+v, %v", got, err)
	}
}

func TestAServerIsNotAskedForKindsThatItDoesNotKnow(t *testing.T) {
	for major, want := range map[int]string{13: "", 14: "graph table", 16: "graph table, ledger table"} {
		var got []string
		for _, l := range listings(server{major: major}) {
			if l.Lost == "" {
				t.Errorf("%s is not copied, and nothing says why", l.Kind)
			}
			if strings.HasSuffix(l.Kind, " table") {
				got = append(got, l.Kind)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("release %d is asked for %q, want %q", major, got, want)
		}
	}
}

func TestAKindThatTheServerRefusesToListIsInTheReport(t *testing.T) {
	s := scripted.New(t)
	refused := listings(server{major: 16})[0]
	s.Expect(refused.SQL).Fails(serverError(208))
	db := s.DB()
	defer db.Close()
	got, err := wire.List(context.Background(), db, []sqlengine.Listing{refused})
	if err != nil || len(got) != 1 || got[0].Kind != refused.Kind || !strings.Contains(got[0].Lost, "error 208") {
		t.Errorf("the list is %+v, %v", got, err)
	}
}

func TestALostConnectionEndsTheListing(t *testing.T) {
	s := scripted.New(t)
	list := listings(server{major: 16})
	s.Expect(list[0].SQL).Fails(io.ErrUnexpectedEOF)
	db := s.DB()
	defer db.Close()
	if _, err := wire.List(context.Background(), db, list); !errors.Is(err, database.ErrUnreachable) {
		t.Errorf("the error is %v", err)
	}
}
