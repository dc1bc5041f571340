package config

import (
	"maps"
	"path/filepath"

	"github.com/packstone/packstone/archive/store/s3/bucket"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/pipeline/database"
)

// Moved are the settings with a source at another place: a path, or the address of a server, bucket
// or database, without a password. The rest of the source's settings stays, but passwords and keys
// are shown to the server that they are for alone.
func (c *Config) Moved(name, to string) (*Config, error) {
	s, known := c.Sources[name]
	if !known {
		return nil, catalog.Misuse("--map %s: the settings have no source %s", name, name)
	}
	settings, err := moved(s.Settings, to)
	if err != nil {
		return nil, err
	}
	if settings == nil {
		return nil, catalog.Misuse("--map %s: a source of type %s cannot come back to %s", name, s.Type, to)
	}
	other := *c
	other.Sources = maps.Clone(c.Sources)
	other.Sources[name] = Source{Type: s.Type, Settings: settings}
	return &other, nil
}

// moved are the settings of a source at another place; nil if it cannot be there.
func moved(s Settings, to string) (Settings, error) {
	server, err := FindServer("--map", to, "")
	if err != nil {
		return nil, err
	}
	if d, ok := s.(*Database); ok {
		return d.moved(to)
	}
	remote, isRemote := server.(Remote)
	_, isBucket := server.(Bucket)
	path := ""
	if server == nil {
		if path, err = filepath.Abs(to); err != nil {
			return nil, err
		}
	}
	switch s := s.(type) {
	case *Files:
		if isBucket {
			return nil, nil
		}
		now := *s
		now.Path, now.Server = path, Server{}
		if isRemote {
			now.Server = s.Server.moved(remote, to)
		}
		return &now, nil
	case *Lake:
		if isRemote {
			return nil, nil
		}
		return s.moved(to, path), nil
	case *Components:
		if server != nil {
			return nil, nil
		}
		return s.moved(path), nil
	}
	return nil, nil
}

func (b *Database) moved(to string) (Settings, error) {
	at, err := database.ParseLocation(to)
	if err == nil {
		_, err = Engines.For(at)
	}
	if err != nil {
		return nil, catalog.Misuse("--map: %w", err)
	}
	if at.HasPassword() {
		return nil, catalog.Misuse("--map: a password on the command line can be read by others; leave it out and put it into PACKSTONE_DB_PASSWORD_FILE, PGPASSFILE or ~/.my.cnf")
	}
	if at.Scheme() == "sqlite" {
		if at, err = SQLiteAt(at.Reveal()); err != nil {
			return nil, err
		}
		to = at.String()
	}
	return &Database{URL: to}, nil
}

// moved keeps the way to log in where it is the same user of the same server.
func (s *Server) moved(to Remote, url string) Server {
	was, _, err := s.remote(RemoteLogin{})
	if err != nil || was.Scheme != to.Scheme || was.Host != to.Host || was.Port != to.Port || was.User != to.User {
		return Server{URL: url, KnownHosts: s.KnownHosts}
	}
	now := *s
	now.URL, now.URLFile = url, ""
	return now
}

// moved keeps the keys where it is a bucket of the same server.
func (l *Lake) moved(to, path string) *Lake {
	now := *l
	now.Path = to
	if path != "" {
		now.Path = path
	}
	was, err := bucket.Parse(l.Path)
	is, failed := bucket.Parse(to)
	if err != nil || failed != nil || was.Endpoint != is.Endpoint {
		now.Region, now.AccessKeyFile, now.SecretKeyFile = "", "", ""
	}
	if path != "" {
		now.AsOf, now.Tags = "", false
	}
	return &now
}

// moved has every component in a folder of its name.
func (s *Components) moved(path string) *Components {
	now := *s
	now.Components = make(map[string]string)
	for name := range s.Components {
		now.Components[name] = filepath.Join(path, name)
	}
	return &now
}
