package rowdiff

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// readers are how the engines read a script, in the modes that it sets.
var readers = map[string]*sqltext.Dialect{
	database.Postgres: sqltext.Postgres, database.SQLite: sqltext.SQLite, database.MySQL: sqltext.MySQL(laxModes, nil),
}

// kinds are the kinds of columns, whatever they hold.
var kinds = []database.Kind{database.Text, database.Bits, database.Bool, database.Int, database.Decimal, database.Float, database.Bytes, database.Date, database.Time,
	database.Timestamp, database.TimestampTZ, database.Interval, database.JSON, database.UUID, database.Enum, database.Set, database.Geometry, database.Array, database.Other, database.Any}

// isOneValue reports whether an engine reads a text as one value of a list, and nothing beyond.
func isOneValue(engine, text string) bool {
	tokens, err := readers[engine].Tokens("(" + text + ", 1)")
	if err != nil || len(tokens) < 5 {
		return false
	}
	commas, depth := 0, 0
	for i, token := range tokens {
		switch {
		case token.Is("("):
			depth++
		case token.Is(")"):
			depth--
		case token.Is(","):
			commas++
		case token.Is(";"):
			return false
		}
		if depth == 0 && i < len(tokens)-1 {
			return false
		}
	}
	n := len(tokens)
	return commas == 1 && depth == 0 && tokens[n-1].Is(")") && tokens[n-2].Value == "1" && tokens[n-3].Is(",")
}

// FuzzLiteral spells cells of a snapshot, which may say anything, for a script that somebody runs:
// each is one value, and leads nowhere else.
func FuzzLiteral(f *testing.F) {
	for _, seed := range []string{"it's", `back\`, "1'; DROP TABLE t; --", "0101", "2026-01-02 03:04:05+00:00", "\x00", "\xff", "/* ", "$$", "NaN", `\'); DELETE FROM t; --`} {
		for kind := range kinds {
			f.Add(byte(kind), byte(database.ClassText), []byte(seed))
		}
	}
	f.Add(byte(0), byte(database.ClassInt), binary.BigEndian.AppendUint64(nil, 1<<63))
	f.Add(byte(5), byte(database.ClassFloat), binary.BigEndian.AppendUint64(nil, math.Float64bits(math.Inf(-1))))
	f.Fuzz(func(t *testing.T, kind, class byte, value []byte) {
		c := database.Cell{Class: database.Class(class % 5), Bytes: value}
		if len(value) >= 8 {
			number := binary.BigEndian.Uint64(value)
			c.Int, c.Float = int64(number), math.Float64frombits(number)
		}
		of := database.Type{Kind: kinds[int(kind)%len(kinds)]}
		for engine := range readers {
			text, err := literal(engine, of, c)
			if err == nil && !isOneValue(engine, text) {
				t.Errorf("%s: %v of kind %s is spelt %s", engine, c, of.Kind, text)
			}
		}
	})
}

func TestBitsThatAreNoneAreRefused(t *testing.T) {
	c := database.Cell{Class: database.ClassText, Bytes: []byte("1'); DROP TABLE t; -- ")}
	if text, err := literal(database.MySQL, database.Type{Kind: database.Bits}, c); err == nil {
		t.Errorf("they are spelt %s", text)
	}
}
