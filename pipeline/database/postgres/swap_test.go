package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

func openSwap(t *testing.T, url string) database.Swap {
	t.Helper()
	at, err := database.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Driver{}.OpenSwap(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestADatabaseTakesThePlaceOfALivingOne(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Roles(t, url, "swap_owner", "swap_reader")
	s := openSwap(t, url)
	name := s.Name()
	for _, sql := range []string{
		"ALTER DATABASE %s OWNER TO swap_owner", "REVOKE ALL ON DATABASE %s FROM PUBLIC", "GRANT CONNECT ON DATABASE %s TO swap_reader WITH GRANT OPTION", "ALTER DATABASE %s CONNECTION LIMIT 7",
	} {
		postgrestest.Exec(t, url, fmt.Sprintf(sql, name))
	}
	postgrestest.Exec(t, url, "CREATE TABLE old (x int)")
	living, err := pgx.Connect(t.Context(), url) // somebody is in it
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close(context.Background())
	fresh, aside := database.BesideName(name, "restored", "01", 63), database.BesideName(name, "before", "01", 63)
	wantNil(t, s.Ready(t.Context(), ""), s.Make(t.Context(), fresh))
	at, err := s.At(fresh)
	if err != nil {
		t.Fatal(err)
	}
	postgrestest.Exec(t, at.Reveal(), "CREATE TABLE new (x int)")
	wantNil(t, s.Make(t.Context(), fresh)) // as if the server had just made it for somebody who was killed
	postgrestest.Exec(t, at.Reveal(), "CREATE TABLE new (x int)")
	rights := "SELECT pg_get_userbyid(datdba) || ' ' || coalesce(datacl::text, '') || ' ' || datconnlimit || ' ' || pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datctype FROM pg_database WHERE datname = "
	want := value(t, url, rights+"'"+name+"'")
	wantNil(t, s.Exchange(t.Context(), aside, fresh))
	if living.Ping(t.Context()) == nil {
		t.Error("a session in the old one lives on")
	}
	if got := value(t, url, "SELECT relname FROM pg_class WHERE relname IN ('old', 'new')"); got != "new" {
		t.Errorf("the living one holds %s", got)
	}
	if got := value(t, url, rights+"'"+name+"'"); got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
	wantNil(t, s.Exchange(t.Context(), fresh, aside)) // and back
	if got := value(t, url, "SELECT relname FROM pg_class WHERE relname IN ('old', 'new')"); got != "old" {
		t.Errorf("after the way back the living one holds %s", got)
	}
	wantNil(t, s.Drop(t.Context(), fresh), s.Drop(t.Context(), fresh))
}

func TestADatabaseThatIsGoneComesBack(t *testing.T) {
	url := postgrestest.Database(t)
	s := openSwap(t, url)
	wantNil(t, s.Drop(t.Context(), s.Name()), s.Reopen(t.Context()), s.Ready(t.Context(), ""), s.Make(t.Context(), "gone_restored"), s.Exchange(t.Context(), "gone_before", "gone_restored"))
	if got := value(t, url, "SELECT current_database()"); got != s.Name() {
		t.Errorf("there is %s", got)
	}
	if there, err := s.Holds(t.Context(), "gone_before"); there || err != nil {
		t.Errorf("one is kept that was not there: %v, %v", there, err)
	}
}

func TestADatabaseThatCannotBeExchangedStaysOpen(t *testing.T) {
	url := postgrestest.Database(t)
	s := openSwap(t, url)
	if err := s.Exchange(t.Context(), "swap_aside", "swap_that_is_not_there"); err == nil {
		t.Fatal("a database that is not there took a place")
	}
	if got := value(t, url, "SELECT current_database()"); got != s.Name() {
		t.Errorf("there is %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Exchange(ctx, "swap_aside", "swap_that_is_not_there"); err == nil {
		t.Fatal("an interrupted one succeeds")
	}
	if got := value(t, url, "SELECT current_database()"); got != s.Name() {
		t.Errorf("there is %s", got)
	}
}

func TestWhoMayNotExchangeDatabasesIsToldWhatToRun(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Roles(t, url, "swap_nobody LOGIN", "swap_maker LOGIN CREATEDB", "swap_other")
	as := func(user string) error {
		return openSwap(t, strings.Replace(url, "postgres@", user+"@", 1)).Ready(t.Context(), "")
	}
	if err := as("swap_nobody"); !errors.Is(err, database.ErrNoSwap) || !strings.Contains(err.Error(), `ALTER ROLE "swap_nobody" CREATEDB`) {
		t.Errorf("who may create no database is told %v", err)
	}
	if err := as("swap_maker"); !errors.Is(err, database.ErrNoSwap) || !strings.Contains(err.Error(), `GRANT "postgres" TO "swap_maker"`) {
		t.Errorf("who does not own the database is told %v", err)
	}
	name := openSwap(t, url).Name()
	postgrestest.Exec(t, url, "ALTER DATABASE "+name+" OWNER TO swap_maker")
	wantNil(t, as("swap_maker"))
	living, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close(context.Background())
	if err := as("swap_maker"); !errors.Is(err, database.ErrNoSwap) || !strings.Contains(err.Error(), "sessions") {
		t.Errorf("where a superuser is in the database there is %v", err)
	}
	postgrestest.Exec(t, url, "ALTER DATABASE "+name+" OWNER TO postgres")
}

func wantNil(t *testing.T, all ...error) {
	t.Helper()
	if err := errors.Join(all...); err != nil {
		t.Fatal(err)
	}
}

func value(t *testing.T, url, sql string) (out string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&out); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}
