package postgres

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

// What an import has made is on its list also if other transactions began after it, and ended.
func TestTheMarkerListsWhatWasMadeWhileOthersCommitted(t *testing.T) {
	url := postgrestest.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	run := func(sql string) {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run("BEGIN; CREATE TABLE mine (x int); SAVEPOINT s; CREATE TABLE later (x int)")
	postgrestest.Exec(t, url, "CREATE TABLE others (x int)")
	if err := makeMarker(t.Context(), conn, []string{"''"}); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), "SELECT name FROM "+markerTable+" ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if want := []string{"table public.later", "table public.mine"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("the marker lists %q, %v, want %q", got, err, want)
	}
}
