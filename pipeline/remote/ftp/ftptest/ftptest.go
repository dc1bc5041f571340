// Package ftptest starts FTP servers for tests: proftpd, which supports MLSD, and vsftpd, which
// supports only LIST. A test whose server is not installed is skipped, or fails if CI=true.
package ftptest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/servertest"
)

// The login of every server. Nobody may log in with another password.
const (
	User     = "packstone"
	Password = "ftp secret '%s'"
)

// Options configure a server.
type Options struct {
	Security ftp.Security
	// Expired gives it a certificate that is no longer valid.
	Expired bool
	// Clients is how many connections it allows (0: many).
	Clients int
	// Config is added to its configuration.
	Config string
	// Root is the directory that is served (default: a new one).
	Root string
}

// Server is a running server.
type Server struct {
	*servertest.Process

	// Disk is the directory whose files the server shows at Path.
	Disk, Path string
	Port       int

	options   Options
	authority authority
	user      string
	command   []string
	log       string
	transfers string
}

// Transfer is a transfer of a file, or of a part of it.
type Transfer struct {
	Bytes  int64
	Path   string // as the server logs it: a space is an underscore
	Upload bool
}

var transferLine = regexp.MustCompile(`(?m)^.{24} \d+ \S+ (\d+) (.*) [ab] _ ([io]) \S `)

// Transfers returns those that the server has logged since it was made, in their order.
func (s *Server) Transfers() []Transfer {
	text, _ := os.ReadFile(s.transfers)
	var all []Transfer
	for _, m := range transferLine.FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		all = append(all, Transfer{n, m[2], m[3] == "i"})
	}
	return all
}

// LoginUser returns the user that Client logs in as.
func (s *Server) LoginUser() string { return s.user }

// CAFile holds the certificate of the authority that stands for the server.
func (s *Server) CAFile() string { return s.authority.File }

// Owner is whom the server runs as for the one who is logged in, so that permissions mean
// something.
func Owner() (uid, gid int) {
	if os.Getuid() != 0 {
		return os.Getuid(), os.Getgid()
	}
	return 1, 1 // daemon: a user who has a home, as vsftpd demands
}

// Client returns how to reach the server.
func (s *Server) Client() ftp.Options {
	return ftp.Options{
		Host: "127.0.0.1", Port: s.Port, User: s.user, Password: func(context.Context) (string, error) { return Password, nil },
		Security: s.options.Security, RootCAs: s.authority.Pool, Timeout: 10 * time.Second, Patience: 20 * time.Second,
	}
}

