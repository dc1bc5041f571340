package oracle

import (
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/databasetest"
	"github.com/packstone/packstone/pipeline/database/ddl"
)

// read reads driver values through a column's reading.
func read(t *testing.T, c *column, want database.Type, values ...any) string {
	t.Helper()
	r, ok := c.reading(want)
	if !ok {
		t.Fatalf("%s cannot be read", c.data)
	}
	if len(r.SQL) != len(values) {
		t.Fatalf("%s selects %q for %d values", c.data, r.SQL, len(values))
	}
	b := database.NewBatch()
	defer b.Release()
	if err := r.Add(b, values); err != nil {
		return "error: " + err.Error()
	}
	b.EndRow()
	cell, _, err := database.NextCell(b.Row(0))
	if err != nil {
		t.Fatal(err)
	}
	return databasetest.Show(cell)
}

func numbers(precision, scale any) *column {
	c := &column{name: "c", data: "NUMBER"}
	if p, ok := precision.(int); ok {
		c.precision = &p
	}
	if s, ok := scale.(int); ok {
		c.scale = &s
	}
	return c
}

func typed(data string) *column { return &column{name: "c", data: data, length: 10, chars: 10} }

func TestValuesAreReadIntoCanonicalForm(t *testing.T) {
	object := typed("ADDRESS_T")
	object.dataOwner = "HR"
	for _, c := range []struct {
		column *column
		values []any
		want   string
	}{
		{numbers(9, 0), []any{"-42"}, "-42"},
		{numbers(18, 0), []any{"999999999999999999"}, "999999999999999999"},
		{numbers(38, 0), []any{"99999999999999999999999999999999999999"}, "'99999999999999999999999999999999999999'"},
		{numbers(10, 2), []any{"1.5"}, "'1.50'"},
		{numbers(10, 2), []any{"-.5"}, "'-0.50'"},
		{numbers(5, -2), []any{"12300"}, "'12300'"},
		{numbers(nil, nil), []any{".000000000000000000000000000000000000001"}, "'0.000000000000000000000000000000000000001'"},
		{numbers(nil, nil), []any{"1.5E+65"}, "'15" + strings.Repeat("0", 64) + "'"},
		{numbers(nil, nil), []any{"~"}, "'Infinity'"},
		{numbers(nil, nil), []any{"-~"}, "'-Infinity'"},
		{numbers(nil, nil), []any{nil}, "null"},
		{typed("FLOAT"), []any{"3.14"}, "'3.14'"},
		{typed("BINARY_FLOAT"), []any{0.10000000149011612}, "f0.10000000149011612"},
		{typed("BINARY_DOUBLE"), []any{math.Inf(-1)}, "f-Inf"},
		{typed("BINARY_DOUBLE"), []any{math.NaN()}, "fNaN"},
		{typed("VARCHAR2"), []any{"a\x00b  "}, "'a\x00b  '"},
		{typed("CHAR"), []any{"ab        "}, "'ab        '"},
		{typed("VARCHAR2"), []any{"\xff"}, "xff"},
		{typed("VARCHAR2"), []any{nil}, "null"},
		{typed("CLOB"), []any{nil, "1"}, "''"},
		{typed("CLOB"), []any{nil, "0"}, "null"},
		{typed("CLOB"), []any{"x", "1"}, "'x'"},
		{typed("BLOB"), []any{[]byte(nil), "1"}, "x"},
		{typed("BLOB"), []any{[]byte{1}, "1"}, "x01"},
		{typed("RAW"), []any{[]byte{0, 255}}, "x00ff"},
		{typed("DATE"), []any{" 2026-11-22 17:00:00"}, "'2026-11-22 17:00:00'"},
		{typed("DATE"), []any{"-4712-01-01 00:00:00"}, "'4712-01-01 00:00:00 BC'"},
		{typed("TIMESTAMP(9)"), []any{" 2026-11-22 17:00:00.120000000"}, "'2026-11-22 17:00:00.12'"},
		{typed("TIMESTAMP(6) WITH TIME ZONE"), []any{" 2026-11-22 17:00:00.000000000 -03:30"}, "'2026-11-22 17:00:00-03:30'"},
		{typed("TIMESTAMP(6) WITH LOCAL TIME ZONE"), []any{" 2026-11-22 17:00:00.500000000 +00:00"}, "'2026-11-22 17:00:00.5+00:00'"},
		{typed("INTERVAL YEAR(4) TO MONTH"), []any{"-0002-03"}, "'P-2Y-3M'"},
		{typed("INTERVAL YEAR(2) TO MONTH"), []any{"+00-00"}, "'PT0S'"},
		{typed("INTERVAL DAY(2) TO SECOND(6)"), []any{"+02 03:04:05.678900"}, "'P2DT3H4M5.6789S'"},
		{typed("INTERVAL DAY(2) TO SECOND(6)"), []any{"-00 00:00:00.500000"}, "'PT-0.5S'"},
		{typed("INTERVAL DAY(2) TO SECOND(6)"), []any{"+10 00:00:00.000000"}, "'P10D'"},
		{typed("BOOLEAN"), []any{"1"}, "1"},
		{typed("ROWID"), []any{"AAAR3sAAEAAAACXAAA"}, "'AAAR3sAAEAAAACXAAA'"},
		{typed("XMLTYPE"), []any{"<a/>", "1"}, "'<a/>'"},
		{typed("JSON"), []any{`{"a":1.10}`, int64(1)}, `'{"a":1.10}'`},
		{object, []any{"<ADDRESS_T/>", "1"}, "'<ADDRESS_T/>'"},
		{object, []any{nil, "0"}, "null"},
		{numbers(9, 0), []any{"1.5"}, `error: "1.5" is no integer of 64 bits`},
		{typed("DATE"), []any{"22-NOV-26"}, `error: "22-NOV-26" is no date`},
	} {
		want, _ := c.column.typeOf()
		if got := read(t, c.column, want, c.values...); got != c.want {
			t.Errorf("%s %q = %s, want %s", c.column.native(), c.values, got, c.want)
		}
	}
}

