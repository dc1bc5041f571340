package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrArchived: the storage keeps the object in a class that cannot be read at once: it must be
// thawed first. It matches ErrDenied too.
var ErrArchived error = archived{}

type archived struct{}

// Error implements error.
func (archived) Error() string { return "archived by the storage" }

// Unwrap returns the wider kind.
func (archived) Unwrap() error { return ErrDenied }

// Class is a storage class as S3 names it. Empty means that of the storage, which is STANDARD.
type Class string

// class is what is known of a class.
type class struct {
	name   Class
	least  int  // days that the storage bills at least
	frozen bool // an object must be thawed before it can be read
}

const standard Class = "STANDARD"

var classes = []class{
	{standard, 0, false},
	{"REDUCED_REDUNDANCY", 0, false},
	{"INTELLIGENT_TIERING", 0, false},
	{"STANDARD_IA", 30, false},
	{"ONEZONE_IA", 30, false},
	{"GLACIER_IR", 90, false},
	{"GLACIER", 90, true},
	{"DEEP_ARCHIVE", 180, true},
}

func (c Class) known() class {
	for _, k := range classes {
		if k.name == c || c == "" && k.name == standard {
			return k
		}
	}
	return class{name: c}
}

// Check fails with ErrInvalid, and lists the classes, if there is no such class.
func (c Class) Check() error {
	if c == "" || slices.ContainsFunc(classes, func(k class) bool { return k.name == c }) {
		return nil
	}
	names := make([]string, len(classes))
	for i, k := range classes {
		names[i] = string(k.name)
	}
	return fmt.Errorf("there is no storage class %q; these are known: %s: %w", string(c), strings.Join(names, ", "), ErrInvalid)
}

// NeedsThaw reports whether objects of the class must be thawed before they can be read.
func (c Class) NeedsThaw() bool { return c.known().frozen }

// Least returns how many days the storage bills an object at least.
func (c Class) Least() int { return c.known().least }

// String returns the name.
func (c Class) String() string { return string(c.known().name) }

// Tier says how fast a thaw is, and so what it costs.
type Tier string

// The tiers of S3.
const (
	Standard  Tier = "Standard"  // hours
	Bulk      Tier = "Bulk"      // up to two days, the cheapest
	Expedited Tier = "Expedited" // minutes, the most expensive; not for DEEP_ARCHIVE
)

// Thaw says how to thaw an object.
type Thaw struct {
	Days int // for which it can be read then
	Tier Tier
}

// Standing is how an object lies in its class.
type Standing struct {
	Class   Class
	Frozen  bool      // it cannot be read now
	Thawing bool      // somebody has asked for the thaw
	Until   time.Time // when the thaw ends; zero if it is not thawed, or need not be
}

// Archiver is what an adapter implements besides Store if its storage has classes whose objects must
// be thawed. All methods are safe for concurrent use.
type Archiver interface {
	// Standing returns how an object lies in its class. It fails with ErrNotExist if there is none.
	Standing(ctx context.Context, name string) (Standing, error)

	// Thaw asks the storage to make an object readable for some days. It does not wait for that. It
	// succeeds if the thaw was asked for already. It fails with ErrNotExist if there is no such
	// object, and with ErrInvalid if the storage can't thaw it like that.
	Thaw(ctx context.Context, name string, how Thaw) error
}
