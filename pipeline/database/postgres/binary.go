package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strconv"

	"github.com/packstone/packstone/pipeline/database"
)

var errField = errors.New("decode COPY field: unexpected length")

// binaryDecoders by the name of the base type; a table with any other is read as text.
var binaryDecoders = map[string]decoder{
	"int2": decodeInt2, "int4": decodeInt4, "int8": decodeInt8, "oid": decodeOID,
	"float4": decodeFloat4, "float8": decodeFloat8, "bool": decodeBool,
	"text": decodeText, "varchar": decodeText, "bpchar": decodeText, "name": decodeText,
	"json": decodeText, "xml": decodeText, "bytea": decodeBytes,
	"uuid": decodeUUID, "numeric": decodeNumeric, "date": decodeDate,
	"time": decodeTime, "timetz": decodeTimeTZ,
	"timestamp": decodeTimestamp, "timestamptz": decodeTimestampTZ,
	"jsonb": decodeJSONB, "money": decodeMoney, "bit": decodeBits, "varbit": decodeBits,
}

func decodeInt2(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) != 2 {
		return errField
	}
	b.Int(int64(int16(binary.BigEndian.Uint16(f))))
	return nil
}

func decodeInt4(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) != 4 {
		return errField
	}
	b.Int(int64(int32(binary.BigEndian.Uint32(f))))
	return nil
}

func decodeInt8(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) != 8 {
		return errField
	}
	b.Int(int64(binary.BigEndian.Uint64(f)))
	return nil
}

func decodeOID(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) != 4 {
		return errField
	}
	b.Int(int64(binary.BigEndian.Uint32(f)))
	return nil
}

func decodeFloat4(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) != 4 {
		return errField
	}
	b.Float(float64(math.Float32frombits(binary.BigEndian.Uint32(f))))
	return nil
}

func decodeFloat8(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) != 8 {
		return errField
	}
	b.Float(math.Float64frombits(binary.BigEndian.Uint64(f)))
	return nil
}

func decodeBool(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) != 1 {
		return errField
	}
	b.Bool(f[0] != 0)
	return nil
}

func decodeText(b *database.Batch, _ *[]byte, f []byte) error {
	b.Text(f)
	return nil
}

// decodeJSONB takes off the version that stands before the text.
func decodeJSONB(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) == 0 || f[0] != 1 {
		return errField
	}
	b.Text(f[1:])
	return nil
}

// decodeMoney prints hundredths, which is what our sessions' lc_monetary has.
func decodeMoney(b *database.Batch, scratch *[]byte, f []byte) error {
	if len(f) != 8 {
		return errField
	}
	v := int64(binary.BigEndian.Uint64(f))
	text, amount := (*scratch)[:0], uint64(v)
	if v < 0 {
		text, amount = append(text, '-'), -amount
	}
	text = append(strconv.AppendUint(text, amount/100, 10), '.')
	*scratch = appendTwo(text, int(amount%100))
	b.Text(*scratch)
	return nil
}

// decodeBits prints as many bits as the first four bytes say.
func decodeBits(b *database.Batch, scratch *[]byte, f []byte) error {
	if len(f) < 4 {
		return errField
	}
	n := int(int32(binary.BigEndian.Uint32(f)))
	if n < 0 || (n+7)/8 != len(f)-4 {
		return errField
	}
	*scratch = (*scratch)[:0]
	for i := range n {
		*scratch = append(*scratch, '0'+f[4+i/8]>>(7-i%8)&1)
	}
	b.Text(*scratch)
	return nil
}

func decodeBytes(b *database.Batch, _ *[]byte, f []byte) error {
	b.Blob(f)
	return nil
}

