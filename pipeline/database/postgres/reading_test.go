package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/postgres/postgrestest"
)

const everyType = `CREATE TYPE mood AS ENUM ('sad', E'very\thappy'); CREATE DOMAIN age AS int; CREATE DOMAIN stay AS timestamptz;
	CREATE TABLE every (a int2, b int4, c int8, d oid, e float4, f float8, g bool, h text, i varchar(9), j char(5), k name, l json, m xml, n bytea, o uuid,
		p numeric, q date, r time, s timetz, t timestamp, u timestamptz, v jsonb, w money, x bit(5), y varbit, z mood, aa age, ab stay);
	INSERT INTO every VALUES (1, 2, 3, 4, 0.1, 0.1, true, 'a', 'b', 'c', 'd', '{"a": 1}', '<a/>', '\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1.50,
		'2026-01-31', '01:02:03.5', '01:02:03+05:30', '2026-01-31 01:02:03.25', '2026-01-31 01:02:03.25+02', '{"b":[1,2]}', 1234.5, B'10110', B'1', 'sad', 5, '2026-01-31'),
	(-32768, -2147483648, -9223372036854775808, 4294967295, '-Infinity', 'NaN', false, E'tab\tline\nback\\slash\r\b\f\v\\N "quote"', '', 'ä', '\N', '[]', '<?xml version="1.0" encoding="UTF-8"?><b>ä</b>', '', '00000000-0000-0000-0000-000000000000',
		-0.00012, '0044-03-15 BC', '24:00', '23:59:59.999999-15:59:59', '0044-03-15 12:00 BC', '0044-03-15 12:00 BC', 'null', -0.05, B'00000', B'', E'very\thappy', -1, 'infinity'),
	(0, 0, 0, 0, 1e38, 1e-300, null, E'\\', E'\\N', '', '', '"x"', 'text', '\x5c6e0a', null, 'NaN', 'infinity', '00:00', '00:00+00', '-infinity', '-infinity', '"\\n"', -1234567.89, B'11111', B'000000001', null, null, '0044-03-15 BC'),
	(null, null, null, null, -0.0, 1e22, null, null, null, null, null, null, null, null, null, 12345678901234567890123.4500, '10000-01-01', null, '12:00-08', '294276-12-31 23:59:59.999999', '1883-11-18 12:00+00:53:28', null, null, null, null, null, null, null);`

