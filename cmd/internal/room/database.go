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
	return realServers.makeDatabase(ctx, source, file, note)
}

// DropDatabase drops a database that MakeDatabase has made, within a minute. It is a GiveBack.
func DropDatabase(d Database) error { return realServers.dropDatabase(d) }

// servers reach the servers on which databases are made.
type servers struct {
	asker func(at database.Location) (database.Asker, error)
}

var realServers = servers{config.AskerOf}

// at finds the server whose URL is in a file, and who asks it.
func (s servers) at(file string) (server database.Location, asker database.Asker, err error) {
	if server, err = config.ReadLocation(file); err != nil {
		return server, nil, err
	}
	asker, err = s.asker(server)
	return server, asker, err
}

func (s servers) makeDatabase(ctx context.Context, source, file string, note func(Database) error) (at database.Location, err error) {
	server, asker, err := s.at(file)
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

func (s servers) dropDatabase(d Database) error {
	server, asker, err := s.at(d.Server)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dropTime)
	defer cancel()
	return scratch.Return(ctx, server, d.Mark, asker)
}
