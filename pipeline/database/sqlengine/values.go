package sqlengine

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/packstone/packstone/pipeline/database"
)

// errKind says that a driver handed over a value of an unexpected type.
func errKind(v any) error { return fmt.Errorf("a value of type %T is not expected here", v) }

// String is the text of a driver's value; ok is false for anything but text.
func String(v any) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

// Verbatim adds text as it is, as a blob where it is not UTF-8.
func Verbatim(b *database.Batch, v any) error {
	text, ok := String(v)
	switch {
	case v == nil:
		b.Null()
	case !ok:
		return errKind(v)
	case !utf8.ValidString(text):
		b.Blob([]byte(text))
	default:
		b.String(text)
	}
	return nil
}

// Blob adds bytes; text counts as bytes.
func Blob(b *database.Batch, v any) error {
	switch v := v.(type) {
	case nil:
		b.Null()
	case []byte:
		b.Blob(v)
	case string:
		b.Blob([]byte(v))
	default:
		return errKind(v)
	}
	return nil
}

// Int adds an integer given as such, as truth or in decimal.
func Int(b *database.Batch, v any) error {
	switch v := v.(type) {
	case nil:
		b.Null()
		return nil
	case int64:
		b.Int(v)
		return nil
	case bool:
		b.Bool(v)
		return nil
	}
	text, ok := String(v)
	if !ok {
		return errKind(v)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		b.Int(n)
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is no integer of 64 bits", text)
	}
	b.Uint(n)
	return nil
}

// Float adds a float of 64 bits, given as such or as text.
func Float(b *database.Batch, v any) error {
	switch v := v.(type) {
	case nil:
		b.Null()
		return nil
	case float64:
		b.Float(v)
		return nil
	case float32:
		b.Float(float64(v))
		return nil
	}
	text, ok := String(v)
	if !ok {
		return errKind(v)
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return fmt.Errorf("%q is no number", text)
	}
	b.Float(f)
	return nil
}

// Decimal adds a number in canonical form. A scale above 0 pads the fraction to
// that many digits; fixed says that the column has a declared scale.
func Decimal(b *database.Batch, v any, fixed bool, scale int) error {
	if v == nil {
		b.Null()
		return nil
	}
	text, ok := String(v)
	if n, is := v.(int64); is {
		text, ok = strconv.FormatInt(n, 10), true
	}
	if !ok {
		return errKind(v)
	}
	out, err := CanonicalDecimal(text)
	if err != nil {
		return err
	}
	if fixed {
		out = PadScale(out, scale)
	}
	b.String(out)
	return nil
}

var errDecimal = errors.New("not a decimal number")

// maxExponent bounds what a number in scientific notation may unfold to; Oracle
// ends at 125, and -130.
const maxExponent = 400

// CanonicalDecimal spells a number plainly: without an exponent, a plus or
// leading zeros, with a zero before the point, and no minus before zero. The
// fraction is kept digit by digit.
func CanonicalDecimal(text string) (string, error) {
	digits, negative := strings.CutPrefix(strings.TrimSpace(text), "-")
	digits = strings.TrimPrefix(digits, "+")
	exponent := 0
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		n, err := strconv.Atoi(digits[i+1:])
		if err != nil || n > maxExponent || n < -maxExponent {
			return "", fmt.Errorf("%w: %q", errDecimal, text)
		}
		digits, exponent = digits[:i], n
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", fmt.Errorf("%w: %q", errDecimal, text)
	}
	whole, fraction = shift(whole, fraction, exponent)
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && strings.Trim(whole, "0.") != "" {
		whole = "-" + whole
	}
	return whole, nil
}

// shift moves the point by n digits to the right. A fraction that an exponent
// made is cut of trailing zeros.
func shift(whole, fraction string, n int) (string, string) {
	switch {
	case n > 0:
		fraction += strings.Repeat("0", max(n-len(fraction), 0))
		whole, fraction = whole+fraction[:n], fraction[n:]
	case n < 0:
		whole = strings.Repeat("0", max(-n-len(whole), 0)) + whole
		cut := len(whole) + n
		whole, fraction = whole[:cut], strings.TrimRight(whole[cut:]+fraction, "0")
	}
	return whole, fraction
}

// PadScale pads a canonical number's fraction with zeros to scale digits.
func PadScale(text string, scale int) string {
	if scale <= 0 {
		return text
	}
	_, fraction, point := strings.Cut(text, ".")
	if !point {
		text += "."
	}
	return text + strings.Repeat("0", max(scale-len(fraction), 0))
}

