package oracle

import (
	"context"
	"database/sql/driver"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sijms/go-ora/v2/network"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
	"github.com/packstone/packstone/pipeline/database/sqlengine/scripted"
)

var update = flag.Bool("update", false, "write golden files")

func oracleError(code int) error { return &network.OracleError{ErrCode: code} }

const albumProbe = `SELECT COUNT(CASE WHEN t."ALBUMID" <> TRUNC(t."ALBUMID") OR ABS(t."ALBUMID") > 9223372036854775807 THEN 1 END), COUNT(CASE WHEN t."ARTISTID" <> TRUNC(t."ARTISTID") OR ABS(t."ARTISTID") > 9223372036854775807 THEN 1 END) FROM "CHINOOK"."ALBUM" AS OF SCN 4711 t`

// openChinook expects all that opening the sample takes.
func openChinook(s *scripted.Script) {
	d := chinook()
	d.session(s, "")
	d.identify(s)
	s.Expect(policiesSQL).With(owner)
	s.Expect(redactionSQL).With(owner)
	d.catalog(s)
	s.Expect(scnSQL).Rows([]any{"4711"})
	s.Expect(albumProbe).Rows([]any{"0", "0"})
	for _, table := range []string{"ARTIST", "INVOICE"} {
		s.Expect(`/^SELECT COUNT\(CASE .* FROM "CHINOOK"."` + table + `" AS OF SCN 4711 t$/`).Rows([]any{"0"})
	}
	s.Expect(`/FROM "CHINOOK"."PLAYLISTTRACK" AS OF SCN 4711 t$/`).Rows([]any{"0", "2"})
	d.objects(s)
}

func opened(t *testing.T, s *scripted.Script, opts database.SourceOptions) *source {
	t.Helper()
	src, err := openSource(context.Background(), s.DB(), "", opts)
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

func TestChinookIsDescribedFromTheDictionary(t *testing.T) {
	s := scripted.New(t)
	openChinook(s)
	src := opened(t, s, database.SourceOptions{})
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	databasetest.Golden(t, "testdata/chinook.sql", databasetest.Describe(schema, ";"), *update)
	album := schema.Find("ALBUM")
	if got := album.Columns[0].Type; got.Kind != database.Int || got.Native != "NUMBER" {
		t.Errorf("a NUMBER that holds integers only is %+v", got)
	}
	if got := schema.Find("PLAYLISTTRACK").Columns[1].Type; got.Kind != database.Decimal {
		t.Errorf("a NUMBER that holds fractions is %+v", got)
	}
	if len(album.Indexes) != 1 || len(album.Checks) != 0 || album.ForeignKeys[0].RefColumns[0] != "ARTISTID" {
		t.Errorf("album is %+v", album)
	}
}

func TestAwkwardObjectsAreDescribedOrReported(t *testing.T) {
	s := scripted.New(t)
	d := awkward()
	d.session(s, "")
	d.identify(s)
	s.Expect(policiesSQL).With(owner)
	s.Expect(redactionSQL).With(owner)
	d.catalog(s)
	s.Expect(scnSQL).Rows([]any{"99"})
	s.Expect(`/COUNT\(CASE WHEN TO_CHAR\(t."tz", 'TZR'\) NOT LIKE '\+%' AND .* FROM "CHINOOK"."Quoted Table" AS OF SCN 99 t$/`).Rows([]any{"1", "0", "3", "0"})
	d.objects(s)
	s.Expect(transformSQL)
	s.Expect(ddlSQL).With("VIEW", "V_OBJ", owner).Rows([]any{`CREATE VIEW "V_OBJ" OF "T" AS SELECT x FROM ot`})
	s.Expect(ddlSQL).With("MATERIALIZED_VIEW", "MV", owner).Rows([]any{"\n  CREATE MATERIALIZED VIEW \"MV\" AS SELECT 1 x FROM dual"})
	s.Expect(ddlSQL).With("AQ_QUEUE", "Q", owner).Rows([]any{"BEGIN DBMS_AQADM.CREATE_QUEUE(queue_name => 'Q'); END;"})
	s.Expect(ddlSQL).With("SYNONYM", "SYN", owner).Fails(oracleError(31603))
	s.Expect(ddlSQL).With("TABLE", "OT", owner).Rows([]any{"CREATE TABLE \"OT\" OF \"T\""})
	s.Expect(ddlSQL).With("AQ_QUEUE_TABLE", "QTAB", owner).Rows([]any{"BEGIN DBMS_AQADM.CREATE_QUEUE_TABLE(queue_table => 'QTAB'); END;"})
	s.Expect(ddlSQL).With("TABLE", "GTT", owner).Rows([]any{"CREATE GLOBAL TEMPORARY TABLE \"GTT\" (\"X\" NUMBER) ON COMMIT DELETE ROWS"})
	s.Expect(ddlSQL).With("INDEX", "QT_TEXT", owner).Rows([]any{`CREATE INDEX "QT_TEXT" ON "Quoted Table" ("doc") INDEXTYPE IS "CTXSYS"."CONTEXT"`})
	s.Expect(ddlSQL).With("TABLE", "Quoted Table", owner).Rows([]any{"CREATE TABLE \"Quoted Table\" (...) PARTITION BY HASH (\"id\")"})
	src := opened(t, s, database.SourceOptions{})
	databasetest.Golden(t, "testdata/awkward.sql", databasetest.Describe(src.schema, ";"), *update)
}

const invoiceRows = `SELECT TO_CHAR(t."INVOICEID", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,'''), TO_CHAR(t."INVOICEDATE", 'SYYYY-MM-DD HH24:MI:SS'), t."BILLINGCITY", TO_CHAR(t."TOTAL", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''') FROM "CHINOOK"."INVOICE" AS OF SCN 4711 t ORDER BY t."INVOICEID"`

func TestRowsAreReadAsOfOneSCNInCanonicalForm(t *testing.T) {
	s := scripted.New(t)
	openChinook(s)
	s.Expect(invoiceRows).Rows(
		[]any{"1", " 2021-01-01 00:00:00", "Zürich", ".99"}, []any{"2", "-0044-03-15 12:30:00", nil, "-13.5"},
	)
	src := opened(t, s, database.SourceOptions{})
	got, err := databasetest.Rows(context.Background(), src, src.schema.Find("INVOICE"))
	want := []string{`1|'2021-01-01 00:00:00'|'Zürich'|'0.99'`, `2|'0044-03-15 12:30:00 BC'|null|'-13.50'`}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("rows (-want +got):\n%s%v", diff, err)
	}
}

