package room

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/scratch"
)

// MakeDatabase makes an empty database for a source of a room, on the server whose URL is in a
// file. note is told of it before, so that it is known even if the process ends now; see
// Room.Borrow.
func MakeDatabase(ctx context.Context, source, file string, note func(Database) error) (at database.Location, err error) {
	server, err := config.ReadLocation(file)
	if err != nil {
		return at, err
	}
	asker, err := config.AskerOf(server)
	if err != nil {
		return at, err
	}
	mark := "page" + strings.ToLower(rand.Text()[:12])
	if err := note(Database{Source: source, Server: file, Mark: mark, Name: scratch.Borrowed(mark)}); err != nil {
		return at, err
	}
	return scratch.Borrow(ctx, server, mark, asker)
}

// dropTime is how long dropping a database may take.
const dropTime = time.Minute

// DropDatabase drops a database that MakeDatabase has made, within a minute. It is a GiveBack.
func DropDatabase(d Database) error {
	server, err := config.ReadLocation(d.Server)
	if err != nil {
		return err
	}
	asker, err := config.AskerOf(server)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dropTime)
	defer cancel()
	return scratch.Return(ctx, server, d.Mark, asker)
}
