package database

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// This file holds conversions between canonical spellings that several engines
// need.

var errZeroDate = errors.New("an impossible date has no place in a column that is not null")

// ImpossibleDate says that text begins with a date that no calendar knows, such
// as 0000-00-00, 2026-02-31 or any in the year 0. What does not begin with a date
// (infinity, a year of five digits) is not impossible.
func ImpossibleDate(text string) bool {
	if len(text) < 10 || text[4] != '-' || text[7] != '-' {
		return false
	}
	year, err1 := strconv.Atoi(text[0:4])
	month, err2 := strconv.Atoi(text[5:7])
	day, err3 := strconv.Atoi(text[8:10])
	if err1 != nil || err2 != nil || err3 != nil {
		return false
	}
	if year == 0 || month < 1 || month > 12 || day < 1 {
		return true
	}
	return day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// Dates makes impossible dates null where the column allows it, else an error.
func Dates(notNull bool, policy ZeroDates) *Conversion {
	return &Conversion{
		Code: CodeZeroDate, Lost: "an impossible date becomes null",
		Cell: func(c Cell) (Cell, bool, error) {
			if c.Class != ClassText || len(c.Bytes) < 10 || !ImpossibleDate(string(c.Bytes[:10])) {
				return c, false, nil
			}
			if notNull || policy == ZeroDatesRefuse {
				return c, false, fmt.Errorf("%w: %s", errZeroDate, c.Bytes)
			}
			return Cell{}, true, nil
		},
	}
}

// ToUTC moves a TimestampTZ with its own offset to UTC. It is lossy where the
// offset was not zero.
func ToUTC(c Cell) (Cell, bool, error) {
	if c.Class != ClassText || bytes.HasSuffix(c.Bytes, []byte("+00:00")) {
		return c, false, nil
	}
	const layout = "2006-01-02 15:04:05.999999999-07:00"
	at, err := time.Parse(layout, string(c.Bytes))
	if err != nil {
		return c, false, fmt.Errorf("move %q to UTC: %w", c.Bytes, err)
	}
	return Cell{Class: ClassText, Bytes: []byte(at.UTC().Format(layout))}, true, nil
}

// TimeToInterval spells [-]H:MM:SS[.f] as an ISO 8601 interval, the way
// PostgreSQL prints it.
func TimeToInterval(c Cell) (Cell, bool, error) {
	if c.Class != ClassText {
		return c, false, nil
	}
	text, sign := c.Bytes, ""
	if bytes.HasPrefix(text, []byte("-")) {
		text, sign = text[1:], "-"
	}
	parts := bytes.Split(text, []byte(":"))
	if len(parts) != 3 {
		return c, false, fmt.Errorf("%q is not a time", c.Bytes)
	}
	out := []byte("PT")
	for i, unit := range []byte("HMS") {
		part := bytes.TrimLeft(parts[i], "0")
		if len(part) == 0 {
			continue
		}
		if part[0] == '.' {
			part = append([]byte("0"), part...)
		}
		out = append(append(append(out, sign...), part...), unit)
	}
	if len(out) == 2 {
		out = append(out, "0S"...)
	}
	return Cell{Class: ClassText, Bytes: out}, false, nil
}
