package expr

import (
	"testing"

	"github.com/packstone/packstone/pipeline/database"
)

func TestTranslateCarriesTheCommonSubset(t *testing.T) {
	for _, c := range []struct{ engine, sql, to, want string }{
		{database.Postgres, `((a < b) OR (a IS NULL))`, database.SQLite, `(("a" < "b") OR ("a" IS NULL))`},
		{database.Postgres, `((status)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[]))`, database.SQLite, `("status" IN ('a', 'it''s'))`},
		{database.Postgres, `(price >= (0)::numeric)`, database.MySQL, "(`price` >= 0)"},
		{database.Postgres, `(n > '-5'::integer)`, database.SQLite, `("n" > -5)`},
		{database.Postgres, `upper(('x'::text || "Quote""d"))`, database.MySQL, "upper(CONCAT('x', `Quote\"d`))"},
		{database.MariaDB, "`Order` > 0 and `s` in (_utf8mb4'a','b\\'c')", database.Postgres, `(("Order" > 0) AND ("s" IN ('a', 'b''c')))`},
		{database.SQLServer, "([n]>(0) AND [n] between (1) and (5))", database.SQLite, `(("n" > 0) AND ("n" BETWEEN 1 AND 5))`},
		{database.Postgres, `CASE WHEN (a > 1) THEN 'x'::text ELSE NULL::text END`, database.SQLite, `CASE WHEN ("a" > 1) THEN 'x' ELSE NULL END`},
		{database.Postgres, `now()`, database.SQLite, `CURRENT_TIMESTAMP`},
		{database.Postgres, `a + b * c - d`, database.SQLite, `(("a" + ("b" * "c")) - "d")`},
		{database.Postgres, `NOT a AND b`, database.SQLite, `((NOT "a") AND "b")`},
	} {
		got, ok := Translate(database.Expr{Engine: c.engine, SQL: c.sql}, c.to, nil)
		if !ok || got != c.want {
			t.Errorf("%s %s to %s: %q, %v, want %q", c.engine, c.sql, c.to, got, ok, c.want)
		}
	}
}

func TestTranslateRefusesWhatMeansSomethingElse(t *testing.T) {
	for _, c := range []struct{ engine, sql string }{
		{database.Postgres, `nextval('s'::regclass)`}, {database.Postgres, `a / b`}, {database.Postgres, `(a ->> 'x'::text)`},
		{database.Postgres, `a ~ 'x'`}, {database.Postgres, `E'\n'`}, {database.MySQL, "a || b"}, {database.Postgres, `(a)::date > b`},
		{database.Postgres, `t.a > 1`}, {database.Postgres, `((a)`}, {database.Postgres, ``}, {database.Postgres, `'1 day'::interval`},
		{database.Postgres, `a LIKE 'x%'`}, {database.SQLite, "0x10"}, {database.Postgres, "(SELECT 1)"},
	} {
		if got, ok := Translate(database.Expr{Engine: c.engine, SQL: c.sql}, database.SQLite, nil); ok {
			t.Errorf("%s %s became %s", c.engine, c.sql, got)
		}
	}
}

func TestLiteralsAreSeenThroughCasts(t *testing.T) {
	for sql, want := range map[string]string{
		`'a'::public.mood`: "a", `'it''s'::"Mixed Case"."My Type"`: "it's", `'-5'::integer`: "-5", `('x'::character varying)::text`: "x",
		`'{}'::text[]`: "{}", `'00:00:00'::time(3) without time zone`: "00:00:00",
	} {
		c, ok := Literal(database.Expr{Engine: database.Postgres, SQL: sql})
		if !ok || string(c.Bytes) != want {
			t.Errorf("Literal(%s) = %s, %v, want %s", sql, c.Bytes, ok, want)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add(`((a)::text = ANY (ARRAY['x'::text]))`)
	f.Add(`CASE a WHEN 1 THEN 2 END between - - 3 and "q"`)
	f.Fuzz(func(t *testing.T, sql string) {
		for _, engine := range []string{database.Postgres, database.MySQL, database.SQLServer} {
			out, ok := Translate(database.Expr{Engine: engine, SQL: sql}, database.SQLite, nil)
			if ok && out == "" {
				t.Errorf("%q became nothing", sql)
			}
		}
	})
}
