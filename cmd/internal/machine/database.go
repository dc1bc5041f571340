package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/pipeline/database"
)

// Locate parses the URL of a database, given with a flag, and adds the password that the user
// stores elsewhere.
func (m *Machine) Locate(flag, url string) (database.Location, error) {
	at, err := database.ParseLocation(url)
	if err != nil {
		return at, catalog.Misuse("%s: %w", flag, err)
	}
	if at.HasPassword() {
		return at, catalog.Misuse("%s: a password on the command line can be read by others; leave it out and put it into PACKSTONE_DB_PASSWORD, "+
			"PACKSTONE_DB_PASSWORD_FILE, PGPASSFILE or ~/.my.cnf, or put the whole URL into a file for %s-file", flag, flag)
	}
	if _, err := config.Engines.For(at); err != nil {
		return at, catalog.Misuse("%s: %w", flag, err)
	}
	if at.Scheme() == "sqlite" {
		return config.SQLiteAt(at.Reveal())
	}
	return m.Login(at)
}

// Login adds to an address the password that its user stores elsewhere. PostgreSQL's own client
// reads PGPASSFILE.
func (m *Machine) Login(at database.Location) (database.Location, error) {
	if at.HasPassword() || at.Scheme() == "sqlite" {
		return at, nil
	}
	password, err := m.Env.OrFile(m.Done, "PACKSTONE_DB_PASSWORD")
	if err != nil {
		return at, err
	}
	if password != "" {
		if err := m.logins.claim(at); err != nil {
			return at, err
		}
		return at.WithPassword(password)
	}
	if at.Scheme() == "mysql" || at.Scheme() == "mariadb" {
		return m.mysqlLogin(at)
	}
	return at, nil
}

// oneLogin restricts PACKSTONE_DB_PASSWORD to one user of one server, so that no other server gets
// it.
type oneLogin struct {
	mu sync.Mutex
	of string
}

func (o *oneLogin) claim(at database.Location) error {
	u, err := url.Parse(at.Reveal())
	if err != nil {
		return at.Wrap("log in to", errors.New("the URL cannot be read"))
	}
	login := (&url.URL{Scheme: u.Scheme, User: url.User(u.User.Username()), Host: u.Host, RawQuery: url.Values{"socket": u.Query()["socket"]}.Encode()}).String()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == "" {
		o.of = login
	}
	if o.of != login {
		return catalog.Misuse("PACKSTONE_DB_PASSWORD is one password, and both %s and %s would get it: put each URL, with its password, into a file of its own", o.of, login)
	}
	return nil
}

// mysqlLogin takes user and password from ~/.my.cnf. If the URL names a user, it adds the password
// only if that is the same user.
func (m *Machine) mysqlLogin(at database.Location) (database.Location, error) {
	text, err := os.ReadFile(filepath.Join(m.Env["HOME"], ".my.cnf"))
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil
	}
	if err != nil {
		return at, fmt.Errorf("read the password of MySQL: %w", err)
	}
	kept := parseOptionFile(string(text), "client")
	u, err := url.Parse(at.Reveal())
	if err != nil {
		return at, at.Wrap("log in to", errors.New("the URL cannot be read"))
	}
	user := u.User.Username()
	switch {
	case user != "" && kept["user"] != "" && kept["user"] != user, kept["password"] == "":
		return at, nil
	case user == "" && kept["user"] != "":
		u.User = url.User(kept["user"])
		if at, err = database.ParseLocation(u.String()); err != nil {
			return at, err
		}
	}
	return at.WithPassword(kept["password"])
}

// parseOptionFile parses the settings of one group in an option file of MySQL.
func parseOptionFile(text, group string) map[string]string {
	found := map[string]string{}
	within := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "["):
			within = line == "["+group+"]"
		case within && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";"):
			name, value, _ := strings.Cut(line, "=")
			found[strings.TrimSpace(name)] = unquoteOption(strings.TrimSpace(value))
		}
	}
	return found
}

func unquoteOption(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// LocateEither returns the address of the database of which a pair of flags names the URL (--NAME) or
// the file that holds it (--NAME-file), as Locate does.
func (m *Machine) LocateEither(name, url, file string) (database.Location, error) {
	if (url == "") == (file == "") {
		return database.Location{}, catalog.Misuse("name the database by one of --%s and --%s-file", name, name)
	}
	if file == "" {
		return m.Locate("--"+name, url)
	}
	at, err := config.ReadLocation(file)
	if err != nil {
		return at, err
	}
	return m.Login(at)
}
