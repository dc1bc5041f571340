package scratch

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/packstone/packstone/pipeline/database"
)

// borrowedPrefix is what the names of databases on others' servers begin with.
const borrowedPrefix = "packstone_drill_"

// Borrowed is the name of the database that Borrow makes with a mark.
func Borrowed(mark string) string { return borrowedPrefix + mark }

// Borrow makes an empty database on a server that is there, whose URL names a database that is not
// touched. mark tells its name apart from all others.
func Borrow(ctx context.Context, server database.Location, mark string, asker database.Asker) (at database.Location, err error) {
	name := Borrowed(mark)
	if at, err = beside(server, name); err != nil {
		return at, err
	}
	statement := "CREATE DATABASE " + name
	if server.Scheme() == "mysql" || server.Scheme() == "mariadb" {
		statement += " CHARACTER SET utf8mb4"
	} else {
		statement += " TEMPLATE template0"
	}
	if err := run(ctx, server, statement, asker); err != nil {
		return at, server.Wrap("make a database on", err)
	}
	return at, nil
}

// Return drops a database that was borrowed; it is no error if there is none.
func Return(ctx context.Context, server database.Location, mark string, asker database.Asker) error {
	if mark == "" || strings.Trim(mark, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("drop a database of a drill: %q is no mark of one", mark)
	}
	statement := "DROP DATABASE IF EXISTS " + Borrowed(mark)
	return server.Wrap("drop the database of a drill on", run(ctx, server, statement, asker))
}

func run(ctx context.Context, server database.Location, statement string, asker database.Asker) error {
	session, err := asker.OpenSession(ctx, server)
	if err != nil {
		return err
	}
	_, err = session.Exec(ctx, statement)
	return errors.Join(err, session.Close())
}

// beside is the location of another database of a server.
func beside(server database.Location, name string) (database.Location, error) {
	u, err := url.Parse(server.Reveal())
	switch server.Scheme() {
	case "postgres", "postgresql", "mysql", "mariadb":
	default:
		err = errors.New("a scratch database is made on PostgreSQL, MySQL and MariaDB alone")
	}
	if err != nil {
		return database.Location{}, server.Wrap("make a database on", err)
	}
	u.Path = "/" + name
	return database.ParseLocation(u.String())
}
