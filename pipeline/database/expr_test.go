package database

import "testing"

func TestTranslateCarriesTheCommonSubset(t *testing.T) {
	for _, c := range []struct{ engine, sql, to, want string }{
		{Postgres, `((a < b) OR (a IS NULL))`, SQLite, `(("a" < "b") OR ("a" IS NULL))`},
		{Postgres, `((status)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[]))`, SQLite, `("status" IN ('a', 'it''s'))`},
		{Postgres, `(price >= (0)::numeric)`, MySQL, "(`price` >= 0)"},
		{Postgres, `(n > '-5'::integer)`, SQLite, `("n" > -5)`},
		{Postgres, `upper(('x'::text || "Quote""d"))`, MySQL, "upper(CONCAT('x', `Quote\"d`))"},
		{MariaDB, "`Order` > 0 and `s` in (_utf8mb4'a','b\\'c')", Postgres, `(("Order" > 0) AND ("s" IN ('a', 'b''c')))`},
		{SQLServer, "([n]>(0) AND [n] between (1) and (5))", SQLite, `(("n" > 0) AND ("n" BETWEEN 1 AND 5))`},
		{Postgres, `CASE WHEN (a > 1) THEN 'x'::text ELSE NULL::text END`, SQLite, `CASE WHEN ("a" > 1) THEN 'x' ELSE NULL END`},
		{Postgres, `now()`, SQLite, `CURRENT_TIMESTAMP`},
		{Postgres, `a + b * c - d`, SQLite, `(("a" + ("b" * "c")) - "d")`},
		{Postgres, `NOT a AND b`, SQLite, `((NOT "a") AND "b")`},
	} {
		got, ok := Translate(Expr{Engine: c.engine, SQL: c.sql}, c.to, nil)
		if !ok || got != c.want {
			t.Errorf("%s %s to %s: %q, %v, want %q", c.engine, c.sql, c.to, got, ok, c.want)
		}
	}
}

func TestTranslateRefusesWhatMeansSomethingElse(t *testing.T) {
	for _, c := range []struct{ engine, sql string }{
		{Postgres, `nextval('s'::regclass)`}, {Postgres, `a / b`}, {Postgres, `(a ->> 'x'::text)`},
		{Postgres, `a ~ 'x'`}, {Postgres, `E'\n'`}, {MySQL, "a || b"}, {Postgres, `(a)::date > b`},
		{Postgres, `t.a > 1`}, {Postgres, `((a)`}, {Postgres, ``}, {Postgres, `'1 day'::interval`},
		{Postgres, `a LIKE 'x%'`}, {SQLite, "0x10"}, {Postgres, "(SELECT 1)"},
	} {
		if got, ok := Translate(Expr{Engine: c.engine, SQL: c.sql}, SQLite, nil); ok {
			t.Errorf("%s %s became %s", c.engine, c.sql, got)
		}
	}
}

func TestLiteralsAreSeenThroughCasts(t *testing.T) {
	for sql, want := range map[string]string{
		`'a'::public.mood`: "a", `'it''s'::"Mixed Case"."My Type"`: "it's", `'-5'::integer`: "-5", `('x'::character varying)::text`: "x",
		`'{}'::text[]`: "{}", `'00:00:00'::time(3) without time zone`: "00:00:00",
	} {
		c, ok := Expr{Engine: Postgres, SQL: sql}.Literal()
		if !ok || string(c.Bytes) != want {
			t.Errorf("Literal(%s) = %s, %v, want %s", sql, c.Bytes, ok, want)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add(`((a)::text = ANY (ARRAY['x'::text]))`)
	f.Add(`CASE a WHEN 1 THEN 2 END between - - 3 and "q"`)
	f.Fuzz(func(t *testing.T, sql string) {
		for _, engine := range []string{Postgres, MySQL, SQLServer} {
			out, ok := Translate(Expr{Engine: engine, SQL: sql}, SQLite, nil)
			if ok && out == "" {
				t.Errorf("%q became nothing", sql)
			}
		}
	})
}