func TestWorkersAreSetUpLikeTheLeaderAndReadTheSameSCN(t *testing.T) {
	s := scripted.New(t)
	openChinook(s)
	src := opened(t, s, database.SourceOptions{Jobs: 2})
	if src.Jobs() != 2 {
		t.Fatalf("jobs are %d, want 2", src.Jobs())
	}
	for _, one := range settings {
		s.Expect(one)
	}
	s.Expect(invoiceRows).Rows([]any{"1", " 2021-01-01 00:00:00", "Oslo", "2"})
	err := src.Use(context.Background(), func(sqlengine.Queryer) error { // the leader is busy
		got, err := databasetest.Rows(context.Background(), src, src.schema.Find("INVOICE"))
		if len(got) != 1 {
			t.Errorf("rows are %q", got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWithoutTheRightToAnSCNOneTransactionReads(t *testing.T) {
	s := scripted.New(t)
	d := chinook()
	d.tables, d.columns = d.tables[1:2], d.columns[3:5]
	d.session(s, "")
	d.identify(s)
	s.Expect(policiesSQL).With(owner)
	s.Expect(redactionSQL).With(owner)
	d.catalog(s)
	s.Expect(scnSQL).Fails(oracleError(904))
	s.Expect(scnOtherSQL).Fails(oracleError(942))
	s.Expect("BEGIN")
	s.Expect(readOnlySQL)
	s.Expect(`/FROM "CHINOOK"."ARTIST" t$/`).Rows([]any{"0"})
	d.objects(s)
	s.Expect(`/^SELECT .* FROM "CHINOOK"."ARTIST" t ORDER BY t."ARTISTID"$/`).Rows([]any{"1", "AC/DC"})
	s.Expect("ROLLBACK")
	src := opened(t, s, database.SourceOptions{Jobs: 4})
	if src.Jobs() != 1 || src.schema.Moment != "a read-only transaction" {
		t.Errorf("jobs are %d and the moment is %q", src.Jobs(), src.schema.Moment)
	}
	if got, err := databasetest.Rows(context.Background(), src, src.schema.Find("ARTIST")); err != nil || got[0] != "1|'AC/DC'" {
		t.Errorf("rows are %q, %v", got, err)
	}
}

func TestTheSchemaOfTheURLBecomesTheSessions(t *testing.T) {
	s := scripted.New(t)
	d := chinook()
	d.tables, d.columns = nil, nil
	d.session(s, "Other")
	d.identify(s)
	s.Expect(policiesSQL).With(owner)
	s.Expect(redactionSQL).With(owner)
	d.catalog(s)
	s.Expect(scnSQL).Rows([]any{"1"})
	d.objects(s)
	src, err := openSource(context.Background(), s.DB(), "Other", database.SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
}

func TestPoliciesThatHideRowsAreRefused(t *testing.T) {
	s := scripted.New(t)
	d := chinook()
	d.session(s, "")
	d.identify(s)
	s.Expect(policiesSQL).With(owner).Rows([]any{"INVOICE", "ONLY_MINE"})
	_, err := openSource(context.Background(), s.DB(), "", database.SourceOptions{})
	if !errors.Is(err, database.ErrHiddenRows) || !errors.Is(err, database.ErrRefused) || !strings.Contains(err.Error(), "ONLY_MINE") {
		t.Errorf("the error is %v", err)
	}
}

func TestAnOldServerIsRefused(t *testing.T) {
	s := scripted.New(t)
	d := chinook()
	d.version = "11.2.0.4.0"
	d.session(s, "")
	d.identify(s)
	_, err := openSource(context.Background(), s.DB(), "", database.SourceOptions{})
	if !errors.Is(err, database.ErrRefused) || !strings.Contains(err.Error(), "11.2.0.4.0") {
		t.Errorf("the error is %v", err)
	}
}

func TestErrorsWhileReadingSayWhatHappened(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause error
		want  error
		says  string
	}{
		{"lost", driver.ErrBadConn, database.ErrUnreachable, ""},
		{"cut", io.ErrUnexpectedEOF, database.ErrUnreachable, ""},
		{"too old", oracleError(1555), nil, "undo retention"},
		{"changed", oracleError(1466), nil, "changed by DDL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scripted.New(t)
			openChinook(s)
			s.Expect(invoiceRows).Rows([]any{"1", " 2021-01-01 00:00:00", "Oslo", "2"}).Then(c.cause)
			src := opened(t, s, database.SourceOptions{})
			_, err := databasetest.Rows(context.Background(), src, src.schema.Find("INVOICE"))
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestCountersAreReadAfterTheRows(t *testing.T) {
	s := scripted.New(t)
	openChinook(s)
	s.Expect(sequencesSQL).With(owner).Rows([]any{"SEQ", "1", "9999999999999999999999999999", "1", "N", "0", "777"})
	src := opened(t, s, database.SourceOptions{})
	got, err := src.Sequences(context.Background())
	if err != nil || len(got) != 1 || got[0].Next() != 777 {
		t.Errorf("sequences are %+v, %v", got, err)
	}
}

func TestRedactedValuesAreRefusedWhereTheUserMayKnow(t *testing.T) {
	s := scripted.New(t)
	s.Expect(policiesSQL)
	s.Expect(redactionSQL).With(owner).Rows([]any{"INVOICE", "TOTAL"})
	s.Expect(policiesSQL)
	s.Expect(redactionSQL).With(owner).Fails(oracleError(942))
	db := s.DB()
	defer db.Close()
	err := refuseHidden(context.Background(), db, owner)
	if !errors.Is(err, database.ErrHiddenRows) || !strings.Contains(err.Error(), "INVOICE.TOTAL") {
		t.Errorf("the error is %v", err)
	}
	if err := refuseHidden(context.Background(), db, owner); err != nil {
		t.Errorf("a user who may not ask is refused: %v", err)
	}
}
