package tree

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

const pageVersion = 1

// Features that a page may require: older readers would misread its rows.
const (
	featureHoles   = "holes"   // chunks without an id: zeros that are not stored
	featureTimes   = "times"   // before 1677 or after 2262
	featureUnknown = "unknown" // rows that only say that something was there
)

// supported reports whether this version can read pages that require a feature.
func supported(feature string) bool {
	return feature == featureHoles || feature == featureTimes || feature == featureUnknown
}

// wire is a page as it is stored: a deterministic CBOR map of columns. A column with only zero
// values is left out. FORMAT.md describes the columns.
type wire struct {
	Version  uint64   `cbor:"v"`
	Height   uint64   `cbor:"height,omitempty"`
	Rows     uint64   `cbor:"rows"`
	Requires []string `cbor:"requires,omitempty"`

	PathShared []byte `cbor:"path.shared,omitempty"`
	PathLength []byte `cbor:"path.length,omitempty"`
	PathBytes  []byte `cbor:"path.bytes,omitempty"`
	Flags      []byte `cbor:"flags,omitempty"`

	Class       []byte `cbor:"class,omitempty"`
	ClassType   []byte `cbor:"class.type,omitempty"`
	ClassMode   []byte `cbor:"class.mode,omitempty"`
	ClassUID    []byte `cbor:"class.uid,omitempty"`
	ClassGID    []byte `cbor:"class.gid,omitempty"`
	ClassUser   []byte `cbor:"class.user,omitempty"`
	ClassGroup  []byte `cbor:"class.group,omitempty"`
	ClassDevice []byte `cbor:"class.device,omitempty"`
	ClassLinks  []byte `cbor:"class.links,omitempty"`
	ClassKnown  []byte `cbor:"class.known,omitempty"`

	Size       []byte `cbor:"size,omitempty"`
	MTime      []byte `cbor:"mtime,omitempty"`
	MTimeNanos []byte `cbor:"mtime.ns,omitempty"`
	CTime      []byte `cbor:"ctime,omitempty"`
	CTimeNanos []byte `cbor:"ctime.ns,omitempty"`
	Inode      []byte `cbor:"inode,omitempty"`

	NodeDevice []byte `cbor:"rdev,omitempty"`
	Target     []byte `cbor:"target,omitempty"`
	Identity   []byte `cbor:"identity,omitempty"`
	Hash       []byte `cbor:"hash,omitempty"`
	Extents    []byte `cbor:"extents,omitempty"`
	Attrs      []byte `cbor:"attrs,omitempty"`
	Xattrs     []byte `cbor:"xattrs,omitempty"`
	Remote     []byte `cbor:"remote,omitempty"`
	Unknown    []byte `cbor:"unknown,omitempty"`

	ChunkCount   []byte `cbor:"chunk.count,omitempty"`
	ChunkID      []byte `cbor:"chunk.id,omitempty"`
	ChunkLength  []byte `cbor:"chunk.length,omitempty"`
	ChunkFrame   []byte `cbor:"chunk.frame,omitempty"`
	ChunkOrdinal []byte `cbor:"chunk.ordinal,omitempty"`
	ChunkStart   []byte `cbor:"chunk.start,omitempty"`

	FramePack   []byte `cbor:"frame.pack,omitempty"`
	FrameOffset []byte `cbor:"frame.offset,omitempty"`
	FrameStored []byte `cbor:"frame.stored,omitempty"`

	PackName   []byte `cbor:"pack.name,omitempty"`
	PackKind   []byte `cbor:"pack.kind,omitempty"`
	PackSize   []byte `cbor:"pack.size,omitempty"`
	PackHeader []byte `cbor:"pack.header,omitempty"`

	BelowEntries []byte `cbor:"below.entries,omitempty"`
	BelowBytes   []byte `cbor:"below.bytes,omitempty"`
}

var encoding, decoding = modes()

func modes() (cbor.UserBufferEncMode, cbor.DecMode) {
	enc, err := cbor.CoreDetEncOptions().UserBufferEncMode()
	if err != nil {
		panic(err) // constant options
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		MaxNestedLevels:   8,
		MaxArrayElements:  64 << 10,
		MaxMapPairs:       1 << 10,
	}.DecMode()
	if err != nil {
		panic(err) // constant options
	}
	return enc, dec
}

// malformed returns an error that wraps ErrFormat.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

func zigzag(x int64) uint64   { return uint64(x<<1) ^ uint64(x>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// appendSigned appends the difference of two numbers, modulo 2^64.
func appendSigned(b []byte, x int64) []byte { return binary.AppendUvarint(b, zigzag(x)) }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// unlessZero returns column, or nil if all its values are zero.
func unlessZero(column []byte) []byte {
	if slices.ContainsFunc(column, func(b byte) bool { return b != 0 }) {
		return column
	}
	return nil
}

// column reads the values of a column in order. After the first error all values are zero.
type column struct {
	b      []byte
	at     int  // an index, so that stepping on writes no pointer
	absent bool // all values are zero
	bad    bool
}

func read(b []byte) column { return column{b: b, absent: b == nil} }

// next returns the next uvarint.
func (c *column) next() uint64 {
	if c.at < len(c.b) {
		if x := c.b[c.at]; x < 0x80 {
			c.at++
			return uint64(x)
		}
	}
	return c.long()
}

func (c *column) long() uint64 {
	if c.absent {
		return 0
	}
	x, n := binary.Uvarint(c.b[c.at:])
	if n <= 0 || n > 1 && c.b[c.at+n-1] == 0 {
		c.fail()
		return 0
	}
	c.at += n
	return x
}

func (c *column) fail() {
	c.bad = true
	c.absent = true
	c.at = len(c.b)
}

func (c *column) signed() int64 { return unzigzag(c.next()) }

// small returns the next uvarint, which must not exceed 32 bits.
func (c *column) small() uint32 {
	x := c.next()
	if x>>32 != 0 {
		c.fail()
		return 0
	}
	return uint32(x)
}

// near returns the next signed value plus expected. The sum must be an unsigned number of 32 bits.
func (c *column) near(expected int64) uint32 {
	x := expected + c.signed()
	if x < 0 || x>>32 != 0 {
		c.fail()
		return 0
	}
	return uint32(x)
}

// fixed returns the next four bytes.
func (c *column) fixed() uint32 {
	if len(c.b)-c.at < 4 {
		if !c.absent {
			c.fail()
		}
		return 0
	}
	x := binary.LittleEndian.Uint32(c.b[c.at:])
	c.at += 4
	return x
}

// left returns how many bytes follow.
func (c *column) left() int { return len(c.b) - c.at }

// bytes returns the next n bytes, in place; nil if there are fewer.
func (c *column) bytes(n uint64) []byte {
	if n > uint64(c.left()) {
		c.fail()
		return nil
	}
	b := c.b[c.at : c.at+int(n) : c.at+int(n)]
	c.at += int(n)
	return b
}

// text returns the next byte string, which is preceded by its length.
func (c *column) text() string { return string(c.bytes(c.next())) }

// more reports whether the column goes on.
func (c *column) more() bool { return c.at < len(c.b) }

// done checks that the column had no error and was read to its end.
func (c *column) done(name string) error {
	if c.bad || c.at < len(c.b) {
		return malformed("column %s", name)
	}
	return nil
}