// cellsOf reads a table in one of the two forms of COPY.
func cellsOf(t *testing.T, url, table string, binary bool) []string {
	t.Helper()
	ctx := context.Background()
	at, err := database.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connectReading(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	c, err := readCatalog(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	model := c.neutral(database.Filter{}).Find(table)
	how, err := c.reading(model, false)
	if err != nil {
		t.Fatal(err)
	}
	if !how.binary {
		t.Fatalf("table %s is not read in binary form", table)
	}
	if !binary {
		how.binary = false
		for i, col := range how.columns {
			how.fields[i] = c.textField(col)
		}
	}
	var out []string
	cells := make([]database.Cell, len(model.Columns))
	err = copyOut(ctx, conn, how.sql(how.relations[0]), how.stream("", func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if err := b.Cells(cells, i); err != nil {
				return err
			}
			for n, cell := range cells {
				out = append(out, fmt.Sprintf("%s: %d %d %x %q", model.Columns[n].Name, cell.Class, cell.Int, cell.Float, cell.Bytes))
			}
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTextAndBinaryFormGiveTheSameCells(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, everyType)
	text, binary := cellsOf(t, url, "public.every", false), cellsOf(t, url, "public.every", true)
	if len(binary) != 4*28 || len(text) != len(binary) {
		t.Fatalf("%d and %d cells, want %d", len(text), len(binary), 4*28)
	}
	for i := range text {
		if text[i] != binary[i] {
			t.Errorf("as text %s, in binary form %s", text[i], binary[i])
		}
	}
}

func TestOtherTypesAreTheServersText(t *testing.T) {
	url := postgrestest.Database(t)
	postgrestest.Exec(t, url, `CREATE TABLE other (id int PRIMARY KEY, a inet, b cidr, c "char", d interval, e int[], f point, g tsvector, h regclass, i text[]);
		INSERT INTO other VALUES (1, '10.0.0.1', '10.0.0.0/8', 'x', '1 year 2 days 03:04:05.6', '{1,NULL,3}', '(1,2)', 'a:1 b:2', 'pg_catalog.pg_class', E'{"tab\\ta","back\\\\slash",NULL}'),
		(2, '::1', '::/0', '', '-1 day', '{}', null, null, null, null), (3, '10.0.0.0/8', null, null, null, null, null, null, null, null)`)
	ctx := context.Background()
	at, err := database.ParseLocation(url)
	if err != nil {
		t.Fatal(err)
	}
	src, err := Driver{}.OpenSource(ctx, at, database.SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	schema, err := src.Schema(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	cells := make([]database.Cell, 10)
	err = src.Rows(ctx, schema.Find("public.other"), func(b *database.Batch) error {
		for i := range b.Len() {
			if err := b.Cells(cells, i); err != nil {
				return err
			}
			var row []string
			for _, c := range cells[1:] {
				row = append(row, string(c.Bytes))
			}
			got = append(got, strings.Join(row, "|"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"10.0.0.1/32|10.0.0.0/8|x|P1Y2DT3H4M5.6S|{1,NULL,3}|(1,2)|'a':1 'b':2|pg_class|{tabta,\"back\\\\slash\",NULL}", "::1/128|::/0||P-1D|{}||||", "10.0.0.0/8||||||||"}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("row %d: %q, want %q", i, got, want[i])
		}
	}
}

func TestTextStreamTakesPiecesOfAnySize(t *testing.T) {
	long := strings.Repeat(`a\tb\\`, database.LongBytes/6)
	hexes := strings.Repeat("00ff", database.LongBytes/2)
	for _, c := range []struct{ what, stream, want string }{
		{"rows", "7\t\\N\ttext\n-8\ta\\tb\t\\\\N\n", "7|null|text;-8|a\tb|\\N"},
		{"an empty row", "0\t\t\n", "0||"},
	} {
		for size := 1; size <= len(c.stream); size++ {
			if got, err := throughText(t, c.stream, size, "text"); err != nil || got != c.want {
				t.Errorf("%s in pieces of %d: %q, %v, want %q", c.what, size, got, err, c.want)
			}
		}
	}
	for _, size := range []int{1<<16 - 1, 1 << 20} {
		got, err := throughText(t, "1\tx\t"+long+"\n2\ty\tz\n", size, "text")
		if want := "1|x|" + strings.Repeat("a\tb\\", database.LongBytes/6) + ";2|y|z"; err != nil || got != want {
			t.Errorf("a long text in pieces of %d: %d bytes, %v, want %d", size, len(got), err, len(want))
		}
		got, err = throughText(t, "1\tx\t\\\\x"+hexes+"\n2\ty\t\\\\x\n", size, "bytea")
		if want := "1|x|" + strings.Repeat("\x00\xff", database.LongBytes/2) + ";2|y|"; err != nil || got != want {
			t.Errorf("long bytes in pieces of %d: %d bytes, %v, want %d", size, len(got), err, len(want))
		}
	}
	for _, malformed := range []string{"1\t2\n", "1\t2\t3\t4\n", "1\t2\t3", "x\t2\t3\n", "1\t2\t3\\\n"} {
		if got, err := throughText(t, malformed, 100, "text"); err == nil {
			t.Errorf("%q passes as %q", malformed, got)
		}
	}
}

// throughText decodes a stream of an int, a text and a column that may be long, and prints its
// rows.
func throughText(t *testing.T, stream string, size int, last string) (string, error) {
	t.Helper()
	fields := []field{{decode: readInt}, {decode: decodeText}, {decode: decodeText, long: database.ClassText}}
	if last == "bytea" {
		fields[2] = field{decode: readBytes, long: database.ClassBlob, hex: true}
	}
	var rows []string
	cells := make([]database.Cell, 3)
	s := newTextStream(fields, t.TempDir(), func(b *database.Batch) error {
		defer b.Release()
		for i := range b.Len() {
			if err := b.Cells(cells, i); err != nil {
				return err
			}
			row := []string{fmt.Sprint(cells[0].Int)}
			for _, c := range cells[1:] {
				text := bytes.Clone(c.Bytes)
				if c.Long != nil {
					text, _ = c.Long.Bytes()
				}
				if c.Class == database.ClassNull {
					text = []byte("null")
				}
				row = append(row, string(text))
			}
			rows = append(rows, strings.Join(row, "|"))
		}
		return nil
	})
	defer s.drop()
	for len(stream) > 0 {
		n := min(size, len(stream))
		if _, err := s.Write([]byte(stream[:n])); err != nil {
			return "", err
		}
		stream = stream[n:]
	}
	err := s.close()
	return strings.Join(rows, ";"), err
}

func FuzzTextStream(f *testing.F) {
	f.Add([]byte("1\t\\\\x00ff\t$1,234.50\n\\N\t\\N\t\\N\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newTextStream([]field{{decode: readFloat8}, {decode: readBytes}, {decode: readZoned}}, "", func(b *database.Batch) error {
			b.Release()
			return nil
		})
		defer s.drop()
		if _, err := s.Write(data); err == nil {
			_ = s.close()
		}
	})
}