func decodeUUID(b *database.Batch, _ *[]byte, f []byte) error {
	if len(f) != 16 {
		return errField
	}
	var text [36]byte
	hex.Encode(text[0:8], f[0:4])
	hex.Encode(text[9:13], f[4:6])
	hex.Encode(text[14:18], f[6:8])
	hex.Encode(text[19:23], f[8:10])
	hex.Encode(text[24:36], f[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	b.Text(text[:])
	return nil
}

// Signs of a numeric on the wire.
const (
	numericNegative = 0x4000
	numericNaN      = 0xC000
	numericInf      = 0xD000
	numericNegInf   = 0xF000
)

// decodeNumeric prints digits of base 10000, with the scale the value has.
func decodeNumeric(b *database.Batch, scratch *[]byte, f []byte) error {
	if len(f) < 8 {
		return errField
	}
	count := int(binary.BigEndian.Uint16(f))
	weight := int(int16(binary.BigEndian.Uint16(f[2:])))
	sign := binary.BigEndian.Uint16(f[4:])
	scale := int(binary.BigEndian.Uint16(f[6:]))
	if len(f) != 8+2*count {
		return errField
	}
	switch sign {
	case numericNaN:
		b.String("NaN")
		return nil
	case numericInf:
		b.String("Infinity")
		return nil
	case numericNegInf:
		b.String("-Infinity")
		return nil
	}
	*scratch = appendNumeric((*scratch)[:0], f[8:], weight, scale, sign == numericNegative && count > 0)
	b.Text(*scratch)
	return nil
}

func appendNumeric(dst, digits []byte, weight, scale int, negative bool) []byte {
	digit := func(i int) int {
		if i < 0 || 2*i+1 >= len(digits) {
			return 0
		}
		return int(binary.BigEndian.Uint16(digits[2*i:]))
	}
	if negative {
		dst = append(dst, '-')
	}
	if weight < 0 {
		dst = append(dst, '0')
	}
	for i := 0; i <= weight; i++ {
		if i == 0 {
			dst = strconv.AppendInt(dst, int64(digit(0)), 10)
		} else {
			dst = appendFour(dst, digit(i))
		}
	}
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	end := len(dst) + scale
	for i := weight + 1; len(dst) < end; i++ {
		dst = appendFour(dst, digit(i))
	}
	return dst[:end]
}

// pairs are the numbers from 00 to 99.
const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// appendFour prints the last four digits of a number.
func appendFour(dst []byte, v int) []byte { return appendTwo(appendTwo(dst, v/100), v) }

// appendTwo prints the last two digits of a number.
func appendTwo(dst []byte, v int) []byte {
	at := 2 * (uint(v) % 100)
	return append(dst, pairs[at], pairs[at+1])
}

func decodeDate(b *database.Batch, scratch *[]byte, f []byte) error {
	if len(f) != 4 {
		return errField
	}
	days := int32(binary.BigEndian.Uint32(f))
	switch days {
	case math.MaxInt32:
		b.String("infinity")
	case math.MinInt32:
		b.String("-infinity")
	default:
		text, bc := appendDate((*scratch)[:0], int64(days))
		*scratch = appendBC(text, bc)
		b.Text(*scratch)
	}
	return nil
}

func decodeTime(b *database.Batch, scratch *[]byte, f []byte) error {
	if len(f) != 8 {
		return errField
	}
	*scratch = appendClock((*scratch)[:0], int64(binary.BigEndian.Uint64(f)))
	b.Text(*scratch)
	return nil
}

func decodeTimeTZ(b *database.Batch, scratch *[]byte, f []byte) error {
	if len(f) != 12 {
		return errField
	}
	text := appendClock((*scratch)[:0], int64(binary.BigEndian.Uint64(f)))
	*scratch = appendOffset(text, -int(int32(binary.BigEndian.Uint32(f[8:]))))
	b.Text(*scratch)
	return nil
}

func decodeTimestamp(b *database.Batch, scratch *[]byte, f []byte) error {
	return decodeMoment(b, scratch, f, "")
}

func decodeTimestampTZ(b *database.Batch, scratch *[]byte, f []byte) error {
	return decodeMoment(b, scratch, f, "+00:00")
}

const dayMicros = 24 * 60 * 60 * 1000000

func decodeMoment(b *database.Batch, scratch *[]byte, f []byte, zone string) error {
	if len(f) != 8 {
		return errField
	}
	micros := int64(binary.BigEndian.Uint64(f))
	switch micros {
	case math.MaxInt64:
		b.String("infinity")
		return nil
	case math.MinInt64:
		b.String("-infinity")
		return nil
	}
	days, clock := micros/dayMicros, micros%dayMicros
	if clock < 0 {
		days, clock = days-1, clock+dayMicros
	}
	text, bc := appendDate((*scratch)[:0], days)
	text = appendClock(append(text, ' '), clock)
	*scratch = appendBC(append(text, zone...), bc)
	b.Text(*scratch)
	return nil
}

func appendBC(dst []byte, bc bool) []byte {
	if bc {
		return append(dst, " BC"...)
	}
	return dst
}

// appendDate prints a day counted from 2000-01-01 in the proleptic Gregorian
// calendar; bc says that the year is one before Christ.
func appendDate(dst []byte, days int64) (text []byte, bc bool) {
	year, month, day := civil(days)
	if year <= 0 {
		year, bc = 1-year, true
	}
	if year < 10000 {
		dst = appendFour(dst, int(year))
	} else {
		dst = strconv.AppendInt(dst, year, 10)
	}
	m, d := pairs[2*month:], pairs[2*day:]
	return append(dst, '-', m[0], m[1], '-', d[0], d[1]), bc
}

// eras before 2000-03-01 are counted from, so that no day of an int32 is negative.
const eras = 20000

// civil turns days since 2000-01-01 into a date, in centuries, years and months that begin on 1
// March: Neri and Schneider, Euclidean affine functions and their application to calendar
// algorithms.
func civil(days int64) (year int64, month, day int) {
	n := 4*uint64(days+730425+146097*eras) + 3
	century, rest := n/146097, n%146097/4
	p := 2939745 * (4*rest + 3)
	yearDay := p % (1 << 32) / 2939745 / 4
	q := 2141*yearDay + 197913
	year = int64(100*century+p>>32) - 400*eras
	month, day = int(q>>16), int(q%(1<<16)/2141+1)
	if yearDay >= 306 {
		return year + 1, month - 12, day
	}
	return year, month, day
}

// appendClock prints microseconds of a day, without trailing zeros.
func appendClock(dst []byte, micros int64) []byte {
	all, fraction := uint64(micros)/1000000, int(uint64(micros)%1000000)
	h, m, s := pairs[2*(all/3600%100):], pairs[2*(all/60%60):], pairs[2*(all%60):]
	dst = append(dst, h[0], h[1], ':', m[0], m[1], ':', s[0], s[1])
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendTwo(appendFour(dst, fraction/100), fraction%100)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// appendOffset prints seconds east of Greenwich.
func appendOffset(dst []byte, east int) []byte {
	sign := byte('+')
	if east < 0 {
		sign, east = '-', -east
	}
	dst = appendTwo(append(dst, sign), east/3600)
	dst = appendTwo(append(dst, ':'), east/60%60)
	if east%60 != 0 {
		dst = appendTwo(append(dst, ':'), east%60)
	}
	return dst
}
