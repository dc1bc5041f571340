package mysql_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
)

func TestTablesTakeThePlaceOfLivingOnesInOneStatement(t *testing.T) {
	at := mysqltest.Database(t)
	name := mysqltest.Name(at)
	s, err := mysql.Driver{}.OpenSwap(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mysqltest.Exec(t, at, "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_german1_ci; CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE old (id int, FOREIGN KEY (id) REFERENCES p (id)); INSERT INTO p VALUES (1)")
	fresh, aside := name+"_restored_1", name+"_before_1"
	if err := errors.Join(s.Ready(t.Context(), ""), s.Make(t.Context(), fresh)); err != nil {
		t.Fatal(err)
	}
	beside, err := s.At(fresh)
	if err != nil {
		t.Fatal(err)
	}
	mysqltest.Exec(t, beside, "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE new (id int, FOREIGN KEY (id) REFERENCES p (id)); INSERT INTO p VALUES (2)")
	if err := s.Exchange(t.Context(), aside, fresh); err != nil {
		t.Fatal(err)
	}
	db := mysqltest.Open(t, at)
	defer db.Close()
	value := func(sql string) (out string) {
		t.Helper()
		if err := db.QueryRow(sql).Scan(&out); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return out
	}
	list := "SELECT GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = "
	for where, want := range map[string]string{name: "new,p", aside: "old,p"} {
		if got := value(list + "'" + where + "'"); got != want {
			t.Errorf("%s holds %s, want %s", where, got, want)
		}
	}
	if got := value("SELECT GROUP_CONCAT(DEFAULT_COLLATION_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ('" + aside + "', '" + fresh + "')"); got != "latin1_german1_ci,latin1_german1_ci" {
		t.Errorf("databases beside have the collations %s", got)
	}
	if _, err := db.Exec("INSERT INTO new VALUES (1)"); err == nil {
		t.Error("a foreign key still leads to the table that was there")
	}
	if _, err := db.Exec("INSERT INTO new VALUES (2)"); err != nil {
		t.Errorf("a foreign key does not lead to the table beside it: %v", err)
	}
	if held, err := s.Holds(t.Context(), fresh); held || err != nil {
		t.Errorf("after the exchange the fresh one holds something: %v, %v", held, err)
	}
	if err := errors.Join(s.Exchange(t.Context(), fresh, aside), s.Drop(t.Context(), aside), s.Drop(t.Context(), fresh), s.Drop(t.Context(), fresh)); err != nil {
		t.Fatal(err)
	}
	if got := value(list + "'" + name + "'"); got != "old,p" {
		t.Errorf("after the way back there is %s", got)
	}
	if err := s.Drop(t.Context(), name); err == nil {
		t.Error("the living one is dropped")
	}
}

func TestWhatIsNoTableIsNotExchanged(t *testing.T) {
	for kind, sql := range map[string]string{
		"view": "CREATE VIEW v AS SELECT * FROM x", "trigger": "CREATE TRIGGER v BEFORE INSERT ON x FOR EACH ROW SET NEW.id = 1", "procedure": "CREATE PROCEDURE v() SELECT 1",
	} {
		at := mysqltest.Database(t)
		s, err := mysql.Driver{}.OpenSwap(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		mysqltest.Exec(t, at, "CREATE TABLE x (id int); "+sql)
		for _, err := range []error{s.Ready(t.Context(), ""), s.Exchange(t.Context(), "swap_aside", "")} {
			if !errors.Is(err, database.ErrNoSwap) || !strings.Contains(err.Error(), kind+" v") || !strings.Contains(err.Error(), "--map") {
				t.Errorf("of a database with a %s it says %v", kind, err)
			}
		}
		s.Close()
	}
}
