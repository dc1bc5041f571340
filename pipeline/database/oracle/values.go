package oracle

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlengine"
)

// Spellings of the server: SYYYY is the year with a minus before Christ and a
// blank after.
const (
	dayFormat    = "SYYYY-MM-DD"
	dateFormat   = "SYYYY-MM-DD HH24:MI:SS"
	stampFormat  = "SYYYY-MM-DD HH24:MI:SS.FF9"
	zonedFormat  = "SYYYY-MM-DD HH24:MI:SS.FF9 TZH:TZM"
	numberFormat = "'TM9', 'NLS_NUMERIC_CHARACTERS=''.,'''"
)

// momentFrom puts a date or a time of the server into canonical form.
func momentFrom(text string) (string, error) {
	text = strings.TrimLeft(text, " ")
	text, bc := strings.CutPrefix(text, "-")
	if len(text) < 10 || text[4] != '-' || text[7] != '-' {
		return "", fmt.Errorf("%q is no date", text)
	}
	zone := ""
	if i := strings.LastIndexByte(text, ' '); i > 10 {
		text, zone = text[:i], text[i+1:]
	}
	out := sqlengine.TrimFraction(text) + zone
	if bc {
		out += " BC"
	}
	return out, nil
}

// momentTo spells a canonical date or time the way the server is asked to read
// it: with nine digits of a second where it has seconds, and a blank before an
// offset.
func momentTo(text string, fraction, zone bool) (string, error) {
	text, bc := strings.CutSuffix(text, " BC")
	if len(text) < 10 || text[4] != '-' || strings.Trim(text[:4], "0123456789") != "" {
		return "", fmt.Errorf("%q lies outside of the years that Oracle knows", text)
	}
	offset := ""
	if zone {
		i := strings.LastIndexAny(text, "+-")
		if i < 11 || len(text)-i != 6 {
			return "", fmt.Errorf("%q has no offset of hours and minutes", text)
		}
		text, offset = text[:i], " "+text[i:]
	}
	if fraction {
		head, digits, _ := strings.Cut(text, ".")
		if len(digits) > 9 {
			return "", fmt.Errorf("%q has more than nine digits of a second", text)
		}
		text = head + "." + digits + strings.Repeat("0", 9-len(digits))
	}
	if bc {
		return "-" + text + offset, nil
	}
	return " " + text + offset, nil
}

// yearMonthFrom makes P1Y2M of +01-02.
func yearMonthFrom(text string) (string, error) {
	sign, rest := signOf(text)
	years, months, ok := strings.Cut(rest, "-")
	y, err1 := strconv.Atoi(years)
	m, err2 := strconv.Atoi(months)
	if !ok || err1 != nil || err2 != nil {
		return "", fmt.Errorf("%q is no interval of years and months", text)
	}
	out := "P"
	if y != 0 {
		out += sign + strconv.Itoa(y) + "Y"
	}
	if m != 0 {
		out += sign + strconv.Itoa(m) + "M"
	}
	if out == "P" {
		return "PT0S", nil
	}
	return out, nil
}

func signOf(text string) (sign, rest string) {
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		return "-", rest
	}
	return "", strings.TrimPrefix(text, "+")
}

// daySecondFrom makes P1DT2H3M4.5S of +01 02:03:04.500000.
func daySecondFrom(text string) (string, error) {
	sign, rest := signOf(text)
	days, clock, ok := strings.Cut(rest, " ")
	parts := strings.Split(clock, ":")
	if !ok || len(parts) != 3 {
		return "", fmt.Errorf("%q is no interval of days and seconds", text)
	}
	d, err := strconv.Atoi(days)
	if err != nil {
		return "", fmt.Errorf("%q is no interval of days and seconds", text)
	}
	out := "P"
	if d != 0 {
		out += sign + strconv.Itoa(d) + "D"
	}
	clock = clockOf(sign, parts)
	if out += clock; out == "P" {
		return "PT0S", nil
	}
	return out, nil
}