// TrimFraction cuts trailing zeros of a fraction of a second, and a point that
// nothing follows. What is no fraction is left alone.
func TrimFraction(text string) string {
	if !strings.Contains(text, ".") {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// fromText adds text that spell has put into canonical form.
func fromText(b *database.Batch, v any, spell func(string) (string, error)) error {
	if v == nil {
		b.Null()
		return nil
	}
	text, ok := String(v)
	if !ok {
		return errKind(v)
	}
	out, err := spell(text)
	if err != nil {
		return err
	}
	b.String(out)
	return nil
}

// Spelt adds text after spell has put it into canonical form.
func Spelt(spell func(string) (string, error)) func(*database.Batch, []any) error {
	return func(b *database.Batch, v []any) error { return fromText(b, v[0], spell) }
}

// One makes the Add of a Reading from a function of one value.
func One(add func(*database.Batch, any) error) func(*database.Batch, []any) error {
	return func(b *database.Batch, v []any) error { return add(b, v[0]) }
}

// Conversions that several mappings need.

var errNotUTF8 = errors.New("text is not valid UTF-8")

// CellText spells a cell as text and refuses bytes.
func CellText(c database.Cell) (string, error) {
	switch c.Class {
	case database.ClassBlob:
		return "", errNotUTF8
	case database.ClassInt:
		return strconv.FormatInt(c.Int, 10), nil
	case database.ClassFloat:
		return strconv.FormatFloat(c.Float, 'g', -1, 64), nil
	}
	return string(c.Bytes), nil
}

// AsText spells a number's cell for a column of text and refuses bytes.
func AsText(c database.Cell) (database.Cell, bool, error) {
	if c.Class == database.ClassNull || c.Class == database.ClassText {
		return c, false, nil
	}
	text, err := CellText(c)
	if err != nil {
		return c, false, err
	}
	return textCell(text), false, nil
}

func textCell(text string) database.Cell {
	return database.Cell{Class: database.ClassText, Bytes: []byte(text)}
}

// Labels refuses what an enumeration does not list.
func Labels(values []string) func(database.Cell) (database.Cell, bool, error) {
	known := map[string]bool{}
	for _, v := range values {
		known[v] = true
	}
	return func(c database.Cell) (database.Cell, bool, error) {
		if c.Class == database.ClassText && !known[string(c.Bytes)] {
			return c, false, fmt.Errorf("%q is no label of the enumeration", c.Bytes)
		}
		return c, false, nil
	}
}

// Chain runs conversions one after another; nil ones are left out. Code and
// Lost are those of the first that has them.
func Chain(list ...*database.Conversion) *database.Conversion {
	var steps []*database.Conversion
	for _, c := range list {
		if c != nil {
			steps = append(steps, c)
		}
	}
	switch len(steps) {
	case 0:
		return nil
	case 1:
		return steps[0]
	}
	out := &database.Conversion{}
	for _, c := range steps {
		if out.Code == "" {
			out.Code, out.Lost = c.Code, c.Lost
		}
	}
	out.Cell = func(c database.Cell) (database.Cell, bool, error) {
		lossy := false
		for _, step := range steps {
			next, lost, err := step.Cell(c)
			if err != nil {
				return c, false, err
			}
			c, lossy = next, lossy || lost
		}
		return c, lossy, nil
	}
	return out
}

// CutFraction cuts a fraction of a second to digits; it is lossy where that
// loses any. What follows the fraction (an offset, BC) stays.
func CutFraction(digits int) *database.Conversion {
	return &database.Conversion{
		Code: database.CodeFraction, Lost: fmt.Sprintf("of a second, digits beyond the first %d are not kept", digits),
		Cell: func(c database.Cell) (database.Cell, bool, error) {
			point := bytes.IndexByte(c.Bytes, '.')
			if c.Class != database.ClassText || point < 0 {
				return c, false, nil
			}
			end := point + 1
			for end < len(c.Bytes) && c.Bytes[end] >= '0' && c.Bytes[end] <= '9' {
				end++
			}
			if end-point-1 <= digits {
				return c, false, nil
			}
			head := TrimFraction(string(c.Bytes[:point+1+digits]))
			return textCell(head + string(c.Bytes[end:])), true, nil
		},
	}
}

// Digits refuses numbers that are not finite or have more than total digits,
// or more than scale of them after the point (scale below 0: any number), and
// spells the fraction the way a column of that scale does.
func Digits(total, scale int) *database.Conversion {
	return &database.Conversion{
		Code: database.CodeZeros, Lost: "trailing zeros of a fraction are not kept",
		Cell: func(c database.Cell) (database.Cell, bool, error) {
			if c.Class == database.ClassInt {
				c = textCell(strconv.FormatInt(c.Int, 10))
			}
			if c.Class != database.ClassText {
				return c, false, nil
			}
			text, err := CanonicalDecimal(string(c.Bytes))
			if err != nil {
				return c, false, err
			}
			return fitDigits(c, text, total, scale)
		},
	}
}

func fitDigits(c database.Cell, text string, total, scale int) (database.Cell, bool, error) {
	before := text
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	text = whole
	if fraction != "" {
		text += "." + fraction
	}
	significant := strings.Trim(strings.TrimPrefix(whole, "-")+fraction, "0")
	if scale >= 0 {
		significant = strings.TrimLeft(strings.TrimPrefix(whole, "-"), "0") + strings.Repeat("0", scale)
	}
	if len(significant) > total || scale >= 0 && len(fraction) > scale {
		return c, false, fmt.Errorf("%s has more digits than the column holds", c.Bytes)
	}
	if scale >= 0 {
		return textCell(PadScale(text, scale)), false, nil
	}
	return textCell(text), text != before, nil
}
