package main

import (
	"fmt"
	"strings"
)

// shape is a table of a kind: of rows in a thousand of what -rows says, and how both engines make
// it. %d is the number of rows.
type shape struct {
	name              string
	perMille          int
	postgres, mariadb string
}

// shapes are narrow, wide, heavy with text, with documents and with bytes, and one that refers to
// another.
func shapes() []shape {
	return []shape{
		{"narrow", 2000, `CREATE TABLE narrow (id bigint PRIMARY KEY, ref bigint NOT NULL, at timestamptz NOT NULL);
			INSERT INTO narrow SELECT i, 1 + i %% greatest(%d / 2, 1), timestamptz '2020-01-01 UTC' + i * interval '1 second' FROM generate_series(1, %[1]d) i;
			CREATE INDEX narrow_ref ON narrow (ref)`,
			`CREATE TABLE narrow (id BIGINT PRIMARY KEY, ref BIGINT NOT NULL, at DATETIME NOT NULL, KEY narrow_ref (ref));
			INSERT INTO narrow SELECT seq, 1 + seq %% GREATEST(%d DIV 2, 1), '2020-01-01' + INTERVAL seq SECOND FROM seq_1_to_%[1]d`},
		{"plain", 1000, `CREATE TABLE plain (id bigint PRIMARY KEY, name varchar(60) NOT NULL, amount numeric(12,2), score double precision, made timestamp, note text);
			INSERT INTO plain SELECT i, 'name ' || i, i / 7.0, sqrt(i), timestamp '2020-01-01' + i * interval '1 second', repeat(md5(i::text), 3) FROM generate_series(1, %d) i;
			CREATE INDEX plain_name ON plain (name)`,
			`CREATE TABLE plain (id BIGINT PRIMARY KEY, name VARCHAR(60) NOT NULL, amount DECIMAL(12,2), score DOUBLE, made DATETIME, note TEXT, KEY plain_name (name)) CHARACTER SET utf8mb4;
			INSERT INTO plain SELECT seq, CONCAT('name ', seq), seq / 7, SQRT(seq), '2020-01-01' + INTERVAL seq SECOND, REPEAT(MD5(seq), 3) FROM seq_1_to_%d`},
		{"wide", 100, wide("wide", "generate_series(1, %d) i", "i", "bigint", "varchar(30)"), wide("wide", "seq_1_to_%d", "seq", "BIGINT", "VARCHAR(30)")},
		{"texts", 50, `CREATE TABLE texts (id bigint PRIMARY KEY, body text NOT NULL);
			INSERT INTO texts SELECT i, (SELECT string_agg(md5((i * 64 + j)::text), ' ') FROM generate_series(1, 64) j) FROM generate_series(1, %d) i`,
			`CREATE TABLE texts (id BIGINT PRIMARY KEY, body TEXT NOT NULL) CHARACTER SET utf8mb4;
			INSERT INTO texts SELECT a.seq, GROUP_CONCAT(MD5(a.seq * 64 + b.seq) SEPARATOR ' ') FROM seq_1_to_%d a JOIN seq_1_to_64 b GROUP BY a.seq`},
		{"documents", 200, `CREATE TABLE documents (id bigint PRIMARY KEY, doc jsonb NOT NULL);
			INSERT INTO documents SELECT i, jsonb_build_object('id', i, 'name', 'name ' || i, 'tags', jsonb_build_array(i %% 7, i %% 11, md5(i::text)), 'deep', jsonb_build_object('a', i / 3.0, 'b', null, 'c', true)) FROM generate_series(1, %d) i`,
			`CREATE TABLE documents (id BIGINT PRIMARY KEY, doc JSON NOT NULL);
			INSERT INTO documents SELECT seq, JSON_OBJECT('id', seq, 'name', CONCAT('name ', seq), 'tags', JSON_ARRAY(seq %% 7, seq %% 11, MD5(seq)), 'deep', JSON_OBJECT('a', seq / 3, 'b', NULL)) FROM seq_1_to_%d`},
		{"bytes", 50, `CREATE TABLE bytes (id uuid PRIMARY KEY, body bytea NOT NULL);
			INSERT INTO bytes SELECT md5(i::text)::uuid, decode((SELECT string_agg(md5((i * 32 + j)::text), '') FROM generate_series(1, 32) j), 'hex') FROM generate_series(1, %d) i`,
			`CREATE TABLE bytes (id BINARY(16) PRIMARY KEY, body BLOB NOT NULL);
			INSERT INTO bytes SELECT UNHEX(MD5(a.seq)), UNHEX(GROUP_CONCAT(MD5(a.seq * 32 + b.seq) SEPARATOR '')) FROM seq_1_to_%d a JOIN seq_1_to_32 b GROUP BY a.seq`},
	}
}

// wide is a table of forty columns.
func wide(name, from, i, number, text string) string {
	var columns, values []string
	for c := range 20 {
		columns = append(columns, fmt.Sprintf("n%d %s", c, number), fmt.Sprintf("t%d %s", c, text))
		values = append(values, fmt.Sprintf("%s * %d", i, c+1), fmt.Sprintf("CONCAT('t', %s + %d)", i, c))
	}
	return "CREATE TABLE " + name + " (id " + number + " PRIMARY KEY, " + strings.Join(columns, ", ") + "); INSERT INTO " + name + " SELECT " + i + ", " + strings.Join(values, ", ") + " FROM " + from
}

// large makes a database of all shapes.
func (b *bench) large(engine string) string {
	var out []string
	for _, s := range shapes() {
		sql := s.postgres
		if engine == "mariadb" {
			sql = s.mariadb
		}
		out = append(out, fmt.Sprintf(sql, max(b.rows*s.perMille/1000, 1)))
	}
	out = append(out, "ALTER TABLE narrow ADD FOREIGN KEY (ref) REFERENCES plain (id)")
	return strings.Join(out, ";\n") + ";\n"
}

// small makes a database of many tables of few rows.
func (b *bench) small(engine string) string {
	var out []string
	for i := range b.tables {
		rows := "generate_series(1, 20) i"
		if engine == "mariadb" {
			rows = "(SELECT seq AS i FROM seq_1_to_20) s"
		}
		out = append(out, fmt.Sprintf("CREATE TABLE t%[1]d (id int PRIMARY KEY, name varchar(20), at int); INSERT INTO t%[1]d SELECT i, CONCAT('n', i), i * 7 FROM %[2]s; CREATE INDEX t%[1]d_name ON t%[1]d (name)", i, rows))
	}
	return strings.Join(out, ";\n") + ";\n"
}

// changed updates one row in a hundred of every table of large, and deletes one in two hundred.
const changed = `UPDATE plain SET note = CONCAT(note, 'x') WHERE id % 100 = 7; UPDATE narrow SET ref = 1 WHERE id % 100 = 7; UPDATE wide SET t3 = CONCAT(t3, 'x') WHERE id % 100 = 7;
	UPDATE texts SET body = CONCAT(body, 'x') WHERE id % 100 = 7; DELETE FROM narrow WHERE id % 200 = 9; DELETE FROM documents WHERE id % 200 = 9;`