func clockOf(sign string, parts []string) string {
	out := ""
	for i, unit := range "HMS" {
		part := strings.TrimLeft(sqlengine.TrimFraction(parts[i]), "0")
		if part == "" {
			continue
		}
		if part[0] == '.' {
			part = "0" + part
		}
		out += sign + part + string(unit)
	}
	if out == "" {
		return ""
	}
	return "T" + out
}

// span is a canonical interval in parts, all of one sign.
type span struct {
	negative bool
	parts    map[byte]string // Y M D h m s, where M is months and m minutes
}

func parseSpan(text string) (span, error) {
	s := span{parts: map[byte]string{}}
	rest, ok := strings.CutPrefix(text, "P")
	if !ok {
		return s, fmt.Errorf("%q is no interval", text)
	}
	signs, inTime := "", false
	for rest != "" {
		if rest[0] == 'T' {
			inTime, rest = true, rest[1:]
			continue
		}
		end := strings.IndexAny(rest, "YMDHS")
		if end < 0 {
			return s, fmt.Errorf("%q is no interval", text)
		}
		value, unit := rest[:end], rest[end]
		if inTime {
			unit += 'a' - 'A'
		}
		sign, digits := signOf(value)
		if digits == "" || strings.Trim(digits, "0123456789.") != "" {
			return s, fmt.Errorf("%q is no interval", text)
		}
		if strings.Trim(digits, "0.") != "" {
			signs += sign + "+"
		}
		s.parts[unit], rest = digits, rest[end+1:]
	}
	s.negative = strings.HasPrefix(signs, "-")
	if mixed := strings.ReplaceAll(signs, "-+", ""); s.negative && mixed != "" || !s.negative && strings.Contains(signs, "-") {
		return s, fmt.Errorf("the interval %q is of both signs", text)
	}
	return s, nil
}

func (s span) sign() string {
	if s.negative {
		return "-"
	}
	return "+"
}

func (s span) part(unit byte) string {
	if v := s.parts[unit]; v != "" {
		return v
	}
	return "0"
}

// yearMonthTo is the reverse of yearMonthFrom.
func yearMonthTo(text string) (string, error) {
	s, err := parseSpan(text)
	if err != nil {
		return "", err
	}
	for _, unit := range []byte("Ddhms") {
		if strings.Trim(s.part(unit), "0.") != "" {
			return "", fmt.Errorf("the interval %q has days or less", text)
		}
	}
	return s.sign() + s.part('Y') + "-" + s.part('M'), nil
}

// daySecondTo is the reverse of daySecondFrom.
func daySecondTo(text string) (string, error) {
	s, err := parseSpan(text)
	if err != nil {
		return "", err
	}
	if s.part('Y') != "0" || s.part('M') != "0" {
		return "", fmt.Errorf("the interval %q has months or years", text)
	}
	return fmt.Sprintf("%s%s %s:%s:%s", s.sign(), s.part('D'), s.part('h'), s.part('m'), s.part('s')), nil
}

// numberFrom reads a NUMBER that TO_CHAR spelt; ~ is infinity.
func numberFrom(b *database.Batch, v any, want database.Type) error {
	text, ok := sqlengine.String(v)
	switch {
	case ok && text == "~":
		b.String("Infinity")
		return nil
	case ok && text == "-~":
		b.String("-Infinity")
		return nil
	}
	switch want.Kind {
	case database.Int, database.Bool, database.Year:
		return sqlengine.Int(b, v)
	case database.Float:
		return sqlengine.Float(b, v)
	}
	fixed := want.Precision > 0 && want.Scale > 0
	return sqlengine.Decimal(b, v, fixed, want.Scale)
}

// largeFrom reads a LOB, of which the client does not tell whether it is empty
// or null, and a mark that does.
func largeFrom(add func(*database.Batch, any) error, empty any) func(*database.Batch, []any) error {
	return func(b *database.Batch, v []any) error {
		if text := sqlengine.Text(v[1]); text == "0" {
			b.Null()
			return nil
		}
		if v[0] == nil {
			return add(b, empty)
		}
		return add(b, v[0])
	}
}

// floatHex spells a float as the hex of its IEEE 754 form.
func floatHex(v float64, bits int) string {
	if bits == 32 {
		return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(v))))
	}
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
}
