package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// ErrNoSwap: a database cannot take another one's place, for want of rights or for what is in it.
// What is wrapped in it says what to do.
var ErrNoSwap = refusal("the database cannot take the place of the living one")

// Swapper is a Driver whose databases can be filled beside a living one, and then take its place in
// one short step.
type Swapper interface {
	Driver
	// OpenSwap connects to the server of a database, which itself need not be there. It changes
	// nothing.
	OpenSwap(ctx context.Context, at Location) (Swap, error)
}

// Swap changes which database of a server bears a name. Names are of databases of that server; of
// a file, names of files in its folder. Every method may be called again after it was
// interrupted, and does what is left to do; Exchange as long as something bears the name fresh.
type Swap interface {
	// Name is the name of the living database.
	Name() string
	// At is the address of the database that has a name.
	At(name string) (Location, error)
	// Holds tells whether a database has this name, and anything could be lost with it.
	Holds(ctx context.Context, name string) (bool, error)
	// Ready gives ErrNoSwap where Exchange would fail, as far as that can be told before, and, if
	// fresh is not "", for what was filled there.
	Ready(ctx context.Context, fresh string) error
	// Make makes an empty database, with the owner, the rights and the encoding of the living one,
	// if that is there. One of its name that comes to be meanwhile, since somebody was killed who had
	// asked for it, is dropped.
	Make(ctx context.Context, name string) error
	// Exchange gives what bears the living name, if it is there, the name aside, and what bears the
	// name fresh, unless that is "", the living name. After a crash all is as it was, or done, or what
	// bears the name fresh still does, and a second Exchange does all: the living one, which has its
	// name at any time, may bear the name aside too. Sessions of others in it end.
	Exchange(ctx context.Context, aside, fresh string) error
	// Reopen undoes what an Exchange that was cut off has done to the living database.
	Reopen(ctx context.Context) error
	// Drop drops a database, if it is there.
	Drop(ctx context.Context, name string) error
	// DropSQL is what a person runs to drop it.
	DropSQL(name string) string
	// Close disconnects.
	Close() error
}

// BesideName is the name of a database that stands beside another one: NAME_WORD_ID, in at most
// longest bytes.
func BesideName(name, word, id string, longest int) string {
	end := "_" + word + "_" + id
	for len(name)+len(end) > longest {
		name = name[:len(name)-1]
	}
	return name + end
}

// Named returns the location of another database of the same server.
func (l Location) Named(name string) (Location, error) {
	u, err := url.Parse(l.raw)
	if err != nil || l.scheme == "sqlite" {
		return Location{}, fmt.Errorf("name a database beside %s: %w", l, errors.New("this URL names no server"))
	}
	query := u.Query()
	query.Del("dbname")
	query.Del("database")
	u.RawQuery, u.Path, u.RawPath = query.Encode(), "/"+name, ""
	return Location{scheme: l.scheme, raw: u.String(), secret: l.secret}, nil
}