func TestAPlannedTypeDecidesHowANumberIsRead(t *testing.T) {
	for _, c := range []struct {
		want database.Type
		text string
		cell string
	}{
		{database.Type{Kind: database.Bool}, "1", "1"},
		{database.Type{Kind: database.Int, Bits: 64, Unsigned: true}, "18446744073709551615", "'18446744073709551615'"},
		{database.Type{Kind: database.Decimal, Precision: 10}, "7", "'7'"},
		{database.Type{Kind: database.Decimal, Precision: 10, Scale: 3}, "7", "'7.000'"},
	} {
		if got := read(t, numbers(20, 0), c.want, c.text); got != c.cell {
			t.Errorf("%s as %+v = %s, want %s", c.text, c.want, got, c.cell)
		}
	}
}

func TestDatesAndIntervalsGoBackAsTheyCame(t *testing.T) {
	for _, c := range []struct {
		there, back func(string) (string, error)
		text        string
	}{
		{func(s string) (string, error) { return momentTo(s, true, false) }, momentFrom, "2026-11-22 17:00:00.123456789"},
		{func(s string) (string, error) { return momentTo(s, true, true) }, momentFrom, "0001-01-01 00:00:00+14:00"},
		{func(s string) (string, error) { return momentTo(s, true, true) }, momentFrom, "0044-03-15 12:00:00.5-03:30 BC"},
		{func(s string) (string, error) { return momentTo(s, false, false) }, momentFrom, "4712-01-01 BC"},
		{yearMonthTo, yearMonthFrom, "P-2Y-3M"}, {yearMonthTo, yearMonthFrom, "P999M"}, {yearMonthTo, yearMonthFrom, "PT0S"},
		{daySecondTo, daySecondFrom, "P2DT3H4M5.6789S"}, {daySecondTo, daySecondFrom, "PT-0.5S"}, {daySecondTo, daySecondFrom, "PT0S"},
	} {
		sent, err := c.there(c.text)
		if err != nil {
			t.Errorf("%s cannot be sent: %v", c.text, err)
			continue
		}
		if got, err := c.back(sent); err != nil || got != c.text {
			t.Errorf("%s was sent as %q and came back as %q, %v", c.text, sent, got, err)
		}
	}
	for _, bad := range []string{"infinity", "10000-01-01 00:00:00", "2026-01-01", "2026-01-01 00:00:00.1234567891", ""} {
		if got, err := momentTo(bad, true, true); err == nil {
			t.Errorf("%q was sent as %q", bad, got)
		}
	}
	for _, bad := range []string{"P1DT-1H", "P1Y", "1 day", "P", "PxD"} {
		if got, err := daySecondTo(bad); err == nil && bad != "P" {
			t.Errorf("%q was sent as %q", bad, got)
		}
	}
}

func FuzzIntervals(f *testing.F) {
	for _, seed := range []string{"P1Y2M3DT4H5M6.789S", "PT", "P-1DT+1H", "+02 03:04:05", "-", "P1M1M"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, spell := range []func(string) (string, error){yearMonthTo, yearMonthFrom, daySecondTo, daySecondFrom, momentFrom} {
			if out, err := spell(text); err == nil && out == "" {
				t.Errorf("%q became nothing", text)
			}
		}
		momentTo(text, true, true)
	})
}

func TestFloatsAreSentBitByBit(t *testing.T) {
	for _, c := range []struct {
		v    float64
		bits int
		want string
	}{{1, 64, "3ff0000000000000"}, {math.Inf(1), 64, "7ff0000000000000"}, {0.10000000149011612, 32, "3dcccccd"}} {
		if got := floatHex(c.v, c.bits); got != c.want {
			t.Errorf("%v is sent as %s, want %s", c.v, got, c.want)
		}
	}
}

