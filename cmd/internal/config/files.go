package config

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/source"
	"github.com/packstone/packstone/pipeline/source/exclude"
	"github.com/packstone/packstone/pipeline/source/files"
	ftpsource "github.com/packstone/packstone/pipeline/source/ftp"
	sftpsource "github.com/packstone/packstone/pipeline/source/sftp"
)

// Files is a directory with its content, on this machine or on a server.
type Files struct {
	Path             string `yaml:"path,omitempty" doc:"The directory, or one file. One of path, url and url_file is set."`
	Server           `yaml:",inline"`
	Exclude          []string `yaml:"exclude,omitempty" doc:"Patterns of what to leave out, as in .gitignore."`
	ExcludeCaches    bool     `yaml:"exclude_caches,omitempty" doc:"Leave out what is in directories marked by a CACHEDIR.TAG. With path only."`
	ExcludeIfPresent []string `yaml:"exclude_if_present,omitempty" doc:"Leave out what is beside a file of one of these names; NAME:TEXT if it begins with that text. With path only."`
	OneFileSystem    bool     `yaml:"one_file_system,omitempty" doc:"Keep to the file system of the path; a mount point becomes an empty directory. With path only."`
	AllowEmpty       bool     `yaml:"allow_empty,omitempty" doc:"Accept a path with nothing in it. Else that is an error, since a file system that is not mounted looks so."`
	IgnoreInode      bool     `yaml:"ignore_inode,omitempty" doc:"Leave inode numbers out of what tells a changed file; some network file systems make them up anew with each mount. With path only."`
}

// Server is a directory on a file server and how to log in. The environment supplies what is not
// set.
type Server struct {
	URL            string `yaml:"url,omitempty" doc:"A directory on a server: ftp://, ftpes:// (TLS that begins after the greeting), ftps:// (TLS from the first byte) or sftp://, then [user@]host[:port]/path; /~/path is below the directory in which a login begins."`
	URLFile        string `yaml:"url_file,omitempty" doc:"A file that holds the URL, which may have a password in it then."`
	PasswordFile   string `yaml:"password_file,omitempty" doc:"A file that holds the user's password on the server."`
	CAFile         string `yaml:"ca_file,omitempty" doc:"A file with certificates of authorities, trusted instead of the system's for ftps:// and ftpes://."`
	KnownHosts     string `yaml:"known_hosts,omitempty" doc:"A file with the keys of SFTP servers, as OpenSSH has it; else ~/.ssh/known_hosts. A server that is not in it is refused."`
	KeyFile        string `yaml:"key_file,omitempty" doc:"A file with the private key of the user at an SFTP server."`
	PassphraseFile string `yaml:"passphrase_file,omitempty" doc:"A file with the passphrase of the key."`
	Connections    int    `yaml:"connections,omitempty" doc:"How many connections are open to the server at most; else 16 by FTP and 4 by SFTP. If the server bears fewer, fewer are used."`
}

func (f *Files) oneOf() []string { return []string{"path", "url", "url_file"} }

// Location returns the path, or the address without its password, or the file that holds it.
func (f *Files) Location() string {
	if f.Path != "" {
		return f.Path
	}
	return f.Server.location()
}

func (s *Server) location() string {
	if s.URL == "" {
		return s.URLFile
	}
	r, err := ParseRemote(s.URL)
	if err != nil {
		return s.URLFile
	}
	return r.String()
}

func (f *Files) check(d *decoder, path string) {
	if places := slices.DeleteFunc([]string{f.Path, f.URL, f.URLFile}, func(s string) bool { return s == "" }); len(places) != 1 {
		d.problemAt(path, "set one of path, url and url_file")
		return
	}
	if f.Path == "" {
		f.checkServer(d, path)
		return
	}
	f.Path = d.resolve(f.Path)
	for _, marker := range f.ExcludeIfPresent {
		if name, _, _ := strings.Cut(marker, ":"); name == "" || strings.Contains(name, "/") {
			d.problemAt(path+".exclude_if_present", "%q is not a file name: write it without a slash", marker)
		}
	}
	d.refuse(path, "with path, which is on this machine", f.Server.settings())
	d.checkOpens(path, f)
}

// checkServer checks what needs neither the server nor files that may be on another machine.
func (f *Files) checkServer(d *decoder, path string) {
	d.refuse(path, "on a server", map[string]bool{
		"exclude_caches": f.ExcludeCaches, "exclude_if_present": len(f.ExcludeIfPresent) > 0, "one_file_system": f.OneFileSystem, "ignore_inode": f.IgnoreInode,
	})
	if _, err := exclude.Parse(f.Exclude, exclude.Place{}); err != nil {
		d.problemAt(path, "%v", err)
	}
	f.Server.check(d, path)
}

