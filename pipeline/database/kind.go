package database

// Kind says what a column's values mean and fixes their canonical spelling.
// "text" and the like below are the storage classes of a [Cell]. Null is always
// possible.
type Kind string

// Kinds and the canonical form of their values.
const (
	// Bool is int 0 or 1.
	Bool Kind = "bool"
	// Int is int. Of an unsigned 64-bit column, values above 2^63-1 are text in
	// decimal (Batch.Uint does that).
	Int Kind = "int"
	// Decimal is text: an optional minus, digits without leading zeros ("0.5",
	// not ".5"), and the fraction as the source holds it, trailing zeros
	// included; with a declared scale exactly that many digits. Also NaN,
	// Infinity, -Infinity. Never an exponent, never "-0".
	Decimal Kind = "decimal"
	// Float is float; a 32-bit value is widened exactly. NaN is one NaN; -0 and
	// infinities are kept.
	Float Kind = "float"
	// Text is text in UTF-8, verbatim: padding, NUL and the empty string are
	// kept as the source gives them. Bytes that are no UTF-8 are a blob cell.
	Text Kind = "text"
	// Bytes is blob.
	Bytes Kind = "bytes"
	// Date is text, YYYY-MM-DD; beyond that PostgreSQL's spelling (0044-03-15 BC,
	// 10000-01-01, infinity, -infinity) and MySQL's zero dates verbatim.
	Date Kind = "date"
	// Time is text, [-]HH:MM:SS[.fraction]; trailing zeros of the fraction are
	// cut, here and in all kinds below. 24:00:00 and MySQL's 838:59:59 are kept.
	Time Kind = "time"
	// TimeTZ is Time followed by +HH:MM, of the value's own zone (+HH:MM:SS where
	// it has seconds).
	TimeTZ Kind = "timetz"
	// Timestamp is text, Date, a space and Time; " BC" comes last.
	Timestamp Kind = "timestamp"
	// TimestampTZ is Timestamp with +HH:MM before any " BC": +00:00, in UTC,
	// unless Type.KeepsOffset, where it is the value's own.
	TimestampTZ Kind = "timestamptz"
	// Interval is text in ISO 8601 as PostgreSQL prints it (P1Y2M3DT4H5M6.789S,
	// PT0S).
	Interval Kind = "interval"
	// Year is int.
	Year Kind = "year"
	// JSON is text, as the server prints it.
	JSON Kind = "json"
	// UUID is text: 36 characters in lower case.
	UUID Kind = "uuid"
	// Enum is text: the label, one of Type.Values.
	Enum Kind = "enum"
	// Set is text: labels of Type.Values in their order, joined by commas.
	Set Kind = "set"
	// Bits is text of 0 and 1, the highest bit first; of a fixed Type.Length all.
	Bits Kind = "bits"
	// Geometry is blob: EWKB (MySQL: SRID and WKB as stored).
	Geometry Kind = "geometry"
	// Array is text, the source engine's own spelling; Type.Native tells how to
	// read it.
	Array Kind = "array"
	// Other is text, the source engine's own spelling: ranges, composites,
	// network addresses, XML and whatever the model has no word for.
	Other Kind = "other"
	// Any is whatever class each value has: a SQLite column of mixed contents.
	Any Kind = "any"
)

// allKinds lists them.
var allKinds = []Kind{
	Bool, Int, Decimal, Float, Text, Bytes, Date, Time, TimeTZ, Timestamp, TimestampTZ, Interval, Year, JSON, UUID, Enum, Set, Bits, Geometry, Array, Other, Any,
}

// Type is a column's type. Which fields count depends on Kind.
type Type struct {
	Kind     Kind `json:"kind"`
	Bits     int  `json:"bits,omitempty"`     // Int 8..64, Float 32 or 64
	Unsigned bool `json:"unsigned,omitempty"` // Int
	// Fits says that an unsigned 64-bit column holds no value above 2^63-1 in
	// this snapshot.
	Fits        bool     `json:"fits,omitempty"`
	Length      int64    `json:"length,omitempty"`       // Text in characters, Bytes, Bits; 0: no limit
	Fixed       bool     `json:"fixed,omitempty"`        // CHAR, BINARY, BIT
	Precision   int      `json:"precision,omitempty"`    // Decimal digits; 0: no limit
	Scale       int      `json:"scale,omitempty"`        // Decimal; may be negative
	Fraction    *int     `json:"fraction,omitempty"`     // digits of a second kept; nil: the engine's most
	KeepsOffset bool     `json:"keeps_offset,omitempty"` // TimestampTZ
	Values      []string `json:"values,omitempty"`       // Enum, Set
	// NoCase says that equal ignores case (citext, ci collations).
	NoCase    bool   `json:"no_case,omitempty"`
	Charset   string `json:"charset,omitempty"`
	Collation string `json:"collation,omitempty"`
	// Native is the type in the source's own words, enough for its DDL.
	Native string `json:"native,omitempty"`
	// Base is the type below a domain or the element of an array.
	Base *Type `json:"base,omitempty"`
}
