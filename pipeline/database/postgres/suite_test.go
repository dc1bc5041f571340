package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

func TestPostgresPassesTheSuite(t *testing.T) {
	databasetest.Run(t, databasetest.Engine{
		Name: database.Postgres, Driver: postgres.Driver{}, New: postgrestest.Database,
		Exec: func(t testing.TB, url, sql string) error {
			conn, err := pgx.Connect(context.Background(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			_, err = conn.Exec(context.Background(), sql)
			return err
		},
	})
}