// refuse reports settings that are set but have no meaning there.
func (d *decoder) refuse(path, where string, set map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if set[name] {
			d.problemAt(join(path, name), "cannot be used %s", where)
		}
	}
}

// settings returns which settings are set besides the address.
func (s *Server) settings() map[string]bool {
	return map[string]bool{
		"password_file": s.PasswordFile != "", "ca_file": s.CAFile != "", "known_hosts": s.KnownHosts != "", "key_file": s.KeyFile != "",
		"passphrase_file": s.PassphraseFile != "", "connections": s.Connections != 0,
	}
}

func (s *Server) check(d *decoder, path string) {
	for _, file := range []*string{&s.URLFile, &s.PasswordFile, &s.CAFile, &s.KnownHosts, &s.KeyFile, &s.PassphraseFile} {
		*file = d.resolve(*file)
	}
	if s.Connections < 0 {
		d.problemAt(path+".connections", "must not be negative")
	}
	if s.PassphraseFile != "" && s.KeyFile == "" {
		d.problemAt(path+".passphrase_file", "is the passphrase of a key, but there is no key_file")
	}
	if s.URL == "" {
		return
	}
	r, err := ParseRemote(s.URL)
	if err != nil {
		d.problemAt(path+".url", "%v", err)
		return
	}
	if r.HasPassword() {
		d.problemAt(path+".url", "holds a password; put that into a file for password_file, or the whole URL into one for url_file")
	}
	d.refuse(path, "with "+r.Scheme+"://", s.foreign(r.Scheme))
}

// foreign returns the settings that are set but belong to other schemes.
func (s *Server) foreign(scheme string) map[string]bool {
	set := s.settings()
	ours := []string{"known_hosts", "key_file", "passphrase_file"}
	if scheme == "sftp" {
		ours = []string{"ca_file"}
	} else if scheme == "ftp" {
		ours = append(ours, "ca_file")
	}
	maps.DeleteFunc(set, func(name string, _ bool) bool { return !slices.Contains(ours, name) })
	return set
}

// remote returns the address, and how to log in, by the settings or else by the environment.
func (s *Server) remote(login RemoteLogin) (Remote, RemoteLogin, error) {
	var r Remote
	var err error
	if s.URL == "" {
		r, err = ReadRemote(s.URLFile)
	} else {
		r, err = ParseRemote(s.URL)
	}
	if s.PasswordFile != "" || s.KeyFile != "" { // these alone: a server hears of no other keys
		login.Password, login.Keys, login.Agent = nil, nil, ""
	}
	if s.PasswordFile != "" {
		login.Password = secretFile(s.PasswordFile)
	}
	if s.KeyFile != "" {
		key := sftp.Key{File: s.KeyFile, Passphrase: login.Passphrase}
		if s.PassphraseFile != "" {
			key.Passphrase = secretFile(s.PassphraseFile)
		}
		login.Keys = []sftp.Key{key}
	}
	if s.CAFile != "" {
		login.CAFile = s.CAFile
	}
	if s.KnownHosts != "" {
		login.KnownHosts = []string{s.KnownHosts}
	}
	login.Connections = s.Connections
	return r, login, err
}

func (f *Files) open(_ context.Context, opts OpenOptions) (source.Source, error) {
	if f.Path == "" {
		return f.openServer(opts)
	}
	return sourceOf(files.New(files.Options{
		Roots:            []string{f.Path},
		Exclude:          f.Exclude,
		ExcludeCaches:    f.ExcludeCaches,
		ExcludeIfPresent: f.ExcludeIfPresent,
		OneFileSystem:    f.OneFileSystem,
		AllowEmpty:       f.AllowEmpty || opts.AllowEmpty,
		IgnoreInode:      f.IgnoreInode,
		LeaveOut:         opts.LeaveOut,
		LeftOut:          opts.LeftOut,
		Parallel:         opts.Parallel,
	}))
}

func (f *Files) openServer(opts OpenOptions) (source.Source, error) {
	r, login, err := f.Server.remote(opts.Remote)
	if err != nil {
		return nil, err
	}
	if r.Scheme == "sftp" {
		server, err := r.sftpServer(login)
		if err != nil {
			return nil, err
		}
		return sourceOf(sftpsource.New(server, sftpsource.Options{Path: r.Path, Exclude: f.Exclude, AllowEmpty: f.AllowEmpty || opts.AllowEmpty}))
	}
	server, err := r.ftpServer(login)
	if err != nil {
		return nil, err
	}
	return sourceOf(ftpsource.New(server, ftpsource.Options{Path: r.Path, Exclude: f.Exclude, AllowEmpty: f.AllowEmpty || opts.AllowEmpty}))
}
