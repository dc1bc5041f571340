package rowdiff

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

var errNotText = errors.New("its bytes are no text in UTF-8")

// literal spells a cell of a column's type for a family of engines.
func literal(engine string, t database.Type, c database.Cell) (string, error) {
	switch c.Class {
	case database.ClassNull:
		return "NULL", nil
	case database.ClassInt:
		return integer(engine, t, c.Int), nil
	case database.ClassFloat:
		return float(engine, t, c.Float)
	case database.ClassBlob:
		return blob(engine, t, c.Bytes)
	}
	if !utf8.Valid(c.Bytes) {
		return "", errNotText
	}
	return text(engine, t, c.Bytes)
}

func integer(engine string, t database.Type, v int64) string {
	if t.Kind == database.Bool && engine == database.Postgres {
		return strconv.FormatBool(v != 0)
	}
	if v == math.MinInt64 && engine != database.MySQL {
		return "(-9223372036854775807 - 1)" // the number without its sign is none
	}
	return strconv.FormatInt(v, 10)
}

func float(engine string, t database.Type, v float64) (string, error) {
	number := strconv.FormatFloat(v, 'e', -1, 64)
	finite := !math.IsNaN(v) && !math.IsInf(v, 0)
	switch {
	case engine == database.Postgres:
		if t.Bits == 32 {
			number = strconv.FormatFloat(v, 'e', -1, 32)
		}
		return "'" + spellInfinity(number) + "'", nil
	case finite:
		return number, nil
	case engine == database.SQLite && math.IsInf(v, 0):
		return map[bool]string{true: "9e999", false: "-9e999"}[v > 0], nil
	}
	return "", fmt.Errorf("a float cannot be %v there", v)
}

func spellInfinity(number string) string {
	switch number {
	case "+Inf":
		return "Infinity"
	case "-Inf":
		return "-Infinity"
	}
	return number
}

func blob(engine string, t database.Type, v []byte) (string, error) {
	switch {
	case engine == database.Postgres && t.Kind != database.Bytes && t.Kind != database.Geometry:
		return "", errNotText
	case engine == database.Postgres:
		return `'\x` + hex.EncodeToString(v) + "'", nil
	}
	return "x'" + hex.EncodeToString(v) + "'", nil
}

func text(engine string, t database.Type, v []byte) (string, error) {
	switch engine {
	case database.Postgres:
		if bytes.IndexByte(v, 0) >= 0 {
			return "", errors.New("text cannot hold a NUL character there")
		}
	case database.MySQL:
		return textOfMySQL(t, v)
	case database.SQLite:
		if bytes.IndexByte(v, 0) >= 0 {
			return "CAST(x'" + hex.EncodeToString(v) + "' AS TEXT)", nil
		}
	}
	return quote(v), nil
}

// quote doubles quotes: no session that runs the script gives a backslash a meaning.
func quote(v []byte) string {
	return "'" + string(bytes.ReplaceAll(v, []byte("'"), []byte("''"))) + "'"
}

func textOfMySQL(t database.Type, v []byte) (string, error) {
	switch t.Kind {
	case database.Bits:
		if len(bytes.Trim(v, "01")) > 0 {
			return "", fmt.Errorf("bits are 0 and 1; %.40q is something else", v)
		}
		return "b'" + string(v) + "'", nil
	case database.TimestampTZ:
		v = bytes.TrimSuffix(v, []byte("+00:00"))
	case database.Date, database.Timestamp:
		if len(v) < 10 || v[4] != '-' || v[len(v)-1] == 'C' {
			return "", fmt.Errorf("dates run from the year 0 to 9999 there; %s is none of them", v)
		}
	}
	if bytes.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) { // which clients change
		return "CONVERT(x'" + hex.EncodeToString(v) + "' USING utf8mb4)", nil
	}
	return quote(v), nil
}