// column of a foreign schema.
func foreign(kind database.Kind, set func(*database.Column)) ddl.Asked {
	c := &database.Column{Name: "c", Type: database.Type{Kind: kind}}
	if set != nil {
		set(c)
	}
	return ddl.Asked{Column: c, NotNull: c.NotNull, Engine: database.Postgres}
}

func TestForeignTypesAreMapped(t *testing.T) {
	modern := server{release: 1900, unicode: true}
	length := func(n int64) func(*database.Column) { return func(c *database.Column) { c.Type.Length = n } }
	for _, c := range []struct {
		asked ddl.Asked
		want  string
		exact bool
	}{
		{foreign(database.Bool, nil), "NUMBER(1)", false},
		{foreign(database.Int, func(c *database.Column) { c.Type.Bits = 16 }), "NUMBER(5)", true},
		{foreign(database.Int, func(c *database.Column) { c.Type.Bits, c.Type.Unsigned = 64, true }), "NUMBER(20)", true},
		{foreign(database.Decimal, func(c *database.Column) { c.Type.Precision, c.Type.Scale = 12, 3 }), "NUMBER(12,3)", true},
		{foreign(database.Decimal, nil), "NUMBER", true},
		{foreign(database.Float, func(c *database.Column) { c.Type.Bits = 32 }), "BINARY_FLOAT", true},
		{foreign(database.Text, length(255)), "VARCHAR2(255 CHAR)", true},
		{foreign(database.Text, length(2000)), "CLOB", true},
		{foreign(database.Text, nil), "CLOB", true},
		{foreign(database.Bytes, length(16)), "RAW(16)", true},
		{foreign(database.Bytes, nil), "BLOB", true},
		{foreign(database.UUID, nil), "VARCHAR2(36 CHAR)", false},
		{foreign(database.Date, nil), "DATE", true},
		{foreign(database.Timestamp, nil), "TIMESTAMP(6)", true},
		{foreign(database.TimestampTZ, nil), "TIMESTAMP(6) WITH TIME ZONE", true},
		{foreign(database.Interval, nil), "VARCHAR2(64 CHAR)", false},
		{foreign(database.JSON, nil), "CLOB", false},
		{foreign(database.Enum, func(c *database.Column) { c.Type.Values = []string{"100%", "it's"} }), "VARCHAR2(4 CHAR)", false},
	} {
		got := mapType(modern, c.asked)
		if got.SQL != c.want || (got.Lost == "") != c.exact {
			t.Errorf("%+v becomes %s (%s), want %s", c.asked.Column.Type, got.SQL, got.Lost, c.want)
		}
	}
	key := foreign(database.Text, nil)
	key.Keyed = true
	if got := mapType(modern, key); got.SQL != "VARCHAR2(4000 CHAR)" || got.Lost == "" {
		t.Errorf("a key of text becomes %+v", got)
	}
	if got := mapType(server{}, foreign(database.Text, length(255))); got.SQL != "NVARCHAR2(255)" {
		t.Errorf("in a database without Unicode, text becomes %s", got.SQL)
	}
}

func TestTheEmptyStringBecomesNullOrIsRefused(t *testing.T) {
	empty := database.Cell{Class: database.ClassText}
	m := mapType(server{unicode: true}, foreign(database.Text, func(c *database.Column) { c.Type.Length = 5 }))
	if out, lossy, err := m.Convert.Cell(empty); err != nil || !lossy || out.Class != database.ClassNull {
		t.Errorf("the empty string became %v, %v, %v", out, lossy, err)
	}
	m = mapType(server{unicode: true}, foreign(database.Text, func(c *database.Column) { c.Type.Length, c.NotNull = 5, true }))
	if _, _, err := m.Convert.Cell(empty); err == nil {
		t.Error("the empty string was taken in a column that is not null")
	}
	m = mapType(server{unicode: true}, foreign(database.Text, func(c *database.Column) { c.NotNull = true }))
	if out, lossy, err := m.Convert.Cell(empty); err != nil || lossy || out.Class != database.ClassText {
		t.Errorf("in a CLOB the empty string became %v, %v, %v", out, lossy, err)
	}
}

func TestThePasswordIsNeverPrinted(t *testing.T) {
	at, err := database.ParseLocation("oracle://scott:t1ger@db.example/FREEPDB1?schema=HR")
	if err != nil {
		t.Fatal(err)
	}
	dsn, schema, err := clientURL(at)
	if err != nil || schema != "HR" {
		t.Fatalf("schema is %q, %v", schema, err)
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Host != "db.example:1521" || u.Query().Has("schema") {
		t.Errorf("the client is given %s, %v", u.Redacted(), err)
	}
	for _, raw := range []string{"oracle://scott:t1ger@/x", "oracle://scott:t1ger@127.0.0.1:1/x"} {
		at, err := database.ParseLocation(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = (Driver{}).OpenSource(t.Context(), at, database.SourceOptions{}); err == nil || strings.Contains(err.Error(), "t1ger") {
			t.Errorf("%s: the error is %v", at, err)
		}
	}
}
