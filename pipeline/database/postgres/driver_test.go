package postgres

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

func TestNoTimeoutEndsASession(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `DO $$ DECLARE s record; BEGIN FOR s IN SELECT name FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_session_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')
		LOOP EXECUTE format('ALTER DATABASE %I SET %I = 60000', current_database(), s.name); END LOOP; END $$`)
	at, err := database.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	conn, err := connect(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var name, value string
	err = each(ctx, conn, "SELECT name, setting FROM pg_settings WHERE name ~ '_timeout$' AND context = 'user' AND setting <> '0' AND name NOT IN ('wal_sender_timeout', 'tcp_user_timeout', 'deadlock_timeout')", []any{&name, &value}, func() error {
		t.Errorf("%s is %s", name, value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A connection that is gone when something is asked is the server's absence, as one that breaks
// while it is asked.
func TestWhoseConnectionIsGoneHasAnUnreachableServer(t *testing.T) {
	at, err := database.ParseLocation(postgrestest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1"); !errors.Is(translate(err), database.ErrUnreachable) {
		t.Errorf("got %v, want that the database is unreachable", err)
	}
}

func TestOfAServerThatSaysNothingItIsToldWhatToDo(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // which accepts nothing by itself: the system does
	at, err := database.ParseLocation("postgres://me@" + silent.Addr().String() + "/d?sslmode=disable&connect_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = connect(t.Context(), at)
	if !errors.Is(err, database.ErrUnreachable) {
		t.Fatalf("got %v, want that it is unreachable", err)
	}
	for _, want := range []string{silent.Addr().String(), "it has not answered in 1s", "see whether the server is well"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
