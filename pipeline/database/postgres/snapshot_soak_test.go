//go:build soak

package postgres_test

import (
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

func TestSoakATableThatIsReloadedAllTheTimeIsWholeInEverySnapshot(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 20000) g")
	end, ended := make(chan struct{}), make(chan int)
	job := session(t, url)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-end:
				ended <- n
				return
			default:
				do(t, job, "BEGIN; TRUNCATE t; INSERT INTO t SELECT g, 'x' FROM generate_series(1, 20000) g; COMMIT")
			}
		}
	}()
	right := 0
	for range 50 {
		src := databasetest.From(t, postgres.Driver{}, url, database.SourceOptions{Jobs: 2})
		if n := count(t, src, "public.t"); n == 20000 {
			right++
		} else {
			t.Errorf("%d rows, want 20000", n)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
	close(end)
	t.Logf("%d of 50 snapshots hold the whole table, which was reloaded %d times meanwhile", right, <-ended)
}