// Proftpd starts proftpd.
func Proftpd(t testing.TB, o Options) *Server {
	t.Helper()
	program := find(t, "proftpd", "/usr/sbin/proftpd")
	s := newServer(t, o)
	s.user = User
	dir := t.TempDir()
	config := []string{
		"ServerType standalone", "DefaultAddress 127.0.0.1", fmt.Sprint("Port ", s.Port), "UseIPv6 off", "UseReverseDNS off",
		"PidFile " + dir + "/pid", "ScoreboardFile " + dir + "/scoreboard", "SystemLog " + s.log, "TransferLog " + s.transfers, "WtmpLog off", "DelayEngine off",
		"AuthPAM off", "AuthOrder mod_auth_file.c", "AuthUserFile " + dir + "/users", "RequireValidShell off", "DefaultRoot ~", "MaxInstances 200",
		"TimesGMT on", "AllowOverwrite on", "AllowStoreRestart on", "AllowRetrieveRestart on", "Umask 022", "<Limit SITE_CHMOD>\nAllowAll\n</Limit>",
	}
	uid, gid := Owner()
	if os.Getuid() == 0 {
		config = append(config, "User daemon", "Group daemon")
	}
	if o.Clients > 0 {
		config = append(config, fmt.Sprint("MaxClientsPerHost ", o.Clients))
	}
	if o.Security != ftp.Clear {
		config = append(config, "LoadModule mod_tls.c", "TLSEngine on", "TLSRequired on", "TLSECCertificateFile "+s.authority.cert, "TLSECCertificateKeyFile "+s.authority.key)
	}
	if o.Security == ftp.Implicit {
		config = append(config, "TLSOptions UseImplicitSSL")
	}
	hash, err := exec.Command("openssl", "passwd", "-6", Password).Output()
	if err != nil {
		t.Fatalf("hash a password: %v", err)
	}
	write(t, dir+"/users", fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", User, strings.TrimSpace(string(hash)), uid, gid, s.Disk))
	write(t, dir+"/conf", strings.Join(append(config, o.Config, ""), "\n"))
	s.command = []string{program, "-n", "-c", dir + "/conf"}
	s.Start(t)
	return s
}

// Vsftpd starts vsftpd, as root only. Its root cannot be written to, only the directory Path in it.
func Vsftpd(t testing.TB, o Options) *Server {
	t.Helper()
	program := find(t, "vsftpd", "/usr/sbin/vsftpd", filepath.Join(checkout(), ".bin/vsftpd/usr/sbin/vsftpd"))
	if os.Getuid() != 0 {
		missing(t, "vsftpd runs as root only")
	}
	s := newServer(t, o)
	s.user = "anonymous"
	dir, root := t.TempDir(), s.Disk
	s.Disk, s.Path = filepath.Join(root, "data"), "/data"
	mkdir(t, s.Disk)
	own(t, root, 0, 0)
	mkdir(t, dir+"/empty")
	config := []string{
		"listen=YES", "listen_address=127.0.0.1", fmt.Sprint("listen_port=", s.Port), "background=NO", "anonymous_enable=YES", "local_enable=NO",
		"write_enable=YES", "anon_upload_enable=YES", "anon_mkdir_write_enable=YES", "anon_other_write_enable=YES", "anon_world_readable_only=NO",
		"anon_umask=022", "anon_root=" + root, "ftp_username=daemon", "secure_email_list_enable=YES", "email_password_file=" + dir + "/passwords",
		"secure_chroot_dir=" + dir + "/empty", "seccomp_sandbox=NO", "mdtm_write=YES", "xferlog_enable=YES", "xferlog_std_format=YES", "xferlog_file=" + s.transfers, "use_localtime=NO",
		"pasv_min_port=33000", "pasv_max_port=60000", // not where servers listen that are away for a while
	}
	if o.Clients > 0 {
		config = append(config, fmt.Sprint("max_per_ip=", o.Clients))
	}
	if o.Security != ftp.Clear {
		config = append(config, "ssl_enable=YES", "allow_anon_ssl=YES", "force_anon_logins_ssl=YES", "force_anon_data_ssl=YES", "ssl_ciphers=HIGH",
			"rsa_cert_file="+s.authority.cert, "rsa_private_key_file="+s.authority.key)
	}
	if o.Security == ftp.Implicit {
		config = append(config, "implicit_ssl=YES")
	}
	write(t, dir+"/passwords", Password+"\n")
	write(t, dir+"/conf", strings.Join(append(config, o.Config, ""), "\n"))
	s.command = []string{program, dir + "/conf"}
	s.Start(t)
	return s
}

func newServer(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o, Disk: o.Root, Path: "/", Port: servertest.FreePort(t), log: filepath.Join(t.TempDir(), "log")}
	s.transfers = s.log + ".transfers"
	if s.Disk == "" {
		s.Disk = t.TempDir()
		if err := os.Chmod(filepath.Dir(s.Disk), 0o711); err != nil { // the one who logs in must get through
			t.Fatal(err)
		}
	}
	uid, gid := Owner()
	own(t, s.Disk, uid, gid)
	if o.Security != ftp.Clear {
		end := time.Now().Add(time.Hour)
		if o.Expired {
			end = time.Now().Add(-time.Hour)
		}
		s.authority = newAuthority(t, end)
	}
	return s
}

// Start starts the server again after Kill.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	out, err := os.OpenFile(s.log+".out", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	command := exec.Command(s.command[0], s.command[1:]...)
	command.Stdout, command.Stderr = out, out
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.Process = servertest.Start(t, command, net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)), s.logs)
}

func (s *Server) logs() string {
	a, _ := os.ReadFile(s.log)
	b, _ := os.ReadFile(s.log + ".out")
	return string(a) + string(b)
}

// Own gives everything below the served directory to the user that logs in.
func (s *Server) Own(t testing.TB) {
	t.Helper()
	uid, gid := Owner()
	err := filepath.WalkDir(s.Disk, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func own(t testing.TB, path string, uid, gid int) {
	t.Helper()
	if err := os.Lchown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	uid, gid := Owner()
	own(t, path, uid, gid)
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// find returns the first of the programs that is there.
func find(t testing.TB, name string, files ...string) string {
	t.Helper()
	for _, file := range append([]string{name}, files...) {
		if program, err := exec.LookPath(file); err == nil {
			return program
		}
	}
	missing(t, name+" is not installed")
	return ""
}

func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// checkout returns the directory that holds go.mod.
func checkout() string {
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Dir(file)
	for range 4 {
		dir = filepath.Dir(dir)
	}
	return dir
}
