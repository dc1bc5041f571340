package scratch

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"github.com/packstone/packstone/pipeline/database"
)

// postgresPort is a part of the socket's name. It is said, since PGPORT would be taken else.
const postgresPort = "5432"

var postgres = recipe{
	programs: func() (map[string]string, error) {
		return find(database.Postgres, postgresFolders(), "initdb", "postgres")
	},
	user: "postgres",
	install: func(programs map[string]string, dir string) []string {
		return []string{programs["initdb"], "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=" + locale(), "--no-sync"}
	},
	serve: func(programs map[string]string, dir string) []string {
		return []string{programs["postgres"], "-D", filepath.Join(dir, "data"), "-p", postgresPort, "-c", "listen_addresses=", "-c", "unix_socket_directories=" + filepath.Join(dir, socketFolder),
			"-c", "unix_socket_permissions=0700", "-c", "max_wal_size=2GB"}
	},
	address: func(dir, user, name string) string {
		return fmt.Sprintf("postgres://%s@/%s?%s", user, name, url.Values{"host": {filepath.Join(dir, socketFolder)}, "port": {postgresPort}}.Encode())
	},
	superior: "postgres",
	first:    "postgres",
	prepare:  []string{"CREATE ROLE " + Name + " LOGIN", "CREATE DATABASE " + Name + " OWNER " + Name + " TEMPLATE template0"},
	end:      syscall.SIGQUIT,
}

var mariadb = recipe{
	programs: func() (map[string]string, error) {
		return find(database.MariaDB, []string{"/usr/sbin", "/usr/local/sbin"}, "mariadb-install-db", "mariadbd")
	},
	user: "mysql",
	install: func(programs map[string]string, dir string) []string {
		return []string{programs["mariadb-install-db"], "--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--tmpdir=" + filepath.Join(dir, socketFolder), "--auth-root-authentication-method=normal", "--skip-test-db"}
	},
	serve: func(programs map[string]string, dir string) []string {
		return []string{programs["mariadbd"], "--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--socket=" + filepath.Join(dir, socketFolder, "s"),
			"--pid-file=" + filepath.Join(dir, "data", "pid"), "--tmpdir=" + filepath.Join(dir, socketFolder), "--skip-networking", "--max-allowed-packet=1G", "--event-scheduler=OFF"}
	},
	address: func(dir, user, name string) string {
		return fmt.Sprintf("mysql://%s@localhost/%s?%s", user, name, url.Values{"socket": {filepath.Join(dir, socketFolder, "s")}}.Encode())
	},
	superior: "root",
	first:    "mysql",
	prepare: []string{"CREATE DATABASE " + Name + " CHARACTER SET utf8mb4", "CREATE USER " + Name + "@localhost",
		"GRANT ALL ON " + Name + ".* TO " + Name + "@localhost"},
	end: syscall.SIGKILL, // what it has is thrown away
}

// locale is the one in which text is compared.
func locale() string {
	if runtime.GOOS == "linux" {
		return "C.UTF-8"
	}
	return "C"
}

// postgresFolders are where distributions put the programs of a server, the newest first.
func postgresFolders() []string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(found, func(a, b string) int { return versionOf(b) - versionOf(a) })
	return found
}

func versionOf(folder string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return version
}

// find finds programs, all in one of the folders, or else on the PATH.
func find(engine string, folders []string, names ...string) (map[string]string, error) {
	for _, folder := range folders {
		found := map[string]string{}
		for _, name := range names {
			path := filepath.Join(folder, name)
			if _, err := os.Stat(path); err != nil {
				path, err = exec.LookPath(name)
				if err != nil {
					break
				}
			}
			found[name] = path
		}
		if len(found) == len(names) {
			return found, nil
		}
	}
	found := map[string]string{}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("find %s of %s: %w", name, engine, ErrNotInstalled)
		}
		found[name] = path
	}
	return found, nil
}
