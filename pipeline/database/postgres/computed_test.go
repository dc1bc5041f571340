package postgres_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/postgres"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
	"github.com/packstone/packstone/pipeline/database/sqlite"
)

const computedSQL = `CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
	CREATE TYPE size AS ENUM ('small', 'large');
	CREATE TABLE t (id int PRIMARY KEY, a int, called int GENERATED ALWAYS AS (twice(a)) STORED NOT NULL, plus int GENERATED ALWAYS AS (a + 1) STORED,
		name text COLLATE "C", list text[], at timestamptz, blob bytea, fixed char(5), s size, amount numeric(10,3), ok bool, f float8, odd "char",
		"upper ""name""" text GENERATED ALWAYS AS (upper(name) || coalesce(fixed, '-')) STORED, items int GENERATED ALWAYS AS (cardinality(list)) STORED,
		day date GENERATED ALWAYS AS ((at AT TIME ZONE 'UTC')::date) STORED, sum text GENERATED ALWAYS AS (md5(blob)) STORED,
		bigger size GENERATED ALWAYS AS (CASE s WHEN 'small' THEN 'large'::size ELSE s END) STORED, third numeric GENERATED ALWAYS AS (amount / 3) STORED,
		neither bool GENERATED ALWAYS AS (NOT ok) STORED, half float8 GENERATED ALWAYS AS (f / 2) STORED, words tsvector GENERATED ALWAYS AS (to_tsvector('english', name)) STORED);
	INSERT INTO t (id, a, name, list, at, blob, fixed, s, amount, ok, f, odd) VALUES
		(2, 5, E'it''s a\tname \\ of things', '{a,"b c",NULL}', '2026-01-31 23:30-05', '\x00ff5c27', 'ab', 'small', 10.500, true, 0.1, 'x'),
		(1, 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (3, 0, '', '{}', '0044-03-15 12:00+00 BC', '', '', 'large', -0.001, false, 'NaN', ''),
		(4, 0, 'ä', '{"\\"}', '-infinity', '\x5c', E'a\\b', 'large', 'NaN', false, '-Infinity', 'y')`

func TestGeneratedColumnsComeOutAsTheServerHasThem(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, computedSQL)
	postgrestest.Exec(t, url, `CREATE TABLE copied AS SELECT * FROM t; ALTER TABLE copied ADD PRIMARY KEY (id); ALTER TABLE t RENAME TO computed`)
	src := databasetest.From(t, postgres.Driver{}, url, database.SourceOptions{})
	defer src.Close()
	rows := readAll(t, src)
	if len(rows["computed"]) != 4 || len(rows["copied"]) != 4 {
		t.Fatalf("%d and %d rows, want 4", len(rows["computed"]), len(rows["copied"]))
	}
	for i := range rows["copied"] {
		want := strings.Split(rows["copied"][i], "|")
		want[2] = "null" // what users' code computes is not read
		if got := rows["computed"][i]; got != strings.Join(want, "|") {
			t.Errorf("row %s, want %s", got, strings.Join(want, "|"))
		}
	}
}

func TestGeneratedColumnsOfLongValues(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE TABLE t (id int PRIMARY KEY, sum text GENERATED ALWAYS AS (md5(body)) STORED, body text, copy bytea, list int[]);
		INSERT INTO t (id, body, copy) SELECT i, repeat(chr(64 + i), 9000000), convert_to(repeat(chr(64 + i), 9000000), 'UTF8') FROM generate_series(1, 3) i`)
	src := databasetest.From(t, postgres.Driver{}, url, database.SourceOptions{Aside: t.TempDir()})
	defer src.Close()
	schema, err := src.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	cells := make([]database.Cell, 5)
	err = src.Rows(context.Background(), schema.Find("public.t"), func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			rows++
			if err := b.Cells(cells, i); err != nil {
				return err
			}
			want := bytes.Repeat([]byte{byte(64 + cells[0].Int)}, 9000000)
			for _, c := range cells[2:4] {
				if c.Long == nil {
					t.Errorf("row %d has a value in memory", cells[0].Int)
				} else if got, err := c.Long.Bytes(); err != nil || !bytes.Equal(got, want) {
					t.Errorf("row %d has %d bytes, %v", cells[0].Int, len(got), err)
				}
			}
			if sum := fmt.Sprintf("%x", md5.Sum(want)); string(cells[1].Bytes) != sum {
				t.Errorf("row %d: sum %s, want %s", cells[0].Int, cells[1].Bytes, sum)
			}
		}
		return nil
	})
	if err != nil || rows != 3 {
		t.Errorf("%d rows, %v, want 3", rows, err)
	}
}

func TestAColumnThatUsersCodeComputesIsUnreadButComesBack(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, computedSQL)
	postgrestest.Exec(t, from, "DELETE FROM t WHERE id > 2")
	file := "sqlite:" + filepath.Join(t.TempDir(), "out.sqlite")
	report, err := copied(t, postgres.Driver{}, sqlite.Driver{Portable: true}, from, file, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	unread := 0
	for _, f := range report.Inexact() {
		if f.Code == "DB217" {
			unread++
			if f.Object.Name != "called" {
				t.Errorf("unread: %s", f)
			}
		}
	}
	if unread != 1 {
		t.Errorf("%d columns are listed as unread, want 1", unread)
	}
	report, err = copied(t, sqlite.Driver{}, postgres.Driver{}, file, to, convert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Inexact() {
		t.Errorf("not exact: %s", f)
	}
	postgrestest.Exec(t, to, `DO $$BEGIN IF (SELECT string_agg(called::text, ',' ORDER BY id) FROM t) <> '14,10' THEN RAISE EXCEPTION 'wrong'; END IF; END$$`)
	if err := verify(t, from, to); err != nil {
		t.Errorf("the copy differs: %v", err)
	}
}

func TestAColumnThatIsComputedOtherwiseIsADifference(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, "CREATE TABLE t (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a + 1) STORED); INSERT INTO t VALUES (1)")
	postgrestest.Exec(t, to, "CREATE TABLE t (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a + 2) STORED); INSERT INTO t VALUES (1)")
	if err := verify(t, from, to); !errors.Is(err, database.ErrMismatch) || !strings.Contains(err.Error(), "column b is not generated as (a + 1)") {
		t.Errorf("error %v, want ErrMismatch for column b", err)
	}
}

func verify(t testing.TB, from, against string) error {
	t.Helper()
	ctx := context.Background()
	src := databasetest.From(t, postgres.Driver{}, from, database.SourceOptions{})
	defer src.Close()
	dst, err := postgres.Driver{}.OpenTarget(ctx, location(t, against), database.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	_, err = convert.Verify(ctx, src, dst, convert.Options{})
	return err
}

func TestAnUnreadPrimaryKeyStaysInItsEngine(t *testing.T) {
	from, to := postgrestest.Database(t), postgrestest.Database(t)
	postgrestest.Exec(t, from, `CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
		CREATE TABLE t (a int, id int GENERATED ALWAYS AS (twice(a)) STORED PRIMARY KEY); INSERT INTO t VALUES (2), (1)`)
	_, err := copied(t, postgres.Driver{}, sqlite.Driver{Portable: true}, from, "sqlite:"+filepath.Join(t.TempDir(), "out.sqlite"), convert.Options{})
	if !errors.Is(err, database.ErrRefused) || !strings.Contains(err.Error(), "id is in the primary key of table public.t") {
		t.Errorf("error %v, want a refusal that names the column", err)
	}
	if report := into(t, from, to, convert.Options{}); len(report.Inexact()) != 0 || report.Tables[0].Rows != 2 {
		t.Errorf("report %+v", report)
	}
}
